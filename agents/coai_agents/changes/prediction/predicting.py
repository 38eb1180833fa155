"""Asks a model that predicts edits what comes next, where the cursor has come to after an edit.

    may it see this? -> what it sees -> the prompt, cut to its window -> its answer, as a whole
    -> what of it can be true

It is asked only where somebody has such a model; everything it is shown goes by the rules of
completions, piece by piece, and by the one way to models that has the last word on what may leave.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.changes.prediction.checking import on_line, predicted
from coai_agents.changes.prediction.formats import answer_of, prompt_of
from coai_agents.changes.prediction.sight import past_edit, sight_of
from coai_agents.completion.prompt.tokens import count_tokens
from coai_agents.context.selection import ContextFile
from coai_routing.errors import ProviderError
from coai_routing.privacy.secrets import find_secrets
from coai_routing.request import ModelRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from coai_agents.changes.bursts import Settled
    from coai_agents.changes.finding import Place
    from coai_agents.changes.prediction.sight import PastEdit, Sight
    from coai_agents.completion.egress_gate import EgressGate
    from coai_agents.source import Source
    from coai_routing.pool.backends import Editor
    from coai_routing.request import Delta

logger = logging.getLogger(__name__)

MORE_TOKENS: Final = 96
"""Tokens that an answer may have beside those of the region that it rewrites."""

LONGER: Final = 1.5
"""What is written may be so many times as long as what was there."""

MOST_PROMPT_TOKENS: Final = 4_096
"""A longer prompt takes longer to be read than anybody waits (`MAX_PROMPT_TOKENS` of Zed's)."""

LONGEST_REGION: Final = 12_000
"""Characters of what is rewritten: more is no source code that people write, and fits no window."""

REMEMBERED: Final = 16
"""Answers that are kept, one for each text and line: nobody is asked the same twice."""


class Models(Protocol):
    """The models that can be asked."""

    def editor(self) -> Editor | None:
        """Return the model to ask for the next edit."""
        ...

    def stream(self, backend: Editor, request: ModelRequest, /) -> AsyncGenerator[Delta]:
        """Ask it."""
        ...


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model expects next, checked against the document that it was asked about."""

    place: Place
    source: Source
    backend: str
    model: str

    def on_line(self, line: int) -> Place | None:
        """Return it as a change of one line; None if it is one of another line or of several."""
        return on_line(self.source, line, self.place)


class Predictor:
    """Remembers what was answered. Belongs to the event loop's thread."""

    def __init__(
        self,
        models: Models,
        egress_gate: EgressGate,
        named: Callable[[Source], str],
        refused: Callable[[str], Awaitable[object]],
    ) -> None:
        """Take the models and the rules.

        `named` says how a prompt names a document, `refused` why a document's edits may not be
        shown beside another one; None if they may.
        """
        self._models = models
        self._egress_gate = egress_gate
        self._named = named
        self._refused = refused
        self._answers: deque[tuple[Source, int, str, Prediction | None]] = deque(maxlen=REMEMBERED)
        self._asking: asyncio.Task[Prediction | None] | None = None

    @property
    def editor(self) -> Editor | None:
        """The model that would be asked now."""
        return self._models.editor()

    def known(self, source: Source) -> Prediction | None:
        """Return what was predicted last for a document as it is now."""
        return next((each for of, *_, each in reversed(self._answers) if of is source), None)

    def changed(self) -> None:
        """Take note that something was typed: what is being asked is of no use any more."""
        if self._asking is not None:
            self._asking.cancel()

    async def predict(
        self, source: Source, offset: int, edits: Sequence[Settled], *, seconds: float
    ) -> Prediction | None:
        """Return what comes next at an offset, or None where nothing does or nobody can be asked.

        Takes as long as the model, `seconds` at most. Cancelling it closes the connection, and so
        do the next call and the next keystroke: not every editor cancels what it asked for.
        """
        editor, line = self.editor, source.line_at(offset)
        if editor is None or not edits:
            return None
        for of, at, key, answer in self._answers:
            if of is source and at == line and key == editor.key:
                return answer
        self.changed()
        asking = asyncio.create_task(self._ask(editor, source, offset, edits, seconds))
        self._asking = asking
        try:
            found = await asking
        except ProviderError as error:
            logger.info("%s does not predict: %s", editor.name, error)
            return None
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            return None
        self._answers.append((source, line, editor.key, found))
        return found

    async def _ask(
        self, editor: Editor, source: Source, offset: int, edits: Sequence[Settled], seconds: float
    ) -> Prediction | None:
        sight = await self._sight(editor, source, offset, edits)
        if len(sight.text) > LONGEST_REGION or editor.family.speaks_in(sight.text):
            return None  # it could not be told apart from what speaks to the model
        most = int(LONGER * count_tokens(sight.text)) + MORE_TOKENS
        room = min(MOST_PROMPT_TOKENS, editor.context_tokens - most)
        prompt = _fitting(editor, sight, room)
        if prompt is None:
            return None
        request = ModelRequest(
            prompt=prompt,
            max_tokens=most,
            stop=editor.family.stop,
            timeout=seconds,
            sensitive=not editor.local and bool(find_secrets(prompt)),
        )
        text, finished = "", False
        async with aclosing(self._models.stream(editor, request)) as deltas:
            async for delta in deltas:
                text += delta.text
                finished = delta.reply is not None and delta.reply.finish != "length"
        answer = answer_of(editor.family, text, sight) if finished else None
        if answer is None:
            return None
        # Two parses take up to some tenths of a second.
        place = await asyncio.to_thread(predicted, source, sight, answer)
        return None if place is None else Prediction(place, source, editor.name, editor.model)

    async def _sight(
        self, editor: Editor, source: Source, offset: int, edits: Sequence[Settled]
    ) -> Sight:
        """Return what the model may see; raises EgressRefusedError if that is nothing."""
        if not editor.local:
            await self._egress_gate.check(source, "", backend=editor.name)
        shown: list[PastEdit] = []
        before: Source | None = None
        for edit in edits:
            own = edit.after.uri == source.uri
            past = past_edit(edit, self._named(edit.after))
            if past is None or not (own or await self._refused(past.uri) is None):
                continue
            if not editor.local:
                # What was taken out of a document a moment ago may have been taken out on purpose.
                piece = ContextFile(past.path, f"{past.before}\n{past.after}", past.uri)
                if not await self._egress_gate.permitted(source, (piece,), backend=editor.name):
                    continue
            shown.append(past)
            if edit is edits[-1] and edit.after.text == source.text:
                before = edit.before
        return sight_of(
            source, offset, self._named(source), editor.family.format, edits=shown, before=before
        )


def _fitting(editor: Editor, sight: Sight, room: int) -> str | None:
    """Return a prompt that fits, with as many of the last edits as there is room for."""
    while True:
        prompt = prompt_of(editor.family, sight)
        if count_tokens(prompt) <= room:
            return prompt
        if not sight.edits:
            return None
        sight = replace(sight, edits=sight.edits[1:])
