"""Diagnostics that compilers, type checkers and linters write, a line or a few for each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.source import normal_language
from coai_agents.specialists.diagnosing.problems import Frame, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATH: Final = r"(?P<path>(?:[A-Za-z]:[\\/])?[^\s:()\"'<>|][^:()\"'<>|\n]{0,400}?\.\w{1,5})"
_SEVERITY: Final = r"(?P<severity>fatal error|error|warning|note|info)"

_LINES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # tsc, csc and MSVC: a.ts(3,5): error TS2304: ...
        (
            rf"\s*{_PATH}\((?P<line>\d+)(?:,(?P<column>\d+))?\)\s?: {_SEVERITY} "
            r"(?P<code>[A-Z]+\d+): (?P<message>.+?)(?: \[[^\]]+proj\])?"
        ),
        # tsc and pyright: a.ts:3:5 - error TS2304: ...
        (
            rf"\s*{_PATH}:(?P<line>\d+):(?P<column>\d+) - {_SEVERITY}(?: (?P<code>TS\d+))?: "
            r"(?P<message>.+?)(?: \((?P<rule>report\w+)\))?"
        ),
        # rubocop: a.rb:3:5: C: [Correctable] Style/Name: ...
        (
            rf"{_PATH}:(?P<line>\d+):(?P<column>\d+): [CWEFRI]: (?:\[Correctable\] )?"
            r"(?P<code>\w+(?:/\w+)+): (?P<message>.+)"
        ),
        # ruff, flake8 and pylint: a.py:3:5: F401 ...
        (
            rf"{_PATH}:(?P<line>\d+):(?P<column>\d+): (?P<code>[A-Z]{{1,4}}\d{{2,5}}):? "
            r"(?:\[\*\] )?(?P<message>.+)"
        ),
        # gcc, clang, javac and mypy: a.c:3:5: error: ... [-Wname]
        (
            rf"{_PATH}:(?P<line>\d+)(?::(?P<column>\d+))?: {_SEVERITY}: "
            r"(?P<message>.+?)(?:\s+\[(?P<code>-W[\w=+-]+|[a-z][a-z-]+)\])?"
        ),
        # ld: a.c:(.text+0x5): undefined reference to `f'
        (
            rf"(?:\S+: )?{_PATH}:(?:\([^)]*\)|(?P<line>\d+)): "
            r"(?P<message>(?:undefined reference|multiple definition).+)"
        ),
        # PHP, syntax and start-up
        (
            r"(?:PHP )?(?P<code>Parse error|Warning|Notice|Deprecated|Fatal error): +"
            r"(?!Uncaught )(?P<message>.+) in (?P<path>.+?) on line (?P<line>\d+)"
        ),
        # Ruby's parser, and `ruby -c`
        r"(?P<path>[^\s:][^:\n]*\.rb):(?P<line>\d+): (?P<message>syntax errors?\b.*|warning: .+)",
        # go build and go vet, golangci-lint; what is none of the above
        (
            r"(?:vet: )?(?P<path>[^\s:][^:\n]*\.go):(?P<line>\d+)(?::(?P<column>\d+))?: "
            r"(?P<message>.+?)(?: \((?P<rule>[a-z]+)\))?"
        ),
    )
)

_RUSTC: Final = re.compile(r"(?P<severity>error|warning)(?:\[(?P<code>\w+)\])?: (?P<message>.+)")
_RUFF: Final = re.compile(r"(?P<code>[A-Z]{1,4}\d{2,5}) (?:\[\*\] )?(?P<message>.+)")
_ARROW: Final = re.compile(r"\s*--> (?P<path>.+?):(?P<line>\d+):(?P<column>\d+)")
_ESLINT_FILE: Final = re.compile(r"(?P<path>(?:/|\w:\\|\.{0,2}[\w@])\S*\.(?:[cm]?[jt]sx?|vue))")
_ESLINT: Final = re.compile(
    r"\s+(?P<line>\d+):(?P<column>\d+)\s+(?P<severity>error|warning)\s+(?P<message>.+?)"
    r"(?:\s{2,}(?P<code>[@\w/-]+))?\s*"
)
_JAVAC_MORE: Final = re.compile(r"\s+(?P<what>symbol|location|required|found|reason): +(?P<of>.+)")
_BORING: Final = re.compile(
    r"aborting due to|could not compile|\d+ warnings? emitted|^build failed"
)


def diagnostics(lines: Sequence[str]) -> Iterator[Problem]:
    """Yield the diagnostics of an output; notes are left out."""
    file = ""
    for at, line in enumerate(lines):
        if match := _ESLINT_FILE.fullmatch(line.strip()):
            file = match["path"]
            continue
        match = _ESLINT.fullmatch(line) if file else None
        if match is not None:
            yield _problem(match, at, path=file)
            continue
        match = next((found for each in _LINES if (found := each.fullmatch(line.rstrip()))), None)
        if match is not None:
            if match.groupdict().get("severity") not in ("note", "info"):
                yield _problem(match, at, more=_more(lines, at))
        elif (found := _with_arrow(lines, at)) is not None:
            yield found


def _with_arrow(lines: Sequence[str], at: int) -> Problem | None:
    """Read what rustc and ruff write: the message, and the place in a line of its own."""
    match = _RUSTC.fullmatch(lines[at]) or _RUFF.fullmatch(lines[at])
    if match is None or _BORING.search(match["message"]):
        return None
    arrow = _ARROW.match(lines[at + 1]) if at + 1 < len(lines) else None
    if arrow is None:
        # Without its place it is one only where the code says so.
        rust = match.re is _RUSTC and bool(match["code"])
        return _problem(match, at, language="rust") if rust else None
    frame = Frame(arrow["path"].strip(), int(arrow["line"]), int(arrow["column"]))
    language = "rust" if match.re is _RUSTC else "python"
    return _problem(match, at, frame=frame, language=language)


def _problem(
    match: re.Match[str],
    at: int,
    *,
    path: str = "",
    frame: Frame | None = None,
    language: str = "",
    more: str = "",
) -> Problem:
    fields = match.groupdict()
    path = path or fields.get("path") or ""
    if frame is None and path:
        frame = Frame(path.strip(), int(fields.get("line") or 0), int(fields.get("column") or 0))
    if frame is not None and not language:
        language = normal_language("", Path(frame.path))
    code = fields.get("code") or fields.get("rule") or ""
    severity = fields.get("severity") or ""
    return Problem(
        language,
        code,
        fields["message"].strip() + more,
        () if frame is None else (frame,),
        is_warning=severity == "warning" or code in ("Warning", "Notice", "Deprecated"),
        at=at,
    )


def _more(lines: Sequence[str], at: int) -> str:
    """Return the lines in which javac says of what it speaks."""
    found = [_JAVAC_MORE.fullmatch(line.rstrip()) for line in lines[at + 1 : at + 6]]
    return "".join(f"\n{match['what']}: {match['of']}" for match in found if match is not None)
