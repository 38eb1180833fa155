"""What a model writes again of the text before the cursor, before it goes on.

Models that were trained to chat, and small ones, often begin with the line that the cursor is in,
or with the whole of what they were shown. What stands there already is taken off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.completion.stop.nesting import TOKEN

if TYPE_CHECKING:
    from coai_agents.completion.cursor import Cursor

MOST_LINES: Final = 24
"""Lines above the cursor that a model may write again."""

LONGEST: Final = 400
"""Characters before the cursor on its line that are compared."""

_MARKERS: Final = ("//", "///", "/*", "/**", "<!--", "--", '"""', "'''", "#", "*", ";;")
"""What begins a comment or a documentation, of which a part may stand before the cursor."""
_LONG_LINE: Final = 6
"""Characters of a line that tells: `end`, `pass` and `else` stand anywhere."""
_SIGILS: Final = frozenset("$@.#")
"""What begins a name or an attribute, and is followed by it at once."""
_IN_A_ROW: Final = 3
"""So many tokens found again are no accident."""
_DOUBLED: Final = frozenset({"long", "not", "typeof", "void", "that", "had"})
"""Words that may stand twice in a row."""
_OPENING: Final = frozenset("([{<")
_SURELY_ONCE: Final = frozenset({".", ":", "=", ">"})
"""Ends of what no code repeats: `x.x.`, `x = x =`, `x->x->`, `a::a::`."""


@dataclass(frozen=True, slots=True)
class Echo:
    """How much of a text's beginning is an echo."""

    length: int
    sure: bool
    """Whether it is one whatever the parser says, if that finds nothing wrong without it."""


def echoes(text: str, cursor: Cursor) -> list[Echo]:
    """Return what may be taken off the beginning of a text, the most likely first."""
    above = _of_lines(text, cursor)
    if above:
        return [Echo(above, sure=True)]
    line = cursor.around.line_prefix[-LONGEST:]
    if not line.strip():
        return []
    found = [_of_line(text, line, cursor), _of_word(text, line, cursor), _of_tokens(text, line)]
    return [each for each in found if each is not None]


def _of_lines(text: str, cursor: Cursor) -> int:
    """Return the length of lines above, and of the cursor's line so far, that stand in the text."""
    *above, _ = cursor.prefix.rsplit("\n", MOST_LINES + 1)[-MOST_LINES - 1 :]
    lines = text.split("\n")
    begun = cursor.around.line_prefix.strip()
    for count in range(min(len(above), len(lines) - 1), 0, -1):
        same = all(
            one.strip() == other.strip()
            for one, other in zip(above[-count:], lines[:count], strict=True)
        )
        if not same or not any(_tells(line) for line in lines[:count]):
            continue
        length = sum(len(line) + 1 for line in lines[:count])
        rest = text[length:]
        if not begun:
            indentation = cursor.around.line_prefix
            return length + (len(indentation) if rest.startswith(indentation) else 0)
        blank = len(rest) - len(rest.lstrip())
        if rest[blank:].startswith(begun):
            return length + blank + len(begun) + _blank_after(rest[blank + len(begun) :], cursor)
    return 0


def _tells(line: str) -> bool:
    return len(line.strip()) >= _LONG_LINE and re.search(r"\w", line) is not None


def _blank_after(rest: str, cursor: Cursor) -> int:
    if not cursor.around.line_prefix[-1:].isspace():
        return 0
    return len(rest) - len(rest.lstrip(" \t"))


def _of_line(text: str, line: str, cursor: Cursor) -> Echo | None:
    """Find the whole line so far at the text's beginning."""
    begun = line.strip()
    start = len(text) - len(text.lstrip())
    if not text.startswith(begun, start) or len(line) == LONGEST:
        return None
    end = start + len(begun)
    tokens = len(TOKEN.findall(begun))
    several = tokens > 1
    if tokens > _IN_A_ROW or re.search(r"[^\W\d]", begun) is not None:
        return Echo(_past_blank(text, end, line), sure=several)
    # A comment's mark, a list's, a prompt: whole, or the first half of it.
    whole = text[end : end + 1].isspace() and (several or begun in _MARKERS)
    half = any(
        text.startswith(mark, start)
        and mark != begun
        and mark.startswith(begun)
        # A longer mark may be meant: `/` and `//` are `///` where the file has such comments.
        and (begun + mark not in _MARKERS or begun + mark not in cursor.prefix + cursor.suffix)
        for mark in _MARKERS
    )
    in_comment = several and begun[0] in "*#/"
    sigil = begun in _SIGILS and re.match(r"[\w\[]", text[end : end + 1]) is not None
    if not (whole or half or in_comment or sigil):
        return None
    return Echo(_past_blank(text, end, line), sure=True)


def _of_word(text: str, line: str, cursor: Cursor) -> Echo | None:
    """Find the last word before the cursor at the text's beginning."""
    word = re.search(r"[^\W\d]\w*\s*\Z", line)
    start = len(text) - len(text.lstrip(" \t"))
    first = re.match(r"\w+", text[start:])
    if word is None or first is None:
        return None
    said = word[0].rstrip()
    if said != word[0]:
        # A word, a blank, and the same word.
        if first[0] != said or said in _DOUBLED:
            return None
        return Echo(_past_blank(text, start + len(said), line), sure=True)
    if start or not first[0].startswith(said) or not said.strip("_"):
        return None
    joined = said + first[0]
    known = re.compile(rf"\b{re.escape(joined)}")
    if known.search(cursor.prefix) or known.search(cursor.suffix):
        return None
    return Echo(len(said), sure=True)


def _of_tokens(text: str, line: str) -> Echo | None:
    """Find the last tokens before the cursor at the text's beginning."""
    before, said = list(TOKEN.finditer(line)), list(TOKEN.finditer(text[: len(line) + LONGEST]))
    open_word = bool(before) and before[-1].end() == len(line) and _is_word(line[-1])
    for count in range(min(len(before), len(said)), 0, -1):
        ours, theirs = before[-count:], said[:count]
        if any(a[0] != b[0] for a, b in zip(ours[:-1], theirs[:-1], strict=True)):
            continue
        last, same = ours[-1][0], theirs[-1][0]
        if last != same and not (open_word and count > 1 and same.startswith(last)):
            continue
        if count == 1 and _is_word(last[0]):
            return None
        end = theirs[-1].start() + len(last)
        words = any(re.match(r"[^\W\d]", token[0]) for token in ours)
        many = count >= _IN_A_ROW and words
        once = last in _SURELY_ONCE or (open_word and count > 1) or many
        sure = words and count > 1 and once and last not in _OPENING
        sure = sure or (last in "$@" and count == 1)
        return Echo(_past_blank(text, end, line), sure=sure)
    return None


def _past_blank(text: str, end: int, line: str) -> int:
    """Pass the blanks after an echo if there are some before the cursor already."""
    if not line[-1].isspace():
        return end
    return end + len(text[end:]) - len(text[end:].lstrip(" \t"))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
