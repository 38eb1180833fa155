"""The demo's editor at work: it types, asks, types on as suggested, accepts, and asks again."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from coai_server.editor import Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_server.cli.demo.exercise import Exercise
    from coai_server.editor import Buffer, Editor, Ghost

ASK_SECONDS: Final = 60.0
"""How long an answer may take; the daemon itself gives up on an automatic one before that."""

TYPED_ON: Final = 3
"""Characters of a suggestion that are typed before it is accepted."""

_LEAVES: Final = re.compile(r"\s*(return|raise|throw|break|continue)\b")
"""Statements that nothing follows in their block, in most languages."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request: what led to it, and what came of it."""

    event: str
    """What the person at the keyboard had done."""
    trigger: Trigger
    suggestion: str | None
    round_trip_ms: float
    """From the request to the answer, in the editor."""
    account: Mapping[str, Any]
    """What the daemon says about it: `last` of `coai/status`."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of an exercise."""

    exercise: Exercise
    steps: tuple[Step, ...]
    text: str
    """The document in the end."""

    @property
    def completed(self) -> bool:
        """Whether a model's suggestion was shown at least once."""
        return any(step.suggestion for step in self.steps)


class Audience(Protocol):
    """Who watches the demo."""

    async def look(self, buffer: Buffer) -> None:
        """See the document after each keystroke."""
        ...

    async def see(self, buffer: Buffer, ghost: Ghost | None, step: Step) -> None:
        """See what a request came to."""
        ...


async def play(editor: Editor, exercise: Exercise, audience: Audience) -> Played:
    """Do the exercise in a document of its own; raises `EditorError`."""
    player = _Player(editor, exercise, audience)
    await player.play()
    return Played(exercise, tuple(player.steps), player.buffer.text)


class _Player:
    def __init__(self, editor: Editor, exercise: Exercise, audience: Audience) -> None:
        self._editor = editor
        self._exercise = exercise
        self._audience = audience
        self.buffer = editor.open(exercise.path, exercise.text, exercise.language)
        self.buffer.cursor = exercise.offset
        self.steps: list[Step] = []

    async def play(self) -> None:
        await self._audience.look(self.buffer)
        await self._type(self._exercise.typed)
        ghost = await self._ask_until_shown("typed")
        if ghost is not None:
            ghost = await self._type_on(ghost)
        if ghost is not None:
            await self.buffer.accept(ghost)
            if self._goes_on():
                self._break_line()
                following = await self._ask_until_shown("accepted it, and began the next line")
                if following is not None:
                    await self.buffer.accept(following)
        await self._audience.look(self.buffer)
        self.buffer.close()

    async def _type(self, text: str) -> None:
        for character in text:
            self.buffer.insert(character)
            await self._audience.look(self.buffer)

    async def _ask_until_shown(self, event: str) -> Ghost | None:
        """Ask as an editor does by itself, and if nothing comes as a person does with a key."""
        ghost = await self._ask(event)
        if ghost is None:
            ghost = await self._ask("asked with a key", Trigger.INVOKED)
        return ghost

    async def _type_on(self, ghost: Ghost) -> Ghost | None:
        """Type what is suggested; return what is shown then, which needs no model."""
        typed = ghost.text[:TYPED_ON]
        if len(ghost.span) or len(typed) == len(ghost.text) or "\n" in typed:
            return ghost
        await self._type(typed)
        return await self._ask("typed on as suggested")

    def _goes_on(self) -> bool:
        """Say whether a person would begin a new line: at a line's end, unless it leaves."""
        source, cursor = self.buffer.source, self.buffer.cursor
        line = source.line_at(cursor)
        rest = source.text[cursor : source.line_end(line)]
        return not rest.strip() and _LEAVES.match(source.line_text(line)) is None

    def _break_line(self) -> None:
        """Begin a line with the indentation of the one before, as editors do."""
        source = self.buffer.source
        line = source.line_text(source.line_at(self.buffer.cursor))
        line_end = "\r\n" if "\r\n" in source.text else "\n"
        self.buffer.insert(line_end + line[: len(line) - len(line.lstrip())])

    async def _ask(self, event: str, trigger: Trigger = Trigger.AUTOMATIC) -> Ghost | None:
        started = time.perf_counter()
        ghosts = await self.buffer.ask(trigger, seconds=ASK_SECONDS)
        elapsed = (time.perf_counter() - started) * 1000
        status = await self._editor.status()
        ghost = ghosts[0] if ghosts else None
        step = Step(
            event=event,
            trigger=trigger,
            suggestion=None if ghost is None else ghost.text,
            round_trip_ms=elapsed,
            account=status["last"] or {},
        )
        self.steps.append(step)
        await self._audience.see(self.buffer, ghost, step)
        return ghost
