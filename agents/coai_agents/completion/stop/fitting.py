"""Fits a suggestion into the line that it is for.

A model that fills in the middle should stop where the text after the cursor begins; small ones
rarely do, and those that chat begin with what stands before it. So a suggestion is tried as it is
and cut in all the ways in which models run into what is there: the rest of the line written again,
whole or in part, quotes and brackets closed that the rest closes, arguments for a call that has its
brackets. What parses best is taken; what repeats the rest in so many words is cut even where it
parses, and what makes the document parse worse is not shown at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.completion.stop.echo import echoes
from coai_agents.completion.stop.nesting import PLAIN, TOKEN, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.stop.surroundings import Surroundings
    from coai_agents.syntax.language import Lexical

    Judge = Callable[[str], "Soundness | None"]
    """Says how the document parses with a text at the cursor; None if it cannot be parsed."""

LONGEST_LINE: Final = 2_000
"""Characters on either side of the cursor that are looked at."""

_CLOSING: Final = frozenset(")]}>\"'`")
_QUOTES: Final = frozenset("\"'`")
_SEPARATORS: Final = frozenset(",;")
"""What repeats the rest even if it parses: an empty statement, an empty element."""
_MEMBER: Final = re.compile(r"(?:\w|\.|->|::)\Z")
_CALLEE: Final = re.compile(r"[\w>\]][!?]?\Z")
_NEAR: Final = 4_000
"""Characters on either side of the cursor whose names are known."""
_COMPUTES: Final = re.compile(r"\w\(|\w\.\w| [-+*/%<>=&|?]+ ")
_WORD: Final = re.compile(r"\w")
_WORDS: Final = re.compile(r"\w+")
_LAST_WORD: Final = re.compile(r"[^\W\d]\w*\Z")
_FIRST_WORD: Final = re.compile(r"[^\W\d]\w*")
_IN_A_ROW: Final = 3
"""So many tokens found again, with something left out before them, are no accident."""
_IN_WORD: Final = 3
"""So many characters of a word found again are no accident."""


_CLOSED_BY: Final = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of the place that a suggestion is for."""

    lexical: Lexical = PLAIN
    judge: Judge | None = None
    """None where there is no grammar."""
    stands: Callable[[str], bool] | None = None
    """Says whether the document has no fault with a text at the cursor; None without a tree."""
    in_text: bool = False
    """Whether the cursor is in a comment or a string."""
    in_lines_of_text: bool = False
    """Whether it is in a comment, or in a string that may have several lines."""
    mid_line: bool = False
    """Whether words stand before the cursor on its line, or anything after it."""
    prose: bool = False
    """Whether the document is text rather than code."""
    backticks: bool = False
    """Whether backticks mean something in the language."""
    markup: bool = False
    """Whether `<` and `>` are brackets."""
    builtins: frozenset[str] = frozenset()
    """Names that the language knows by itself, where we have a list."""


@dataclass(frozen=True, slots=True)
class Soundness:
    """How well a document parses."""

    errors: int
    """In the whole document."""
    clean: bool
    """Whether none of them touches what was inserted and the line around it."""


def fit(text: str, cursor: Cursor, ground: Ground) -> str:
    """Return what of a suggestion fits at the cursor; nothing if it must not be shown."""
    text = _unmarked(text, cursor, ground)
    ways = dict.fromkeys(_candidates(text, cursor, ground))
    candidates = [way for way in ways if not _glued(way, cursor, ground)]
    if cursor.around.at_line_end and len(candidates) == 1:
        return text
    return _best(candidates, cursor, ground)


def _glued(text: str, cursor: Cursor, ground: Ground) -> bool:
    """Say whether a text makes one word that nobody knows of two that are known.

    `items` before `sorted(items)` parses as a call of `itemssorted`.
    """
    ours, theirs = _LAST_WORD.search(text), _FIRST_WORD.match(cursor.suffix)
    if ours is None or theirs is None or ground.in_text:
        return False
    elsewhere = cursor.prefix[-_NEAR:] + cursor.suffix[len(theirs[0]) :][:_NEAR]
    words = {*_WORDS.findall(elsewhere), *ground.builtins}
    return {ours[0], theirs[0]} <= words and f"{ours[0]}{theirs[0]}" not in words


