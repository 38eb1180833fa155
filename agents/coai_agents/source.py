r"""A document at one moment: an immutable snapshot, and every conversion of positions.

Offsets on this floor count code points of `Source.text`. An editor counts UTF-16 code units, UTF-8
bytes or code points of a line (the specification's `positionEncoding`), tree-sitter counts UTF-8
bytes of the whole text; all of these are converted here and nowhere else.

Lines end where LSP says that they do, at `\n`, `\r\n` and `\r`, and not at the many other places
where `str.splitlines` sees an end (U+2028, form feed, ...).

`Source.text` holds no surrogates. JSON can carry half of a surrogate pair (`"\ud800"`), which no
encoder, tokenizer or parser accepts; each such half is replaced by U+FFFD on its way in. That
keeps positions exact for an editor that counts UTF-16 (one code unit stays one code unit), and
only such an editor can send one.

One file, because every conversion of positions is here and nowhere else.
"""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class Encoding(StrEnum):
    """What the `character` of a position counts; the values are LSP's."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    UTF_32 = "utf-32"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place as an editor names it: a line from 0 and a character from 0 in some encoding."""

    line: int
    character: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of code point offsets into one source's text."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span runs from 0 up, not from {self.start} to {self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def contains(self, offset: int) -> bool:
        """Say whether an offset lies in the span or at one of its edges, as a cursor can."""
        return self.start <= offset <= self.end

    def covers(self, other: Span) -> bool:
        """Say whether the other span lies within this one."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a document: the text of `span` becomes `text`; of all of it if None."""

    span: Span | None
    text: str


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Where an edit took place: `[start, old_end)` of the text before, `[start, new_end)` after."""

    start: int
    old_end: int
    new_end: int


def merge(edits: tuple[TextEdit, ...]) -> TextEdit:
    """Return the one edit that covers several made one after another; there must be one."""
    start, old_end, new_end = edits[0].start, edits[0].old_end, edits[0].new_end
    for edit in edits[1:]:
        # What the edit covers beyond the text changed so far is old text still.
        beyond = max(0, edit.old_end - new_end)
        within = max(0, new_end - edit.old_end)
        start = min(start, edit.start)
        old_end += beyond
        new_end = edit.new_end + within
    return TextEdit(start, old_end, new_end)


_LINE_END: Final = re.compile(r"\n|\r(?!\n)")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


_Starts: TypeAlias = "array[int]"
"""Offsets of lines, in four bytes each where a list of integers takes ten times as much."""

_OFFSET: Final = "I"


def _scan(text: str, start: int, end: int) -> _Starts:
    """Return the line starts in `(start, end]`, reading one character on each side."""
    scan = _LINE_END.finditer(text, start, min(end + 1, len(text)))
    return array(_OFFSET, (at for match in scan if (at := match.end()) <= end))


class _Lines:
    """Where each line starts.

    The starts from index `split` on are all off by `shift`: typing within one line changes these
    two numbers and no list, so a keystroke's cost does not grow with the number of lines.
    """

    __slots__ = ("_shift", "_split", "_starts")

    def __init__(self, starts: _Starts, split: int = 0, shift: int = 0) -> None:
        self._starts = starts
        self._split = split
        self._shift = shift

    def __len__(self) -> int:
        return len(self._starts)

    def start(self, line: int) -> int:
        start = self._starts[line]
        return start + self._shift if line >= self._split else start

    def at(self, offset: int) -> int:
        """Return the line that an offset is in."""
        return self._above(offset) - 1

    def _above(self, offset: int) -> int:
        """Return the index of the first line that starts after an offset."""
        starts, split = self._starts, self._split
        if split < len(starts) and offset >= starts[split] + self._shift:
            return bisect_right(starts, offset - self._shift, split)
        return bisect_right(starts, offset, 0, split)

    def _slice(self, low: int, high: int, by: int = 0) -> _Starts:
        """Return the starts of lines `[low, high)`, moved."""
        middle = min(max(self._split, low), high)
        head, tail = self._starts[low:middle], self._starts[middle:high]
        moved = by + self._shift
        return _moved(head, by) + _moved(tail, moved)

    def edited(self, text: str, edit: TextEdit) -> _Lines:
        r"""Return the lines after an edit; `text` is the text after it.

        Ends before `edit.start` and after `edit.old_end` stay what they are. Those that touch the
        edit are looked at again, with one character on each side of it, because `\r` and `\n`
        are one end when they meet and two when they are parted.
        """
        first = max(1, self._above(edit.start - 1))
        last = max(1, self._above(edit.old_end))
        by = edit.new_end - edit.old_end
        fresh = _scan(text, max(0, edit.start - 1), edit.new_end)
        if self._slice(first, last) != fresh:
            starts = self._slice(0, first) + fresh + self._slice(last, len(self), by)
            return _Lines(starts)
        if last == len(self) or by == 0:
            return self
        if self._split == last or self._shift == 0:
            return _Lines(self._starts, last, self._shift + by)
        return _Lines(self._slice(0, last) + self._slice(last, len(self), by))


def _moved(starts: _Starts, by: int) -> _Starts:
    return array(_OFFSET, (start + by for start in starts)) if by else starts


_serials: Final[Iterator[int]] = count()

_TRAIL: Final = 64
"""So many edits a snapshot remembers; who asks more rarely sees a new document."""

_CHUNK: Final = 256
"""Code points between two entries of the table of byte offsets."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An immutable snapshot of a document. Two snapshots are equal only if they are the same."""

    uri: str
    text: str
    language: str = ""
    """LSP's language identifier, normalised by `normal_language`; empty when not known."""
    version: int = 0
    path: Path | None = field(init=False)
    """The file that the URI names, or None if it names none."""
    _lines: _Lines = field(init=False, repr=False)
    _serial: int = field(init=False, repr=False)
    _trail: tuple[tuple[int, TextEdit], ...] = field(init=False, repr=False)
    _bytes: list[int] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = without_surrogates(self.text)
        path = path_of(self.uri)
        assign = object.__setattr__
        assign(self, "text", text)
        assign(self, "path", path)
        assign(self, "language", normal_language(self.language, path))
        assign(self, "_lines", _Lines(array(_OFFSET, (0,)) + _scan(text, 0, len(text))))
        assign(self, "_serial", next(_serials))
        assign(self, "_trail", ())
        assign(self, "_bytes", None)

    # ------------------------------------------------------------------ edits

    def apply(self, edit: Edit, *, version: int | None = None) -> Source:
        """Return the snapshot after an edit; without a version it keeps this one's.

        Raises ValueError if the edit's span reaches beyond the text.
        """
        if edit.span is None:
            return Source(
                self.uri, edit.text, self.language, self.version if version is None else version
            )
        span = edit.span
        if span.end > len(self.text):
            raise ValueError(f"the edit ends at {span.end}, the text at {len(self.text)}")
        inserted = without_surrogates(edit.text)
        text = f"{self.text[: span.start]}{inserted}{self.text[span.end :]}"
        where = TextEdit(span.start, span.end, span.start + len(inserted))
        after = object.__new__(Source)
        assign = object.__setattr__
        assign(after, "uri", self.uri)
        assign(after, "text", text)
        assign(after, "language", self.language)
        assign(after, "version", self.version if version is None else version)
        assign(after, "path", self.path)
        assign(after, "_lines", self._lines.edited(text, where))
        assign(after, "_serial", next(_serials))
        assign(after, "_trail", (*self._trail[1 - _TRAIL :], (self._serial, where)))
        assign(after, "_bytes", None)
        return after

    def edits_since(self, earlier: Source) -> tuple[TextEdit, ...] | None:
        """Return the edits that led from an earlier snapshot to this one, in order.

        None if this one does not come from it, or the way is longer than is remembered.
        """
        if earlier is self:
            return ()
        for index in range(len(self._trail) - 1, -1, -1):
            if self._trail[index][0] == earlier._serial:
                return tuple(edit for _, edit in self._trail[index:])
        return None

    # ------------------------------------------------------------------ lines

    @property
    def line_count(self) -> int:
        """The number of lines; a text that ends with a line end has an empty last line."""
        return len(self._lines)

    def line_start(self, line: int) -> int:
        """Return the offset at which a line starts; IndexError if there is no such line."""
        if line < 0:
            raise IndexError(f"there is no line {line}")
        return self._lines.start(line)

    def line_end(self, line: int) -> int:
        """Return the offset at which a line's text ends, before its line end."""
        start = self.line_start(line)
        if line + 1 == len(self._lines):
            return len(self.text)
        end = self._lines.start(line + 1) - 1
        if end > start and self.text[end] == "\n" and self.text[end - 1] == "\r":
            end -= 1
        return end

    def line_text(self, line: int) -> str:
        """Return a line's text without its line end; IndexError if there is no such line."""
        return self.text[self.line_start(line) : self.line_end(line)]

    def line_at(self, offset: int) -> int:
        """Return the line that an offset is in."""
        return self._lines.at(max(0, min(offset, len(self.text))))

    def prefix(self, offset: int, limit: int | None = None) -> str:
        """Return the text before an offset, of it the last `limit` code points."""
        return self.text[0 if limit is None else max(0, offset - limit) : offset]

    def suffix(self, offset: int, limit: int | None = None) -> str:
        """Return the text after an offset, of it the first `limit` code points."""
        return self.text[offset : None if limit is None else offset + limit]

    def slice(self, span: Span) -> str:
        """Return the text of a span."""
        return self.text[span.start : span.end]

    # -------------------------------------------------------------- positions

    def offset_at(self, position: Position, encoding: Encoding) -> int:
        """Return the offset of an editor's position.

        A character beyond its line's end means the end, before the line end; a line beyond the
        last one means the end of the text; a position inside a character means its start. A
        negative number, which the protocol does not allow, counts as 0.
        """
        line, character = position.line, position.character
        if line < 0:
            return 0
        if line >= len(self._lines):
            return len(self.text)
        start, end = self._lines.start(line), self.line_end(line)
        if character <= 0:
            return start
        if encoding is Encoding.UTF_32 or self.text.isascii():
            return min(start + character, end)
        # No encoding has more than one code point to a unit, so what lies further on is not read.
        near = self.text[start : min(end, start + character)]
        if near.isascii():
            return start + len(near)
        if encoding is Encoding.UTF_16:
            units = near.encode("utf-16-le")[: 2 * character]
            return start + len(units.decode("utf-16-le", "ignore"))
        return start + len(near.encode()[:character].decode("utf-8", "ignore"))

    def position_at(self, offset: int, encoding: Encoding) -> Position:
        r"""Return an offset as the editor's position.

        An offset outside of the text means its nearer end, one inside of `\r\n` the place before.
        """
        line = self.line_at(offset)
        start = self._lines.start(line)
        before = self.text[start : max(start, min(offset, self.line_end(line)))]
        if encoding is Encoding.UTF_32 or before.isascii():
            return Position(line, len(before))
        if encoding is Encoding.UTF_16:
            return Position(line, len(before.encode("utf-16-le")) // 2)
        return Position(line, len(before.encode()))

    def span_at(self, start: Position, end: Position, encoding: Encoding) -> Span:
        """Return the span of an editor's range; one that runs backwards is turned round."""
        first, second = self.offset_at(start, encoding), self.offset_at(end, encoding)
        return Span(min(first, second), max(first, second))

    def byte_offset(self, offset: int) -> int:
        """Return how many bytes of UTF-8 the text before an offset has."""
        if self.text.isascii():
            return offset
        chunk = offset // _CHUNK
        table = self._byte_table()
        return table[chunk] + len(self.text[chunk * _CHUNK : offset].encode())

    def offset_of_byte(self, byte: int) -> int:
        """Return the offset of a byte of the text in UTF-8; inside a character, its start."""
        if self.text.isascii():
            return byte
        table = self._byte_table()
        chunk = bisect_right(table, byte) - 1
        start, beyond = chunk * _CHUNK, byte - table[chunk]
        near = self.text[start : start + min(_CHUNK, beyond)]
        if near.isascii():
            return start + len(near)
        return start + len(near.encode()[:beyond].decode("utf-8", "ignore"))

    def _byte_table(self) -> list[int]:
        """Return the byte offsets of every 256th code point, computed when first wanted."""
        if self._bytes is not None:
            return self._bytes
        table = [0]
        for end in range(_CHUNK, len(self.text) + 1, _CHUNK):
            table.append(table[-1] + len(self.text[end - _CHUNK : end].encode()))
        object.__setattr__(self, "_bytes", table)
        return table


def without_surrogates(text: str) -> str:
    """Join surrogates that are a pair and replace the others by U+FFFD, each by one."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def path_of(uri: str, *, windows: bool = os.name == "nt") -> Path | None:
    """Return the file that a `file:` URI names; None for any other URI.

    `file:///c%3A/x` is `c:/x` on Windows, `file://host/x` is `//host/x` everywhere.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file":
        return None
    # A path may hold what is not UTF-8; the file system's own encoding brings it back.
    name = os.fsdecode(unquote_to_bytes(parts.path.encode("utf-8", "surrogatepass")))
    if parts.netloc not in ("", "localhost"):
        name = f"//{parts.netloc}{name}"
    elif windows and re.match(r"/[A-Za-z]:", name):
        name = name[1:]
    return Path(name) if name and "\0" not in name else None


_NAMES: Final = {
    "c": (".c .h", ""),
    "cpp": (".cc .cpp .cxx .hh .hpp .hxx", "c++ cc cxx"),
    "csharp": (".cs .csx", "c# c-sharp c_sharp cs"),
    "go": (".go", "golang"),
    "java": (".java", ""),
    "javascript": (".cjs .js .mjs", "js js2"),
    "javascriptreact": (".jsx", "javascript.jsx js-jsx jsx"),
    "kotlin": (".kt .kts", "kt kts"),
    "objective-c": (".m", "objc objectivec"),
    "objective-cpp": (".mm", "objcpp"),
    "php": (".php .php3 .php4 .php5 .php7 .php8 .phps .phtml", ""),
    "python": (".py .pyi .pyw", "py python3"),
    "ruby": (".builder .gemspec .jbuilder .podspec .rake .rb .rbw .ru .thor", "rb"),
    "rust": (".rs", "rs"),
    "scala": (".sbt .sc .scala", ""),
    "shellscript": (".bash .bats .command .ebuild .ksh .sh .zsh", "bash sh shell shell-script zsh"),
    "typescript": (".cts .mts .ts", "ts"),
    "typescriptreact": (".tsx", "tsx typescript.tsx"),
}
"""By LSP's identifier: the suffixes of file names, and what editors other than VS Code say."""

_BY_ALIAS: Final = {alias: name for name, (_, all_) in _NAMES.items() for alias in all_.split()}
_BY_SUFFIX: Final = {suffix: name for name, (all_, _) in _NAMES.items() for suffix in all_.split()}

_RUBY: Final[str] = (
    "appraisals berksfile brewfile capfile cheffile dangerfile fastfile gemfile guardfile "
    "podfile rakefile thorfile vagrantfile"
)
_SHELL: Final[str] = (
    ".bash_aliases .bash_login .bash_logout .bash_profile .bashrc .envrc .kshrc .profile "
    ".xprofile .zlogin .zprofile .zshenv .zshrc apkbuild pkgbuild"
)
_BY_FILE: Final = {
    name: language
    for names, language in ((_RUBY, "ruby"), (_SHELL, "shellscript"))
    for name in names.split()
}
"""Files without a suffix that are code, in lower case."""


def normal_language(identifier: str, path: Path | None = None) -> str:
    """Return LSP's identifier of a language from what an editor calls it, or from the file's name.

    The file decides only where the editor names no language. An unknown name stays as it is.
    """
    name = "-".join(identifier.lower().split())
    name = _BY_ALIAS.get(name, name)
    if name in ("", "plaintext", "text", "fundamental") and path is not None:
        known = _BY_FILE.get(path.name.lower(), name)
        return _BY_SUFFIX.get(path.suffix.lower(), known)
    return name
