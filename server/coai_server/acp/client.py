"""What a turn may ask of the editor, for one session: to show, to permit, to read and to write.

Every wait for the editor has a deadline but the one for a person's permission, which ends with the
turn's cancellation or the connection's end.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

from acp import helpers
from acp.exceptions import RequestError
from acp.schema import AllowedOutcome, PermissionOption, ToolCallLocation, ToolCallUpdate

from coai_agents.markdown import fenced
from coai_routing.errors import CoaiError
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from pathlib import Path

    from acp.interfaces import Client
    from acp.schema import (
        FileEditToolCallContent,
        FileSystemCapabilities,
        PermissionOptionKind,
        ToolCallStatus,
        ToolKind,
    )

SECONDS: Final = 10.0
"""How long an editor may take to give or to take a file."""


class EditorError(CoaiError):
    """The editor did not do what it was asked for."""


class Difference(Protocol):
    """A change of a file that is shown before it is written."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def before(self) -> str | None:
        """Its text as it is; None where it is not there."""
        ...

    @property
    def after(self) -> str:
        """Its text as it would be."""
        ...


@dataclass
class ClientSession:
    """One session, as its turns reach the editor."""

    client: Client
    id: str
    can: FileSystemCapabilities
    _ids: Iterator[int] = field(default_factory=count)

    async def say(self, markdown: str) -> None:
        """Show a part of the answer."""
        await self.client.session_update(self.id, helpers.update_agent_message_text(markdown))

    async def repeat_user(self, words: str) -> None:
        """Show what the user said in a turn before."""
        await self.client.session_update(self.id, helpers.update_user_message_text(words))

    async def update(self, update: Any) -> None:  # noqa: ANN401 - one of the SDK's dozen models
        """Tell anything else."""
        await self.client.session_update(self.id, update)

    @asynccontextmanager
    async def tool(
        self, title: str, kind: ToolKind, paths: Sequence[Path] = ()
    ) -> AsyncGenerator[Tool]:
        """Show a piece of work as it begins and ends; one that raises has failed, and says why."""
        name = f"{self.id}-{next(self._ids)}"
        places = [ToolCallLocation(path=str(each)) for each in paths]
        await self.update(
            helpers.start_tool_call(
                name, one_line(title), kind=kind, status="in_progress", locations=places
            )
        )
        tool = Tool(self, name)
        try:
            yield tool
        except CoaiError as error:
            await tool.end("failed", str(error))
            raise
        except asyncio.CancelledError:
            await tool.end("failed", "It was cancelled.")
            raise
        await tool.end("completed")

    async def read(self, path: Path) -> str | None:
        """Return a file's text as the editor has it; None where it cannot give files.

        Raises `EditorError`.
        """
        if not self.can.read_text_file:
            return None
        with _answering(f"{path.name} could not be read"):
            async with asyncio.timeout(SECONDS):
                return (await self.client.read_text_file(self.id, str(path))).content

    async def write(self, path: Path, text: str) -> bool:
        """Have the editor write a file; False where it cannot. Raises `EditorError`."""
        if not self.can.write_text_file:
            return False
        with _answering(f"{path.name} was not written"):
            async with asyncio.timeout(SECONDS):
                await self.client.write_text_file(self.id, str(path), text)
        return True


@dataclass
class Tool:
    """A piece of work that is shown."""

    session: ClientSession
    id: str
    _shown: list[FileEditToolCallContent] = field(default_factory=list["FileEditToolCallContent"])
    _ended: bool = False

    async def show(self, difference: Difference) -> None:
        """Show a change as the editor shows changes."""
        shown = helpers.tool_diff_content(str(difference.path), difference.after, difference.before)
        self._shown.append(shown)
        await self.session.update(helpers.update_tool_call(self.id, content=self._shown))

    async def choose(
        self, title: str, choices: Sequence[tuple[str, str, PermissionOptionKind]]
    ) -> str:
        """Have a person choose one of: name, words, kind; empty where nobody did or could."""
        options = [
            PermissionOption(option_id=each, name=one_line(words), kind=kind)
            for each, words, kind in choices
        ]
        call = ToolCallUpdate(
            tool_call_id=self.id, title=one_line(title), content=[*self._shown] or None
        )
        try:
            answer = await self.session.client.request_permission(self.session.id, call, options)
        except (RequestError, ValueError):
            return ""
        outcome = answer.outcome
        chosen = outcome.option_id if isinstance(outcome, AllowedOutcome) else ""
        return chosen if chosen in {each for each, _, _ in choices} else ""

    async def end(self, status: ToolCallStatus, why: str = "") -> None:
        """Say how it ended, once."""
        if self._ended:
            return
        self._ended = True
        content = [helpers.tool_content(helpers.text_block(fenced(why)))] if why else None
        await self.session.update(helpers.update_tool_call(self.id, status=status, content=content))


class _answering:  # noqa: N801 - a context manager that reads as one
    """Turns an editor's refusals and silence into `EditorError`."""

    def __init__(self, what: str) -> None:
        self._what = one_line(what)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise EditorError(
                f"{self._what}: the editor did not answer within {SECONDS:g} s.",
                remedy="Try again; if it stays so, restart the editor's agent.",
            ) from error
        if isinstance(error, (RequestError, ConnectionError, ValueError)):
            raise EditorError(f"{self._what}: {one_line(str(error))}.") from error
