"""What is open at a place of a line: quotes, brackets, and code within strings.

A lexer of a few dozen lines that serves every language by what its file says of comments and
quotes. It knows less than a grammar, but it reads half a line as well as a whole one, and languages
without a grammar, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.syntax.language import Interpolated, Lexical

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN: Final = re.compile(r"\w+|[^\w\s]")
"""A word, or one other character that is not white space."""

BRACKETS: Final = {"(": ")", "[": "]", "{": "}"}

PLAIN: Final = Lexical(
    quotes=('"', "'", "`"),
    interpolated=(Interpolated(quotes=("`",), open=("${",)),),
)
"""For languages of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Something that was opened."""

    close: str
    """What closes it."""
    at: int
    """Where it was opened in the text that was read; -1 if before that."""
    quote: str = ""
    """The quote, if it is a string."""
    inner: tuple[str, ...] = ()
    """What begins code within the string."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a text has shown."""

    open: tuple[Opened, ...]
    """What is open at its end, the outermost first."""
    foreign: tuple[int, ...]
    """Where it closes what it did not open itself."""
    faults: int
    """Closing brackets that fit nothing, and what was open when something around it closed."""

    @property
    def in_string(self) -> bool:
        """Whether the text ends within a string."""
        return bool(self.open and self.open[-1].quote)

    @property
    def penalty(self) -> int:
        """How much is wrong with the text if it stands for itself."""
        return self.faults + len(self.open)


def read(
    text: str, lexical: Lexical, before: Iterable[Opened] = (), *, markup: bool = False
) -> Reading:
    """Read a text in front of which something is open. In `markup`, `<` and `>` are brackets."""
    reader = _Reader(text, lexical, before, markup=markup)
    at = 0
    while at < len(text):
        at = reader.step(at)
    return Reading(tuple(reader.stack), tuple(reader.foreign), reader.faults)


class _Reader:
    def __init__(
        self, text: str, lexical: Lexical, before: Iterable[Opened], *, markup: bool
    ) -> None:
        self._text = text
        self._lexical = lexical
        self._brackets = {**BRACKETS, "<": ">"} if markup else BRACKETS
        self._closing = frozenset(self._brackets.values())
        self._quotes = (*lexical.long_quotes, *lexical.quotes)
        self.stack = [Opened(each.close, -1, each.quote, each.inner) for each in before]
        self.foreign: list[int] = []
        self.faults = 0

    def step(self, at: int) -> int:
        """Read what stands at an offset; return the offset after it."""
        if self.stack and self.stack[-1].quote:
            return self._in_string(self.stack[-1], at)
        text, lexical = self._text, self._lexical
        if text.startswith(lexical.line_comments, at):
            line_end = text.find("\n", at)
            return len(text) if line_end < 0 else line_end
        for opening, closing in lexical.block_comments:
            if text.startswith(opening, at):
                end = text.find(closing, at + len(opening))
                return len(text) if end < 0 else end + len(closing)
        quote = next((each for each in self._quotes if text.startswith(each, at)), "")
        if quote and not self._is_apostrophe(quote, at):
            close = quote.lstrip("@")
            self.stack.append(Opened(close, at, quote, self._inner(quote, at)))
            return at + len(quote)
        self._bracket(text[at], at)
        return at + 1

    def _in_string(self, string: Opened, at: int) -> int:
        text = self._text
        if text[at] == "\\":
            return at + 2
        if text.startswith(string.close, at):
            self._pop(at)
            return at + len(string.close)
        if text[at] == "\n" and string.quote in self._lexical.quotes:
            self.stack.pop()
            self.faults += 1
            return at + 1
        for opening in string.inner:
            if text.startswith(opening, at):
                if len(opening) == 1 and text.startswith(opening * 2, at):
                    return at + 2
                self.stack.append(Opened(BRACKETS[opening[-1]], at))
                return at + len(opening)
        return at + 1

    def _bracket(self, character: str, at: int) -> None:
        if character in self._brackets:
            self.stack.append(Opened(self._brackets[character], at))
        elif character in self._closing:
            depth = self._opened_by(character)
            if depth is None:
                self.foreign.append(at)
                self.faults += 1
                return
            self.faults += len(self.stack) - 1 - depth
            del self.stack[depth + 1 :]
            self._pop(at)

    def _opened_by(self, closing: str) -> int | None:
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth].quote:
                return None
            if self.stack[depth].close == closing:
                return depth
        return None

    def _pop(self, at: int) -> None:
        if self.stack.pop().at < 0:
            self.foreign.append(at)

    def _is_apostrophe(self, quote: str, at: int) -> bool:
        """Say whether it is no quote: `don't` and `1'000` have none, `b'x'` and `f'x'` do."""
        if quote != "'" or at == 0 or not self._text[at - 1].isalnum():
            return False
        word = re.search(r"\w+\Z", self._text[:at])
        return word is None or len(word[0]) > 2 or word[0][-1].isdigit()  # noqa: PLR2004 - `rb'`

    def _inner(self, quote: str, at: int) -> tuple[str, ...]:
        word = re.search(r"[\w$@]*\Z", self._text[:at])
        for each in self._lexical.interpolated:
            if quote in each.quotes and (
                not each.prefix or (word is not None and set(word[0]) & set(each.prefix))
            ):
                return each.open
        return ()