def _unmarked(text: str, cursor: Cursor, ground: Ground) -> str:
    """Leave out the backticks around an expression where they would make a string of it.

    An answer in chat marks code so. It is code if it computes something from names of the document,
    puts nothing into a string, and parses.
    """
    marked = re.fullmatch(r"\s*`([^`\n$]+)`\.?\s*", text)
    if marked is None or ground.judge is None or ground.in_text or not _COMPUTES.search(marked[1]):
        return text
    document = cursor.prefix[-_NEAR:] + cursor.suffix[:_NEAR]
    names = re.findall(r"[^\W\d]\w*", marked[1])
    known = bool(names) and all(re.search(rf"\b{name}\b", document) for name in names)
    sound = ground.judge(marked[1]) if known else None
    return text if sound is None or sound.errors else marked[1]


def _candidates(text: str, cursor: Cursor, ground: Ground) -> list[str]:
    """Return a suggestion in all the ways in which it may fit, the preferred ones first."""
    around = cursor.around
    echoed = echoes(text, cursor)
    likely = [text[echo.length :] for echo in echoed if echo.sure]
    unlikely = [text[echo.length :] for echo in echoed if not echo.sure]
    if around.at_line_end:
        return [*likely, text, *unlikely]
    ways = [way for head in likely for way in _ways(head, around, ground)]
    # An echo and the rest of the line: both together are no accident.
    ways += [way for head in (text, *unlikely) for way in _cut(head, around, ground, sure=True)]
    ways += [way for head in (text, *unlikely) for way in _ways(head, around, ground)]
    return [*ways, ""]


def _ways(text: str, around: Surroundings, ground: Ground) -> Iterator[str]:
    """Yield a text cut in all the ways in which it may fit; nothing only where that is sure."""
    yield from _cut(text, around, ground, sure=True)
    yield text
    yield from _cut(text, around, ground, sure=False)


def _cut(text: str, around: Surroundings, ground: Ground, *, sure: bool) -> Iterator[str]:
    for cut in _cuts(text, around, ground):
        kept = text[: cut.length]
        if (cut.sure and sure) or (
            not (cut.sure or sure)
            and kept.strip()
            and (_WORD.search(kept) or not _WORD.search(text))
        ):
            yield _trimmed(kept, around)


def _best(candidates: list[str], cursor: Cursor, ground: Ground) -> str:
    """Return the first candidate that parses without an error, or the one that parses best."""
    judge = ground.judge or _unjudged
    sounds: list[Soundness | None] = []
    for candidate in candidates:
        sound = judge(candidate)
        if sound is not None and not sound.errors:
            return candidate
        sounds.append(sound)
    before = judge("")
    if before is None:
        before = _unjudged("")
        sounds[:] = map(_unjudged, candidates)
    scores = [
        (sound.errors, 0 if sound.clean else 1 + _penalty(candidate, cursor.around, ground), number)
        for number, (candidate, sound) in enumerate(zip(candidates, sounds, strict=True))
        if sound is not None
    ]
    if not scores:
        return ""
    errors, wrong, number = min(scores)
    without = 0 if before.clean else 1 + _penalty("", cursor.around, ground)
    # What is being written at the end of a line need not parse yet.
    if not cursor.around.at_line_end:
        if (errors, wrong) > (before.errors, without):
            return ""
        if wrong and ground.judge is not None:
            return _mended(candidates[number], errors, cursor.around.line_suffix, ground.judge)
    return candidates[number]


def _mended(text: str, errors: int, rest: str, judge: Judge) -> str:
    """Return what leaves no closing bracket too many in the line; nothing if the line has it.

    Text that is put before a bracket too many and does not open it leaves the line as broken as it
    was: whoever takes it has more to mend than before. With the bracket opened the line would
    parse, which tells that it is the only thing wrong.
    """
    if text.endswith(tuple(_CLOSED_BY)) and _is_clean(judge(text[:-1]), errors):
        return text[:-1]
    openers = (opener for closer, opener in _CLOSED_BY.items() if closer in rest[:LONGEST_LINE])
    return "" if any(_is_clean(judge(opener + text), errors) for opener in openers) else text


def _is_clean(sound: Soundness | None, errors: int) -> bool:
    return sound is not None and sound.clean and sound.errors <= errors


def _unjudged(_: str) -> Soundness:
    """Say of every text that it may be wrong: then quotes and brackets decide."""
    return Soundness(1, clean=False)


def _penalty(text: str, around: Surroundings, ground: Ground) -> int:
    line = f"{_before(around)}{text}{around.line_suffix[:LONGEST_LINE]}"
    return read(line, ground.lexical, markup=ground.markup).penalty


def _before(around: Surroundings) -> str:
    return around.line_prefix[-LONGEST_LINE:]


