"""The agent of the protocol: sessions begin, are loaded and prompted; a prompt can be cancelled."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from acp import PROTOCOL_VERSION, RequestError, helpers, run_agent
from acp.schema import (
    AgentCapabilities,
    FileSystemCapabilities,
    Implementation,
    InitializeResponse,
    ListSessionsResponse,
    LoadSessionResponse,
    NewSessionResponse,
    PromptCapabilities,
    PromptResponse,
    ResumeSessionResponse,
    SessionCapabilities,
    SessionCloseCapabilities,
    SessionInfo,
    SessionListCapabilities,
    SessionResumeCapabilities,
    SetSessionModeResponse,
)

from coai_agents.application.shared.shared_models import Models, shared_models
from coai_agents.specialists.shown import as_markdown, inline
from coai_agents.specialists.targets import parse_target
from coai_routing.errors import CoaiError
from coai_server.acp import changing, looking, modes, running
from coai_server.acp.client import ClientSession
from coai_server.acp.files import FileError, SessionFiles
from coai_server.acp.prompts import read_prompt, words_of
from coai_server.acp.sessions import PAGE, SessionError, Sessions, location
from coai_server.acp.turn import Consent, Turn, told
from coai_server.terminal import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from acp.helpers import ContentBlock
    from acp.interfaces import Agent, Client
    from acp.schema import ClientCapabilities

    from coai_agents.specialists.answers import Report
    from coai_server.acp.prompts import Asked
    from coai_server.acp.sessions import Kept, Speaker

MOST_TITLE: Final = 80

COMMANDS: Final = modes.commands()

AGENTS: Final[dict[str, Callable[[Turn], Awaitable[Report]]]] = {
    "ask": looking.ask_everybody,
    "explain": looking.explain,
    "review": looking.review,
    "fix": changing.fix,
    "document": changing.document,
    "security": looking.security,
    "performance": looking.performance,
    "architecture": looking.architecture,
    "run": running.run,
}


@dataclass
class _Open:
    """A session that the client has open."""

    kept: Kept
    files: SessionFiles
    editor: ClientSession
    consent: Consent = field(default_factory=Consent)
    turn: asyncio.Task[None] | None = None


class CoaiAgent:
    """COAI as one editor's agent. Methods are called by the SDK, see `acp.interfaces.Agent`."""

    def __init__(self, models: Models, sessions: Sessions, *, models_wanted: bool = True) -> None:
        """Take what the process has; `on_connect` brings the editor."""
        self._models = models
        self._sessions = sessions
        self._models_wanted = models_wanted
        self._can = FileSystemCapabilities()
        self._open: dict[str, _Open] = {}
        self._client: Client | None = None
        self._soon: set[asyncio.Task[None]] = set()

    def on_connect(self, conn: Client) -> None:
        """Take the editor's end of the connection."""
        self._client = conn

    # ------------------------------------------------------------------ life cycle

    async def initialize(
        self,
        protocol_version: int,
        client_capabilities: ClientCapabilities | None = None,
        **_: Any,  # noqa: ANN401 - the protocol's extensions
    ) -> InitializeResponse:
        """Say what this agent can do; a client of another version decides whether to go on."""
        del protocol_version  # There is one.
        if client_capabilities is not None and client_capabilities.fs is not None:
            self._can = client_capabilities.fs
        return InitializeResponse(
            protocol_version=PROTOCOL_VERSION,
            agent_capabilities=AgentCapabilities(
                load_session=True,
                prompt_capabilities=PromptCapabilities(embedded_context=True),
                session_capabilities=SessionCapabilities(
                    list=SessionListCapabilities(),
                    resume=SessionResumeCapabilities(),
                    close=SessionCloseCapabilities(),
                ),
            ),
            auth_methods=[],
            agent_info=Implementation(name="coai", title="COAI", version=version("coai")),
        )

    async def new_session(self, cwd: str, **_: Any) -> NewSessionResponse:  # noqa: ANN401 - as above
        """Begin a session in a folder."""
        with _refusing():
            kept = self._sessions.new(_folder(cwd), modes.DEFAULT)
            self._opened(kept, cwd)
        return NewSessionResponse(session_id=kept.id, modes=modes.state(kept.mode))

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> LoadSessionResponse:  # noqa: ANN401 - as above
        """Show a session again, and go on with it."""
        session = await self._found(cwd, session_id)
        with _refusing():
            turns = await asyncio.to_thread(self._sessions.turns, session_id)
        for speaker, words in turns:
            await (session.editor.repeat_user if speaker == "user" else session.editor.say)(words)
        return LoadSessionResponse(modes=modes.state(session.kept.mode))

    async def resume_session(self, session_id: str, cwd: str, **_: Any) -> ResumeSessionResponse:  # noqa: ANN401 - as above
        """Go on with a session that the client still shows."""
        session = await self._found(cwd, session_id)
        return ResumeSessionResponse(modes=modes.state(session.kept.mode))

    async def list_sessions(
        self,
        cwd: str | None = None,
        cursor: str | None = None,
        **_: Any,  # noqa: ANN401 - as above
    ) -> ListSessionsResponse:
        """Return the sessions of a folder, or of all, the last used first."""
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):  # noqa: PLR2004 - digits
            raise RequestError.invalid_params({"details": "That cursor is none of this agent's."})
        first = int(cursor or 0)
        with _refusing():
            folder = None if cwd is None else _folder(cwd).resolve()
            found = await asyncio.to_thread(self._sessions.listed, folder, first)
        listed = [
            SessionInfo(
                session_id=each.id, cwd=each.folder, title=each.title, updated_at=each.changed
            )
            for each in found
        ]
        more = str(first + PAGE) if len(found) == PAGE else None
        return ListSessionsResponse(sessions=listed, next_cursor=more)

    async def close_session(self, session_id: str, **_: Any) -> None:  # noqa: ANN401 - as above
        """Let go of a session; what is kept of it stays."""
        session = self._session(session_id)
        if session.turn is not None:
            session.turn.cancel()
        del self._open[session_id]

    async def set_session_mode(
        self,
        session_id: str,
        mode_id: str,
        **_: Any,  # noqa: ANN401 - as above
    ) -> SetSessionModeResponse:
        """Have another agent answer from the next prompt on."""
        session = self._session(session_id)
        if mode_id not in modes.NAMES:
            known = ", ".join(modes.NAMES)
            raise RequestError.invalid_params(
                {"details": f"There is no such mode; known: {known}."}
            )
        session.kept = replace(session.kept, mode=mode_id)
        return SetSessionModeResponse()

    # --------------------------------------------------------------------- prompts

    async def prompt(
        self,
        session_id: str,
        prompt: Sequence[ContentBlock],
        **_: Any,  # noqa: ANN401 - as above
    ) -> PromptResponse:
        """Carry out one prompt; whatever goes wrong in it is said in the answer."""
        session = self._session(session_id)
        if session.turn is not None:
            raise RequestError.invalid_request(
                {"details": "The session is busy; cancel its turn first."}
            )
        session.turn = asyncio.create_task(self._turn(session, prompt))
        try:
            await asyncio.wait([session.turn])
            if session.turn.cancelled():
                return PromptResponse(stop_reason="cancelled")
            session.turn.result()
        finally:
            session.turn.cancel()
            session.turn = None
        return PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:  # noqa: ANN401 - as above
        """End a session's turn; its prompt is answered as cancelled."""
        session = self._open.get(session_id)
        if session is not None and session.turn is not None:
            session.turn.cancel()

    async def _turn(self, session: _Open, prompt: Sequence[ContentBlock]) -> None:
        asked = await read_prompt(prompt, session.files, modes.NAMES)
        mode = asked.command or session.kept.mode
        if not asked.targets and mode in modes.ABOUT_FILES:
            # A follow-up is about what was spoken of before.
            asked = replace(asked, targets=tuple(map(parse_target, session.kept.recent)))
        session.kept = replace(
            session.kept,
            title=session.kept.title or one_line(asked.words)[:MOST_TITLE],
            recent=asked.recent or session.kept.recent,
        )
        answer = printable(await self._answer(session, mode, asked))
        await session.editor.say(answer)
        try:
            said: list[tuple[Speaker, str]] = [("user", words_of(prompt)), ("agent", answer)]
            await asyncio.to_thread(self._sessions.keep, session.kept, said)
        except CoaiError as error:
            await session.editor.say(f"\n\n{inline(str(error))}\n")

    async def _answer(self, session: _Open, mode: str, asked: Asked) -> str:
        """Return an agent's answer as Markdown; an error is one, too."""
        try:
            asker = await self._models.asker(session.files.folder, wanted=self._models_wanted)
            turn = Turn(session.editor, session.files, asked, asker, session.consent)
            report = await AGENTS[mode](turn)
        except CoaiError as error:
            report = told(notes=[str(error)])
        notes = tuple(dict.fromkeys((*asked.notes, *report.notes)))
        return as_markdown(replace(report, notes=notes))

    # -------------------------------------------------------------------- sessions

    def _opened(self, kept: Kept, cwd: str) -> _Open:
        assert self._client is not None
        editor = ClientSession(self._client, kept.id, self._can)
        session = _Open(kept, SessionFiles(_folder(cwd), editor), editor)
        self._open[kept.id] = session
        # The client knows the session only when it has been answered.
        telling = asyncio.create_task(editor.update(helpers.update_available_commands(COMMANDS)))
        self._soon.add(telling)
        telling.add_done_callback(self._soon.discard)
        return session

    async def _found(self, cwd: str, name: str) -> _Open:
        with _refusing():
            folder = _folder(cwd)
            known = self._open.get(name)
            if known is not None and known.turn is not None:
                raise SessionError("The session is open, and busy.", remedy="Cancel its turn.")
            kept = await asyncio.to_thread(self._sessions.find, name, folder)
            return self._opened(kept, cwd)

    def _session(self, name: str) -> _Open:
        session = self._open.get(name)
        if session is None:
            raise RequestError.invalid_params({"details": "There is no such session open."})
        return session


def _folder(cwd: str) -> Path:
    if "\0" in cwd:
        raise FileError("That is no folder.")
    return Path(cwd)


@contextmanager
def _refusing() -> Generator[None]:
    """Refuse a request with the sentences of our errors."""
    try:
        yield
    except CoaiError as error:
        raise RequestError.invalid_params({"details": printable(str(error))}) from error


async def serve(*, models_wanted: bool = True) -> None:
    """Serve on standard input and output until the input ends."""
    async with shared_models() as models:
        agent = CoaiAgent(models, Sessions(location()), models_wanted=models_wanted)
        # `session/resume` and `session/close` are behind the SDK's flag, and in the protocol.
        await run_agent(cast("Agent", agent), use_unstable_protocol=True)
