"""What a prompt asks: words, and the places of the session's folder that it names or links to.

Everything in it is data. A link says only where, so its name and its description are not read; what
leads out of the folder is a note, whoever put it there.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from acp.schema import (
    EmbeddedResourceContentBlock,
    ResourceContentBlock,
    TextContentBlock,
    TextResourceContents,
)

from coai_agents.analysis.run.survey import files_in
from coai_agents.source import path_of
from coai_agents.specialists.targets import Target, parse_target
from coai_server.acp.files import FileError
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from acp.helpers import ContentBlock

    from coai_server.acp.files import SessionFiles

MOST_CHARACTERS: Final = 100_000
"""Of the words of a prompt, with what is pasted."""

MOST_TARGETS: Final = 8
"""Places that one prompt is about."""

_NAMED: Final = re.compile(r"[\w./\\-]*\w\.\w+(?::[\w.-]*\w)?")
"""What looks like the name of a file in a sentence, with lines or a symbol."""

_LINES: Final = re.compile(r"L(?P<first>\d{1,7})(?:[-:]L?(?P<last>\d{1,7}))?")
"""A link's fragment, as editors write a selection."""

_COMMAND: Final = re.compile(r"\s*/(?P<name>[a-z]+)(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as it was understood."""

    words: str
    targets: tuple[Target, ...] = ()
    """Files relative to the folder; each was inside of it when the prompt was read."""
    notes: tuple[str, ...] = ()
    command: str = ""
    """The slash command that it begins with; empty without one."""

    @property
    def recent(self) -> tuple[str, ...]:
        """The places as they are kept."""
        return tuple(map(written, self.targets))


def written(target: Target) -> str:
    """Return a place as `parse_target` reads it."""
    if target.symbol:
        return f"{target.file}:{target.symbol}"
    return f"{target.file}:{target.first}-{target.last}" if target.first else target.file


async def read_prompt(
    blocks: Sequence[ContentBlock], files: SessionFiles, commands: Iterable[str]
) -> Asked:
    """Return what a prompt asks."""
    reading = _Reading(files)
    for block in blocks:
        reading.take(block)
    words = "\n".join(reading.words)
    command = _COMMAND.match(words)
    if command is not None and command["name"] in set(commands):
        words = words[command.end() :]
    else:
        command = None
    if len(words) > MOST_CHARACTERS:
        reading.notes.append(f"Only the first {MOST_CHARACTERS:,} characters were looked at.")
        words = words[:MOST_CHARACTERS]
    targets = [*reading.targets, *(await asyncio.to_thread(lambda: list(_named(words, files))))]
    targets = list(dict.fromkeys(targets))
    if len(targets) > MOST_TARGETS:
        reading.notes.append(f"Only the first {MOST_TARGETS} of {len(targets)} places are meant.")
    notes = tuple(dict.fromkeys(reading.notes))
    return Asked(
        words.strip(),
        tuple(targets[:MOST_TARGETS]),
        notes,
        "" if command is None else command["name"],
    )


def words_of(blocks: Sequence[ContentBlock]) -> str:
    """Return what a prompt says, as it is kept: its words, and of links where they lead."""
    said: list[str] = []
    for block in blocks:
        if isinstance(block, TextContentBlock):
            said.append(block.text)
        elif isinstance(block, ResourceContentBlock):
            said.append(_shown(block.uri))
        elif isinstance(block, EmbeddedResourceContentBlock):
            said.append(_shown(block.resource.uri))
    return "\n".join(said)


class _Reading:
    """What was found in the blocks of a prompt so far."""

    def __init__(self, files: SessionFiles) -> None:
        self._files = files
        self.words: list[str] = []
        self.targets: list[Target] = []
        self.notes: list[str] = []

    def take(self, block: ContentBlock) -> None:
        if isinstance(block, TextContentBlock):
            self.words.append(block.text)
        elif isinstance(block, ResourceContentBlock):
            if not self._link(block.uri):
                self.notes.append(f"{_shown(block.uri)} is no file, and was not looked at.")
        elif isinstance(block, EmbeddedResourceContentBlock):
            resource = block.resource
            if self._link(resource.uri):
                return
            if isinstance(resource, TextResourceContents):
                # A terminal's output, or a text without a file: pasted like any other words.
                self.words.append(resource.text)
            else:
                self.notes.append(f"{_shown(resource.uri)} is no text, and was not looked at.")
        else:
            self.notes.append("Pictures and sound are not looked at.")

    def _link(self, uri: str) -> bool:
        """Take in the place of a file's URI; False where it is none of a file."""
        if not uri.lower().startswith("file:"):
            return False
        address, _, fragment = uri.partition("#")
        # What is no path has none inside of the folder either.
        path = str(path_of(address.partition("?")[0]) or "\0")
        try:
            target = Target(self._files.name(self._files.place(path)))
        except FileError as error:
            self.notes.append(str(error))
            return True
        if lines := _LINES.match(fragment):
            first, last = int(lines["first"]), int(lines["last"] or lines["first"])
            target = replace(target, first=max(1, first), last=max(1, first, last))
        self.targets.append(target)
        return True


def _named(words: str, files: SessionFiles) -> Iterator[Target]:
    """Yield the files of the folder that a sentence names, by their paths or their names."""
    said = list(dict.fromkeys(_NAMED.findall(words)))[: MOST_TARGETS * 4]
    unknown: dict[str, Target] = {}
    for each in said:
        target = parse_target(each.replace("\\", "/"))
        try:
            path = files.place(target.file)
        except FileError:
            continue
        if path.is_file():
            yield replace(target, file=files.name(path))
        else:
            unknown[target.file] = target
    if unknown:
        yield from islice(_ending(unknown, files), MOST_TARGETS)


def _ending(unknown: dict[str, Target], files: SessionFiles) -> Iterator[Target]:
    for path in sorted(files_in([files.folder])):
        name = path.relative_to(files.folder).as_posix()
        for end, target in unknown.items():
            if name.endswith(f"/{end}"):
                yield replace(target, file=name)


def _shown(uri: str) -> str:
    return one_line(uri)[:200]
