"""What git knows: commits, who wrote a line last, and what changed; nothing of it runs anything.

Blame is of what is committed: the working tree would be read by way of filters that a repository
may name.
"""

from __future__ import annotations

import difflib
import os
import re
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.gathering import files_in
from coai_agents.git import changed_contents
from coai_agents.git_repository import GitError, Repository, top_of
from coai_agents.tools.errors import ToolError
from coai_agents.tools.looking import LINE_CHARACTERS
from coai_agents.tools.tool import MOST_FOUND, Tool, fields, number_of, text_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import NUMBER, TEXT, Json, Type
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coai_agents.tools.tool import Bench, Given

COMMIT: Final = fields(commit=TEXT, author=TEXT, date=TEXT, subject=TEXT)
BLAMED: Final = fields(line=NUMBER, commit=TEXT, author=TEXT, date=TEXT, text=TEXT)

MOST_BYTES: Final = 1_000_000
MOST_FILES: Final = 50
MOST_CHARACTERS: Final = 40_000
"""Of a difference; what is longer no model reads."""

_QUIET: Final = ("--no-show-signature", "--no-ext-diff", "--no-textconv")
_HEADER: Final = re.compile(rb"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?$")


def _log(given: Given, bench: Bench) -> list[Json]:
    most = number_of(given, "most", 20, MOST_FOUND)
    form = "--format=%h%x00%an%x00%aI%x00%s"
    out = _ask(bench, "log", *_QUIET, "-z", f"-{most}", form, "--", text_of(given, "path") or ".")
    parts = out.decode("utf-8", "replace").split("\0")
    keys = ("commit", "author", "date", "subject")
    whole = (parts[at : at + 4] for at in range(0, len(parts) - 3, 4))
    return [dict(zip(keys, (each.strip() for each in commit), strict=True)) for commit in whole]


def _blame(given: Given, bench: Bench) -> list[Json]:
    name = text_of(given, "path")
    if not name:
        raise ToolError("path has to be a file.")
    bench.folder.source(name)
    chosen: tuple[str, ...] = ()
    if lines := text_of(given, "lines"):
        first, _, last = lines.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise ToolError("lines has to be a line or two with a dash between them, as 10-20.")
        chosen = ("-L", f"{int(first)},{int(last or first)}")
    out = _ask(bench, "blame", "--porcelain", "--no-textconv", *chosen, "HEAD", "--", name)
    return list(islice(_blamed(out), MOST_FOUND))


def _blamed(out: bytes) -> Iterator[Json]:
    """Yield lines of git's porcelain form; what is said of a commit is said once."""
    known: dict[bytes, dict[bytes, str]] = {}
    commit, number, about = b"", 0, dict[bytes, str]()
    for line in out.split(b"\n"):
        if header := _HEADER.match(line):
            commit, number = header[1], int(header[2])
            about = known.setdefault(commit, {})
        elif line.startswith(b"\t"):
            seconds = int(about.get(b"author-time", "0"))
            yield {
                "line": number,
                "commit": commit[:10].decode(),
                "author": about.get(b"author", ""),
                "date": datetime.fromtimestamp(seconds, UTC).date().isoformat(),
                "text": line[1:].decode("utf-8", "replace")[:LINE_CHARACTERS],
            }
        else:
            key, _, value = line.partition(b" ")
            about[key] = value.decode("utf-8", "replace")


def _changes(given: Given, bench: Bench) -> str:
    """Return what changed since a revision as a unified diff; only of files that may be shown."""
    root = bench.folder.root
    below = text_of(given, "path")
    revision = text_of(given, "since") or "HEAD"
    try:
        files = files_in([root])
        changed = changed_contents(revision, root, files, lambda file: _content(file, root))
    except GitError as error:
        raise ToolError(error.message, remedy=error.remedy) from error
    kept = {
        name: sides
        for name, sides in sorted(changed.items())
        if not below or Path(name).is_relative_to(Path(os.path.normpath(below)))
    }
    pieces: list[str] = []
    for name, sides in islice(kept.items(), MOST_FILES):
        try:
            bench.folder.admit(name)
        except ToolError as error:
            pieces.append(f"{error.message}\n")
            continue
        bench.folder.seen.add(name)
        pieces.append("".join(_difference(name, *sides)))
    if len(kept) > MOST_FILES:
        pieces.append(f"[{len(kept) - MOST_FILES} more files]\n")
    text = "".join(pieces)
    more = len(text) - MOST_CHARACTERS
    return f"{text[:MOST_CHARACTERS]}\n[{more} more characters]\n" if more > 0 else text


def _difference(name: str, before: bytes | None, after: bytes | None) -> Iterator[str]:
    old, new = (
        (side or b"").decode("utf-8", "replace").splitlines(keepends=True)
        for side in (before, after)
    )
    lines = difflib.unified_diff(
        old,
        new,
        "/dev/null" if before is None else f"a/{name}",
        "/dev/null" if after is None else f"b/{name}",
    )
    yield from (line if line.endswith("\n") else f"{line}\n" for line in lines)


def _content(file: Path, root: Path) -> bytes | None:
    try:
        content = read_file(file, MOST_BYTES, [root])
    except OSError:
        return None
    return None if b"\0" in content[:8_000] else content


def _ask(bench: Bench, *arguments: str) -> bytes:
    root = bench.folder.root
    try:
        return Repository(top_of(root)).ask("-C", os.path.realpath(root), *arguments)
    except GitError as error:
        raise ToolError(error.message, remedy="Work in a git repository with a commit.") from error


HISTORY: Final[Mapping[str, Tool]] = {
    "log": Tool(
        Signature(
            {"path": TEXT, "most": NUMBER},
            Type("list", item=COMMIT),
            (),
            "reads",
            "the last commits, of all or of a path",
        ),
        _log,
    ),
    "blame": Tool(
        Signature(
            {"path": TEXT, "lines": TEXT},
            Type("list", item=BLAMED),
            ("path",),
            "reads",
            "who wrote the committed lines of a file, and when",
        ),
        _blame,
    ),
    "changes": Tool(
        Signature(
            {"path": TEXT, "since": TEXT},
            TEXT,
            (),
            "reads",
            "what changed since a revision, HEAD unless given, as a diff",
        ),
        _changes,
    ),
}