def _trimmed(text: str, around: Surroundings) -> str:
    """Leave out the blanks at the end of a text where the rest begins with one."""
    return text.rstrip(" \t") if around.line_suffix[:1].isspace() else text


# ----------------------------------------------------------------------------- cuts


@dataclass(frozen=True, slots=True)
class _Cut:
    length: int
    sure: bool = False
    """Whether it is preferred to the whole text even where that parses."""


def _cuts(text: str, around: Surroundings, ground: Ground) -> Iterator[_Cut]:
    rest = around.line_suffix.strip()[:LONGEST_LINE]
    yield from _overlaps(text, around, ground)
    before = read(_before(around), ground.lexical, markup=ground.markup)
    reading = read(text, ground.lexical, before.open, markup=ground.markup)
    if rest[0] == "(":
        yield from _arguments(text, around, ground)
    yield from (_Cut(at) for at in reading.foreign)
    # An answer that ends in the middle of something: without it the rest may still parse.
    yield from (_Cut(each.at) for each in reading.open if each.at >= 0)


def _overlaps(text: str, around: Surroundings, ground: Ground) -> Iterator[_Cut]:
    """Yield where the end of a text is the beginning of the rest, the longest overlap first."""
    rest = around.line_suffix.strip()[:LONGEST_LINE]
    ours, theirs = list(TOKEN.finditer(text)), list(TOKEN.finditer(rest))
    stripped = text.rstrip()
    if stripped.endswith(rest):
        start = len(stripped) - len(rest)
        joined = stripped == text and around.line_suffix[:1] == rest[0]
        whole = (len(rest) > 1 and joined) or any(token.start() == start for token in ours)
        cut, uncut = (_penalty(each, around, ground) for each in (text[:start], text))
        # No parser tells whether a sentence ends twice, nor what is in a macro.
        comment = text.lstrip().startswith(ground.lexical.line_comments)
        in_text = ground.in_text or comment
        ends_twice = cut <= uncut if in_text else cut < uncut and rest in _QUOTES
        number = rest.isdigit() or len(theirs) > 1
        yield _Cut(start, sure=whole and (ends_twice or number or _tells(theirs)))
    for count in range(min(len(ours), len(theirs)), 0, -1):
        if _same(ours[-count:], theirs[:count]):
            length = len(theirs[0][0])
            start = ours[-count].end() - length
            seam = text[-1:] + around.line_suffix[:1]
            glued = count == 1 and re.fullmatch(r"\w\w", seam) is not None
            at_word = (glued and length >= _IN_WORD) or ours[-count].start() == start
            stop = ground.in_text and not rest.startswith(rest[0] * 2) and ours[-1][0] in ".,;!?"
            yield _Cut(start, sure=at_word and (glued or stop or _tells(theirs[:count])))
            break
    for skipped in range(1, len(theirs)):
        if theirs[skipped - 1][0] not in _CLOSING:
            break
        tail = theirs[skipped:]
        if len(tail) <= len(ours) and _same(ours[-len(tail) :], tail):
            # It writes the rest again but for what closes first.
            yield _Cut(ours[-len(tail)].start(), sure=len(tail) >= _IN_A_ROW and _tells(tail))


def _same(ours: list[re.Match[str]], theirs: list[re.Match[str]]) -> bool:
    first = ours[0][0] == theirs[0][0] or (
        len(theirs[0][0]) >= _IN_WORD and ours[0][0].endswith(theirs[0][0])
    )
    return first and all(a[0] == b[0] for a, b in zip(ours[1:], theirs[1:], strict=True))


def _tells(tokens: list[re.Match[str]]) -> bool:
    """Say whether tokens that stand twice in a row are there once too often."""
    if any(re.match(r"[^\W\d]|\d\d", token[0]) for token in tokens):
        return True
    return _SEPARATORS.issuperset(token[0] for token in tokens)


def _arguments(text: str, around: Surroundings, ground: Ground) -> Iterator[_Cut]:
    """Yield where the arguments begin of a call whose brackets stand after the cursor already."""
    end = len(text.rstrip(" \t\n;,:")) - 1
    if text[end : end + 1] != ")":
        return
    opened = read(text[:end], ground.lexical, markup=ground.markup).open
    if len(opened) != 1 or _CALLEE.search(text[: opened[0].at]) is None:
        return
    called = around.line_suffix.startswith("()") or bool(_MEMBER.search(around.line_prefix))
    yield _Cut(opened[0].at, sure=called)
