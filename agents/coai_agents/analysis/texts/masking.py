"""A text's comments taken out, at the same length, and where its strings are."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

_DOUBLE: Final = r'"(?:\\.|[^"\\\n])*+"'


def _between(begin: str, end: str) -> str:
    """Return the pattern of what stands between two marks.

    Where a second one begins the first has no end, so that many without one are read once.
    """
    first, last = re.escape(begin[0]), re.escape(end[0])
    return (
        rf"{re.escape(begin)}(?:[^{first}{last}]++|{first}(?!{re.escape(begin[1:])})"
        rf"|{last}(?!{re.escape(end[1:])}))*+{re.escape(end)}"
    )


def _comments(*own: str) -> str:
    """Return the pattern of a page's comments and those of its template engine."""
    return f"(?P<comment>{'|'.join((*own, _between('<!--', '-->')))})"


_RAW: Final = _between('r#"', '"#')
_LONG: Final = r'"""(?s:.)*?"""'
_CHARACTER: Final = r"'(?:\\.[^'\n]{0,8}|[^'\\\n])'"
_SINGLE: Final = r"'(?:\\.|[^'\\\n])*+'"
_C_COMMENT: Final = r"(?P<comment>//[^\n]*+|/\*(?s:.)*?(?:\*/|\Z))"
_HASH: Final = r"(?P<comment>(?:^|(?<=\s))#[^\n]*+)"
_HASH_OR_C: Final = r"(?P<comment>(?:^|(?<=\s))(?:#|//)[^\n]*+|/\*(?s:.)*?(?:\*/|\Z))"
_SQL: Final = r"(?P<comment>--[^\n]*+|/\*(?s:.)*?(?:\*/|\Z))"

_TOKENS: Final = {
    "c": f"{_C_COMMENT}|{_DOUBLE}|{_CHARACTER}",
    "cpp": f"{_C_COMMENT}|{_DOUBLE}|{_CHARACTER}",
    "dockerfile": r"(?P<comment>^[ \t]*#[^\n]*+)",
    "erb": _comments(_between("<%#", "%>")),
    "ejs": _comments(_between("<%#", "%>")),
    "haml": r"(?P<comment>^[ \t]*-#[^\n]*+)",
    "handlebars": _comments(_between("{{!--", "--}}"), r"\{\{![^{}\n]*+\}\}"),
    "jinja": _comments(_between("{#", "#}")),
    "jsp": _comments(_between("<%--", "--%>")),
    "kotlin": f"{_C_COMMENT}|{_LONG}|{_DOUBLE}|{_CHARACTER}",
    "razor": _comments(_between("@*", "*@")),
    "blade": _comments(_between("{{--", "--}}")),
    "rust": rf'{_C_COMMENT}|{_RAW}|"(?s:\\.|[^"\\])*+"|{_CHARACTER}',
    "scala": f"{_C_COMMENT}|{_LONG}|{_DOUBLE}|{_CHARACTER}",
    "shell": rf'{_HASH}|"(?s:\\.|[^"\\])*+"|{_SINGLE.replace(chr(92) + "n", "")}',
    "slim": r"(?P<comment>^[ \t]*/[^\n]*+)",
    "sql": rf"{_SQL}|'(?:''|[^'])*+'",
    "terraform": f"{_HASH_OR_C}|{_DOUBLE}",
    "twig": _comments(_between("{#", "#}")),
}
_MARKUP: Final = _comments()
_NO_LINE_END: Final = re.compile(r"[^\r\n]")


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without its comments; every place is where it was."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def string_at(self, at: int) -> int:
        """Return where the string ends that a place is in, behind its quote; -1 if in none."""
        number = bisect_right(self.starts, at) - 1
        inside = number >= 0 and self.starts[number] < at < self.ends[number]
        return self.ends[number] if inside else -1


def masked(text: str, format_: str) -> Masked:
    """Take a text's comments out."""
    tokens = re.compile(_TOKENS.get(format_, _MARKUP), re.MULTILINE)
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for token in tokens.finditer(text):
        if token["comment"] is None:
            starts.append(token.start())
            ends.append(token.end())
            continue
        parts += (text[at : token.start()], _NO_LINE_END.sub(" ", token[0]))
        at = token.end()
    return Masked("".join((*parts, text[at:])), tuple(starts), tuple(ends))
