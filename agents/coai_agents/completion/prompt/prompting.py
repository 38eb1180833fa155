"""Which prompt is sent: the one that is paid for already, that moved on, or a new one.

What a prompt costs is what the backend has to read of it anew. So a prompt session is kept while
only its end changes, moved while little of it has to be read again, and only else frozen anew,
with what the backend can afford while somebody waits. With more than that in view a prompt is read
ahead of time, in a slot of its own, so that what is in use stays where it is until then.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.completion.document_state import ReadAhead
from coai_agents.completion.prompt.budget import (
    FEWEST_FIRST,
    FEWEST_STRAINED,
    FEWEST_TOKENS,
    FIRST_FACTOR,
    FREEZE_FACTOR,
    PATIENT_FACTOR,
    RESERVED_TOKENS,
    STRAINED_SHARE,
    prompt_budget,
    share_out,
)
from coai_agents.completion.prompt.prompt_session import REST_TAIL, freeze, move
from coai_agents.completion.prompt.tokens import CLOSE, TokenLengths, count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.document_state import DocumentState
    from coai_agents.completion.prompt.prompt_session import PromptSession
    from coai_agents.context.selection import ContextFile
    from coai_agents.source import Source
    from coai_routing.errors import PromptTooLongError
    from coai_routing.pool.backends import Backend
    from coai_routing.request import ModelReply
    from coai_routing.settings.schema import CompletionSettings

SAMPLE: Final = 4000
"""Characters before the cursor, and a fourth of it after it, that tell how dense the text is."""

ATTEMPTS: Final = 4
"""Times that a prompt is cut to the window; what is above may be denser than what is near."""

OUTPUT_SHARE: Final = 0.25
"""Of a small window, an answer gets no more than this."""


class Context(Protocol):
    """Finds what else a prompt should show."""

    def files(self, source: Source, cursor: Cursor, budget: int) -> Sequence[ContextFile]:
        """Return pieces of other files, the most stable first.

        Their paths and texts have at most so many characters together.
        """
        ...


class Prompting:
    """Makes prompts that fit: into the backend's window, and into the time that there is."""

    def __init__(
        self, context: Context, above: Callable[[Source], str], strained: Callable[[], bool]
    ) -> None:
        """Take what finds other files' pieces, what stands above a document, and the load."""
        self._context = context
        self._above = above
        self._strained = strained
        self.lengths = TokenLengths()

    def learn(
        self,
        state: DocumentState,
        backend: Backend,
        language: str,
        reply: ModelReply | None,
        *,
        session: PromptSession,
        tail: str,
    ) -> None:
        """Take from a reply which slot holds the prompt and how long a token is.

        The prompt is what the session shows, and what was typed since: its `tail`.
        """
        if reply is None:
            return
        if backend.has_slots and reply.slot is not None:
            state.slot = reply.slot
        estimated = session.estimated + count_tokens(tail)
        self.lengths.learn(backend, language, estimated, reply.usage.prompt_tokens)

    def shorten(
        self,
        state: DocumentState,
        backend: Backend,
        language: str,
        prompt: str,
        error: PromptTooLongError,
    ) -> None:
        """Take in that a prompt was too long: the next one is shorter."""
        self.lengths.learn_limit(backend, language, prompt, error)
        state.session = state.ahead = None

    def most_output(self, backend: Backend, wanted: int) -> int:
        """Return how many tokens an answer may have in the backend's window."""
        return max(1, min(wanted, int(self.lengths.window(backend) * OUTPUT_SHARE)))

    def room(self, backend: Backend, settings: CompletionSettings) -> int:
        """Return how many tokens a prompt may have in the backend's window."""
        output = self.most_output(backend, settings.max_tokens)
        return self.lengths.window(backend) - output - RESERVED_TOKENS

    def is_close(
        self, session: PromptSession, language: str, backend: Backend, settings: CompletionSettings
    ) -> bool:
        """Say whether a prompt may be longer than the window, for all that an estimate tells."""
        tokens = self.lengths.corrected(backend, language, session.estimated)
        return tokens > CLOSE * self.room(backend, settings)

    def session(
        self,
        state: DocumentState,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        *,
        waits: bool,
    ) -> PromptSession:
        """Return the prompt for a request now; `waits` if the user asked and is patient."""
        session = state.session
        if session is not None and session.backend != backend.key:
            session = state.session = state.slot = state.ahead = None
        if session is not None and (tail := session.tail(cursor)) is not None:
            estimated = session.estimated + count_tokens(tail)
            tokens = self.lengths.corrected(backend, source.language, estimated)
            if tokens <= self.room(backend, settings):
                return session
        factor = PATIENT_FACTOR if waits else FREEZE_FACTOR
        if self._strained():
            factor *= STRAINED_SHARE
        moved = None
        if session is not None and backend.reads_ahead:
            moved = self._move(session, source, cursor, settings, backend, factor=factor)
        state.session = moved or self._freeze(source, cursor, settings, backend, factor, idle=waits)
        return state.session

    def ahead(
        self,
        state: DocumentState,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
    ) -> ReadAhead | None:
        """Return what to read while the user rests; None if there is nothing to gain."""
        session = state.session
        if session is not None and session.idle:
            tail = session.tail(cursor)
            if tail is not None and len(tail) <= REST_TAIL:
                return None
            moved = self._move(session, source, cursor, settings, backend, factor=PATIENT_FACTOR)
            if moved is not None:
                return ReadAhead(moved, slot=state.slot)
        begun = state.ahead
        if begun is not None and begun.session.tail(cursor) is not None:
            return begun
        wanted = self._freeze(source, cursor, settings, backend, PATIENT_FACTOR, idle=True)
        if session is not None and _shows_as_much(session, wanted):
            state.session = wanted
            return None
        return ReadAhead(wanted)

    def first(
        self, source: Source, cursor: Cursor, settings: CompletionSettings, backend: Backend
    ) -> ReadAhead:
        """Return a prompt that is read within about a second, before anything else is asked."""
        return ReadAhead(self._freeze(source, cursor, settings, backend, FIRST_FACTOR, idle=False))

    def whole(
        self, source: Source, cursor: Cursor, settings: CompletionSettings, backend: Backend
    ) -> ReadAhead | None:
        """Return a document as the beginning of any prompt in it; None if it is too long."""
        wanted = self._freeze(source, cursor, settings, backend, PATIENT_FACTOR, idle=True)
        return None if len(wanted.window) < len(wanted.prefix) else ReadAhead(wanted)

    def _freeze(
        self,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        factor: float,
        *,
        idle: bool,
    ) -> PromptSession:
        density = self._density(source, cursor, backend)
        characters = self._afford(settings, backend, factor, density)
        room = self.room(backend, settings)
        session = self._frozen(source, cursor, settings, backend, characters, idle=idle)
        for _ in range(ATTEMPTS):
            tokens = self.lengths.corrected(backend, source.language, session.estimated)
            if tokens <= room:
                break
            characters = int(characters * room / tokens)
            session = self._frozen(source, cursor, settings, backend, characters, idle=idle)
        return session

    def _frozen(
        self,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        characters: int,
        *,
        idle: bool,
    ) -> PromptSession:
        share = partial(share_out, characters, prefix=len(cursor.prefix), suffix=len(cursor.suffix))
        budget = share(with_context=settings.context)
        files = self._context.files(source, cursor, budget.context) if settings.context else ()
        if not files:
            # What nothing was found for is the document's own.
            budget = share(with_context=False)
        # Cells are looked at by no egress gate: they stay here.
        above = self._above(source) if backend.local else ""
        if above:
            budget = replace(budget, context=characters - budget.prefix - budget.suffix)
        session = freeze(
            cursor, backend=backend.key, budget=budget, files=files, above=above, idle=idle
        )
        return _counted(session)

    def _move(
        self,
        session: PromptSession,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        *,
        factor: float,
    ) -> PromptSession | None:
        """Return a prompt that begins as `session` did; None if that is too long or too dear."""
        density = self._density(source, cursor, backend)
        budget = share_out(
            self._afford(settings, backend, factor, density),
            prefix=len(cursor.prefix),
            suffix=len(cursor.suffix),
            with_context=False,
        )
        most = self._afford(settings, backend, PATIENT_FACTOR, density)
        moved = move(session, cursor, budget=budget, most=most)
        if moved is None:
            return None
        moved = _counted(moved)
        tokens = self.lengths.corrected(backend, source.language, moved.estimated)
        return moved if tokens <= self.room(backend, settings) else None

    def _density(self, source: Source, cursor: Cursor, backend: Backend) -> float:
        """Return how many characters a token has around the cursor."""
        sample = cursor.prefix[-SAMPLE:] + cursor.suffix[: SAMPLE // 4]
        return self.lengths.characters_per_token(backend, source.language, sample)

    def _afford(
        self, settings: CompletionSettings, backend: Backend, factor: float, density: float
    ) -> int:
        """Return the characters that can be read in the time that there is."""
        return prompt_budget(
            prompt_speed=None if backend.speed is None else backend.speed.prompt_tokens_per_second,
            target_ms=settings.target_latency_ms,
            room_tokens=self.room(backend, settings),
            characters_per_token=density,
            factor=factor,
            fewest=self._fewest(factor),
        )

    def _fewest(self, factor: float) -> int:
        if self._strained():
            return FEWEST_STRAINED
        return FEWEST_FIRST if factor == FIRST_FACTOR else FEWEST_TOKENS


def _counted(session: PromptSession) -> PromptSession:
    shown = (session.above, session.window, session.suffix_window)
    files = (file.text for file in session.files)
    return replace(session, estimated=sum(map(count_tokens, (*shown, *files))))


def _shows_as_much(session: PromptSession, wanted: PromptSession) -> bool:
    return (
        session.prefix == wanted.prefix
        and session.window == wanted.window
        and session.suffix_window == wanted.suffix_window
        and session.files == wanted.files
    )
