r"""A slow, obviously right document: what changes do to a text, one character at a time.

Nothing here is shared with the code under test. Positions count what LSP says that they count, a
line ends at `\n`, `\r\n` or `\r`, a position too far right means the line's end before its line
end, a position too far down the end of the document, and a position inside a character means its
start. Half of a surrogate pair becomes U+FFFD, because nothing downstream accepts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from hypothesis import strategies as st

EncodingName = Literal["utf-8", "utf-16", "utf-32"]
ENCODINGS: Final[tuple[EncodingName, ...]] = ("utf-8", "utf-16", "utf-32")


@dataclass(frozen=True)
class Change:
    """One content change: positions are (line, character); None for the whole document."""

    range: tuple[tuple[int, int], tuple[int, int]] | None
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return it as LSP's TextDocumentContentChangeEvent."""
        if self.range is None:
            return {"text": self.text}
        start, end = ({"line": line, "character": character} for line, character in self.range)
        return {"range": {"start": start, "end": end}, "text": self.text}


def clean(text: str) -> str:
    """Join the halves of surrogate pairs, and put U+FFFD for every half that is alone."""
    cleaned: list[str] = []
    for character in text:
        if 0xDC00 <= ord(character) <= 0xDFFF and cleaned and 0xD800 <= ord(cleaned[-1]) <= 0xDBFF:
            high, low = ord(cleaned.pop()) - 0xD800, ord(character) - 0xDC00
            cleaned.append(chr(0x10000 + high * 0x400 + low))
        else:
            cleaned.append(character)
    return "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in cleaned)


def width(character: str, encoding: EncodingName) -> int:
    """Return how many units of the encoding a character takes."""
    if encoding == "utf-8":
        return len(character.encode("utf-8"))
    if encoding == "utf-16":
        return 2 if ord(character) > 0xFFFF else 1
    return 1


def lines_of(text: str) -> list[tuple[str, str]]:
    """Return each line's text and its line end; the last line has none."""
    lines: list[tuple[str, str]] = []
    line = ""
    index = 0
    while index < len(text):
        character = text[index]
        if character == "\r" and text[index + 1 : index + 2] == "\n":
            lines.append((line, "\r\n"))
            line = ""
            index += 1
        elif character in ("\r", "\n"):
            lines.append((line, character))
            line = ""
        else:
            line += character
        index += 1
    lines.append((line, ""))
    return lines


class ReferenceDocument:
    """A document that an editor changes."""

    def __init__(self, text: str, encoding: EncodingName) -> None:
        self.text = clean(text)
        self.encoding: EncodingName = encoding

    def offset(self, line: int, character: int) -> int:
        """Return how many code points stand before a position."""
        lines = lines_of(self.text)
        if line >= len(lines):
            return len(self.text)
        offset = sum(len(content) + len(end) for content, end in lines[:line])
        passed = 0
        for each in lines[line][0]:
            passed += width(each, self.encoding)
            if passed > character:
                break
            offset += 1
        return offset

    def position(self, offset: int) -> tuple[int, int]:
        """Return the position that stands for a number of code points."""
        for number, (content, end) in enumerate(lines_of(self.text)):
            if offset < len(content) + len(end) or not end:
                before = content[:offset]
                return number, sum(width(each, self.encoding) for each in before)
            offset -= len(content) + len(end)
        raise AssertionError("the last line has no line end")

    def apply(self, change: Change) -> None:
        """Make a change."""
        text = clean(change.text)
        if change.range is None:
            self.text = text
            return
        first, second = (self.offset(*position) for position in change.range)
        start, end = min(first, second), max(first, second)
        self.text = self.text[:start] + text + self.text[end:]


PIECES: Final = (
    *("\n", "\n", "\r\n", "\r\n", "\r"),
    # Not line ends in LSP, although str.splitlines() takes them for such.
    *("\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x85"),
    *("é", "e\u0301", "ß", "漢字", "\u200d", "\ufeff", "\ufffd"),
    *("😀", "👩\u200d💻", "🇩🇪", "\U0010ffff"),
    *("\ud800", "\udfff", "\ud83d", "\ude00"),
    *("x", "name", " ", "    ", "\t", "\x00"),
    *("def f(a):", "return ", "if (a) {", "}", "(", ")", "[", "]", '"', "'", "# c", "// c", "/*"),
    *("*/", "`", "${", "=", ";", ":", ",", "\\"),
)
"""What random texts are made of."""


def texts(*, most: int = 12) -> st.SearchStrategy[str]:
    """Return short texts made of awkward pieces, among them halves of surrogate pairs."""
    return st.lists(st.sampled_from(PIECES), max_size=most).map("".join)


def documents() -> st.SearchStrategy[str]:
    """Return whole documents: with all line ends, without a final one, empty ones."""
    return texts(most=40)


@st.composite
def edits(draw: st.DrawFn, document: ReferenceDocument) -> Change:
    """Return a change of the document in its own encoding.

    Some ranges end beyond their line or beyond the last line, some start inside of a character,
    some are the wrong way round, and one in so many replaces the whole document.
    """
    if draw(st.integers(0, 19)) == 0:
        return Change(None, draw(documents()))
    lines = lines_of(document.text)

    def position() -> tuple[int, int]:
        line = draw(st.integers(0, len(lines)))
        content = lines[line][0] if line < len(lines) else ""
        units = sum(width(character, document.encoding) for character in content)
        return line, draw(st.integers(0, units + 2))

    start = position()
    if draw(st.booleans()):
        return Change((start, start), draw(texts(most=4)))
    return Change((start, position()), draw(texts(most=4)))
