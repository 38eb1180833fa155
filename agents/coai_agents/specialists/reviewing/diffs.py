"""A diff as values: files before and after, and which lines were added and removed.

It comes from git, or as a unified diff from a pipe. Of a diff from a pipe the files' whole texts
are known where the folder's files fit it: after the change, or before it. Elsewhere the hunks alone
are looked at.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.source import Source
from coai_agents.syntax.tree import parse
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from coai_agents.syntax.tree import SyntaxTree

MOST_FILES: Final = 300
"""Of a diff; what is larger nobody reviews at once."""
MOST_BYTES: Final = 1_000_000
"""Of one file."""

LARGE: Final = 2_000
"""Lines from which on a comparison leaves out what stands everywhere, to end in time."""

_HUNK: Final = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class DiffError(CoaiError):
    """What came by the pipe is no unified diff, or too large."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of one side, counted from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class FileChange:
    """One file of a diff."""

    path: str
    """Relative, with slashes."""
    added: tuple[Line, ...]
    removed: tuple[Line, ...]
    before: str | None = None
    """The whole text; None where there was none, or it is not known."""
    after: str | None = None
    known: bool = True
    """Whether the whole texts are known; of a new or deleted file one is None nevertheless."""

    @cached_property
    def old(self) -> SyntaxTree | None:
        """The tree of what was there."""
        return None if self.before is None else parse(self.source(self.before))

    @cached_property
    def new(self) -> SyntaxTree | None:
        """The tree of what is there now."""
        return None if self.after is None else parse(self.source(self.after))

    @cached_property
    def added_lines(self) -> frozenset[int]:
        """The numbers of the lines that were added."""
        return frozenset(each.number for each in self.added)

    def source(self, text: str) -> Source:
        """Return a text of this file as a snapshot."""
        return Source(f"file:///{self.path}", text)

    @property
    def is_test(self) -> bool:
        """Whether the file holds tests, as its name says."""
        path = PurePosixPath(self.path)
        parts = {each.lower() for each in path.parts[:-1]}
        named = re.search(
            r"(?:^|[._-])(?:test|tests|spec)(?:[._-]|$)|^test_|Tests?(?=\.)|IT(?=\.)", path.name
        )
        return bool(named) or bool(parts & {"test", "tests", "spec", "specs", "__tests__"})


@dataclass(frozen=True, slots=True)
class Diff:
    """What is reviewed."""

    files: tuple[FileChange, ...]
    notes: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict[str, str])
    """Files that did not change, by their paths: where callers are looked for."""
    folder: str = ""
    """What the paths are relative to, itself relative to where rules for files count from."""

    @property
    def named(self) -> tuple[str, ...]:
        """The changed files as rules on what may leave name them."""
        return tuple(str(PurePosixPath(self.folder, each.path)) for each in self.files)

    def now(self) -> Iterator[tuple[str, str]]:
        """Yield all texts that there are after the change."""
        for each in self.files:
            if each.after is not None:
                yield each.path, each.after
        yield from self.others.items()


def between(path: str, before: str | None, after: str | None) -> FileChange:
    """Return the change of a file whose texts are known."""
    old, new = _lines(before or ""), _lines(after or "")
    added: list[Line] = []
    removed: list[Line] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) > LARGE)
    for kind, low, high, first, last in matcher.get_opcodes():
        if kind != "equal":
            removed += [Line(at + 1, old[at]) for at in range(low, high)]
            added += [Line(at + 1, new[at]) for at in range(first, last)]
    return FileChange(path, tuple(added), tuple(removed), before, after)


def _lines(text: str) -> list[str]:
    lines = _LINE_END.split(text)
    return lines[:-1] if lines and not lines[-1] else lines


@dataclass
class _Section:
    """A file of a unified diff while it is read."""

    old: str = ""
    new: str = ""
    hunks: list[_Hunk] = field(default_factory=list["_Hunk"])


@dataclass
class _Hunk:
    old: int
    new: int
    lines: list[str] = field(default_factory=list[str])


