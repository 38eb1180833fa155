"""Looking at the workspace: files, text, lines that hold a text, static findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.tools.errors import ToolError
from coai_agents.tools.tool import MOST_FOUND, PLACE, TEXTS, Tool, fields, text_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import TEXT, Json, Type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.tools.tool import Bench, Given
    from coai_agents.tools.workspace import Folder

LINE_CHARACTERS: Final = 200
FINDING: Final = fields(**PLACE, rule=TEXT, severity=TEXT, message=TEXT)


def _files(given: Given, bench: Bench) -> list[str]:
    return bench.folder.files(text_of(given, "below"))


def _read(given: Given, bench: Bench) -> str:
    """Return a file's text, or of the lines `FIRST-LAST` of it."""
    source = bench.folder.source(text_of(given, "path"))
    lines = text_of(given, "lines")
    if not lines:
        return source.text
    first, _, last = lines.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise ToolError("lines has to be a line or two with a dash between them, as 10-20.")
    chosen = source.text.splitlines(keepends=True)[max(0, int(first) - 1) : int(last or first)]
    return "".join(chosen)


def _search(given: Given, bench: Bench) -> list[str]:
    wanted = text_of(given, "text").casefold()
    found: list[str] = []
    for name in bench.folder.files(text_of(given, "below")):
        try:
            lines = bench.folder.shown(name).text.splitlines()
        except ToolError:
            continue
        here = [
            f"{name}:{number}: {line.strip()[:LINE_CHARACTERS]}"
            for number, line in enumerate(lines, 1)
            if wanted in line.casefold()
        ]
        if here:
            bench.folder.seen.add(name)
        found += here
        if len(found) >= MOST_FOUND:
            break
    return found[:MOST_FOUND]


def _findings(given: Given, bench: Bench) -> list[Json]:
    folder, path = bench.folder, text_of(given, "path")
    names = named_files(folder, path)
    found: list[Json] = []
    for name in names:
        try:
            source = folder.shown(name)
        except ToolError:
            if len(names) == 1:
                raise
            continue
        here: list[Json] = [
            {
                "path": name,
                "line": source.line_at(each.span.start) + 1,
                "rule": each.rule,
                "severity": each.severity.value,
                "message": each.message,
            }
            for each in analyse(source).findings
        ]
        if here:
            folder.seen.add(name)
        found += here
        if len(found) >= MOST_FOUND:
            break
    return found[:MOST_FOUND]


def named_files(folder: Folder, path: str) -> list[str]:
    """Return the files of a folder, or the one file, that a path names."""
    return folder.files(path) if (folder.root / path).is_dir() else [path]


LOOKING: Final[Mapping[str, Tool]] = {
    "files": Tool(
        Signature({"below": TEXT}, TEXTS, effect="reads", summary="files of the workspace"), _files
    ),
    "read": Tool(
        Signature({"path": TEXT, "lines": TEXT}, TEXT, ("path",), "reads", "a file's text"), _read
    ),
    "search": Tool(
        Signature(
            {"text": TEXT, "below": TEXT}, TEXTS, ("text",), "reads", "lines that hold a text"
        ),
        _search,
    ),
    "findings": Tool(
        Signature(
            {"path": TEXT},
            Type("list", item=FINDING),
            ("path",),
            "reads",
            "static findings of a file or a folder",
        ),
        _findings,
    ),
}
