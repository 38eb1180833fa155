"""Code within other files: scripts of pages and components, cells of notebooks."""

from __future__ import annotations

import re
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.texts.entries import UnreadableError
from coai_agents.analysis.texts.formats import format_of
from coai_agents.analysis.texts.template_code import PROGRAMS
from coai_agents.source import Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.analysis.findings.findings import Finding, Notes

MOST_CHARACTERS: Final = 2_000_000
"""Longer pages and notebooks are generated."""

NOTEBOOK_SECONDS: Final = 0.5

_PAGES: Final = frozenset({"angular", "html", "jinja", "svelte", "thymeleaf", "vue"})
_SCRIPT: Final = re.compile(
    r"<script\b(?P<attributes>[^>]{0,500})>(?P<code>(?s:.)*?)</script\s*>", re.IGNORECASE
)
_SCRIPT_END: Final = re.compile(r"</script\s*+>", re.IGNORECASE)
_TYPED: Final = re.compile(r"\blang\s*=\s*[\"']?(?:ts|tsx|typescript)\b")
_NO_CODE: Final = re.compile(
    r"\btype\s*=\s*[\"'](?!module|text/(?:java|ecma)script|application/(?:x-)?javascript)"
)
_NO_LINE_END: Final = re.compile(r"[^\r\n]")
_ESCAPED: Final = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_MAGIC: Final = re.compile(r"^[ \t]*[%!?]", re.MULTILINE)


class Embedded:
    """Code of a document as a document of its own, and where each character of it is."""

    def __init__(self, source: Source, places: Sequence[int] | None = None) -> None:
        self.source = source
        self._places = places

    def placed(self, finding: Finding) -> Finding:
        """Return a finding where it is in the whole document."""
        if self._places is None:
            return finding
        path = tuple(replace(step, span=self._span(step.span)) for step in finding.path)
        return replace(finding, span=self._span(finding.span), path=path)

    def _span(self, span: Span) -> Span:
        places = self._places or (0,)
        last = len(places) - 1
        start = places[min(span.start, last)]
        end = places[min(max(span.end - 1, span.start), last)] + 1
        return Span(start, max(start, end))


def embedded(source: Source, notes: Notes) -> Iterator[Embedded]:
    """Yield the code within a document; what is not read is named in the notes."""
    format_ = format_of(source)
    if format_ not in _PAGES and format_ not in PROGRAMS and format_ != "notebook":
        return
    if len(source.text) > MOST_CHARACTERS:
        notes.append("The file is too long: the code within it was not read.")
    elif format_ == "notebook":
        yield from _cells(source, notes)
    elif format_ in PROGRAMS:
        language, read = PROGRAMS[format_]
        program, places = read(source.text)
        if program.strip():
            yield Embedded(Source(source.uri, program, language, source.version), places)
    else:
        yield from _scripts(source)


def _scripts(source: Source) -> Iterator[Embedded]:
    """Yield a page's scripts by their language, with blanks for everything around them."""
    scripts: dict[str, list[re.Match[str]]] = {}
    # Behind the last one's end a script that begins has none, and each would be looked for.
    ends = [each.end() for each in _SCRIPT_END.finditer(source.text)]
    for script in _SCRIPT.finditer(source.text, 0, ends[-1] if ends else 0):
        if not _NO_CODE.search(script["attributes"]) and script["code"].strip():
            language = "typescript" if _TYPED.search(script["attributes"]) else "javascript"
            scripts.setdefault(language, []).append(script)
    for language, found in scripts.items():
        parts: list[str] = []
        at = 0
        for script in found:
            parts += (_NO_LINE_END.sub(" ", source.text[at : script.start("code")]), script["code"])
            at = script.end("code")
        yield Embedded(Source(source.uri, "".join(parts), language, source.version))


def _cells(source: Source, notes: Notes) -> Iterator[Embedded]:
    """Yield the cells of a notebook as one program, in their order."""
    from coai_agents.analysis.texts.yaml_events import (  # noqa: PLC0415 - not before a notebook
        yaml_entries,
    )

    text: list[str] = []
    places: list[int] = []
    try:
        for entries in yaml_entries(source.text, perf_counter() + NOTEBOOK_SECONDS):
            code = {
                each.path[1]
                for each in entries
                if each.path[0::2] == ("cells", "cell_type") and each.text == "code"
            }
            cell = ""
            for each in entries:
                if each.path[:1] != ("cells",) or each.path[2:3] != ("source",):
                    continue
                if each.path[1] not in code or not source.text.startswith('"', each.span.start):
                    continue
                if each.path[1] != cell:
                    cell = each.path[1]
                    text.append("\n")
                    places.append(each.span.start)
                _decode(source.text, each.span, text, places)
    except UnreadableError as error:
        notes.append(str(error))
    whole = _MAGIC.sub(lambda match: match[0][:-1] + "#", "".join(text))
    if whole:
        yield Embedded(Source(source.uri, whole, "python", source.version), places)


def _decode(raw: str, span: Span, text: list[str], places: list[int]) -> None:
    """Add the characters of a JSON string, and where each of them is."""
    for token in _ESCAPED.finditer(raw, span.start + 1, span.end - 1):
        said = token[0]
        if said.startswith("\\u"):
            said = chr(int(f"0x{said[2:]}", base=0))
        elif said.startswith("\\"):
            said = _ESCAPES.get(said[1], said[1])
        text.append(said)
        places.append(token.start())


_SHEBANG: Final = re.compile(
    r"#![^\n]{0,120}\b(?P<name>python|node|deno|ruby|php|bash|dash|zsh|sh)[\d.]*\b"
)
_PROGRAMS: Final = {"node": "javascript", "deno": "typescript", "python": "python"} | {
    "ruby": "ruby",
    "php": "php",
}


def with_language(source: Source) -> Source:
    """Return a document with the language that its first line names, if nothing else does."""
    if source.language not in ("", "plaintext"):
        return source
    if source.text.startswith("<?php"):
        return Source(source.uri, source.text, "php", source.version)
    if not source.text.startswith("#!"):
        return source
    program = _SHEBANG.match(source.text)
    if program is None:
        return source
    language = _PROGRAMS.get(program["name"], "shellscript")
    return Source(source.uri, source.text, language, source.version)