def read_diff(text: str, read: Callable[[str], str | None]) -> Diff:
    """Read a unified diff; `read` gives the text of a file of the folder, or None.

    Raises `DiffError` where it is none.
    """
    sections = list(_sections(text))
    if not sections:
        raise DiffError("This is no unified diff.", remedy="Pipe what `git diff` writes.")
    if len(sections) > MOST_FILES:
        raise DiffError(f"A diff of more than {MOST_FILES} files is not reviewed at once.")
    files: list[FileChange] = []
    notes: list[str] = []
    for each in sections:
        path = each.new or each.old
        if not _is_inside(path):
            notes.append(f"{path} leads out of the folder and was left out.")
            continue
        files.append(_whole(each, path, read))
    partly = [each.path for each in files if not each.known]
    if partly:
        notes.append(f"Only the lines of the diff are known of {', '.join(partly[:5])}.")
    return Diff(tuple(files), tuple(notes))


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path.replace("\\", "/"))
    return (
        bool(path) and not parts.is_absolute() and ".." not in parts.parts and ":" not in path[:2]
    )


def _sections(text: str) -> Iterator[_Section]:
    section: _Section | None = None
    hunk: _Hunk | None = None
    left = [0, 0]
    lines = text.split("\n")
    for line in lines:
        bare = line.rstrip("\r")
        if hunk is not None and (left[0] > 0 or left[1] > 0):
            sign = line[:1]
            if sign == "\\":
                continue
            if sign not in ("+", "-", " ", ""):
                raise DiffError("A hunk of the diff ends before its time.")
            left[0] -= sign != "+"
            left[1] -= sign != "-"
            hunk.lines.append(line if sign else " ")
            continue
        if bare.startswith("--- "):
            if section is not None:
                yield section
            section, hunk = _Section(old=_name(bare[4:])), None
        elif bare.startswith("+++ ") and section is not None:
            section.new = _name(bare[4:])
        elif (match := _HUNK.match(bare)) and section is not None:
            hunk = _Hunk(int(match[1]), int(match[3]))
            left = [int(match[2] or 1), int(match[4] or 1)]
            section.hunks.append(hunk)
    if section is not None:
        yield section


def _name(text: str) -> str:
    name = text.split("\t", maxsplit=1)[0].strip().strip('"')
    return "" if name == "/dev/null" else re.sub(r"^[abciow12]/", "", name)


def _whole(section: _Section, path: str, read: Callable[[str], str | None]) -> FileChange:
    if not section.new:
        before = "\n".join(text[1:] for hunk in section.hunks for text in hunk.lines) + "\n"
        return between(path, before, None)
    if not section.old:
        after = "\n".join(text[1:] for hunk in section.hunks for text in hunk.lines) + "\n"
        return between(path, None, after)
    there = read(path)
    if there is not None:
        lines = _lines(there)
        if (past := _applied(lines, section.hunks, back=True)) is not None:
            return between(path, "\n".join(past) + "\n", there)
        if (then := _applied(lines, section.hunks, back=False)) is not None:
            return between(path, there, "\n".join(then) + "\n")
    return _partly(section, path)


def _applied(lines: list[str], hunks: Iterable[_Hunk], *, back: bool) -> list[str] | None:
    """Return lines with hunks applied or taken back; None where they do not fit."""
    done: list[str] = []
    at = 0
    for hunk in hunks:
        own, other = ("+", "-") if back else ("-", "+")
        start = max((hunk.new if back else hunk.old) - 1, 0)
        if start < at or start > len(lines):
            return None
        done += lines[at:start]
        at = start
        for line in hunk.lines:
            sign, text = line[:1], line[1:].rstrip("\r")
            if sign in (" ", own):
                if at >= len(lines) or lines[at] != text:
                    return None
                at += 1
            if sign in (" ", other):
                done.append(text)
    return done + lines[at:]


def _partly(section: _Section, path: str) -> FileChange:
    added: list[Line] = []
    removed: list[Line] = []
    for hunk in section.hunks:
        old, new = hunk.old, hunk.new
        for line in hunk.lines:
            sign, text = line[:1], line[1:].rstrip("\r")
            if sign == "+":
                added.append(Line(new, text))
            elif sign == "-":
                removed.append(Line(old, text))
            old += sign != "+"
            new += sign != "-"
    return FileChange(path, tuple(added), tuple(removed), known=False)
