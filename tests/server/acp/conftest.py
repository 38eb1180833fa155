"""A workspace, and the official SDK's client that has `coai acp` as its agent."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from acp import PROTOCOL_VERSION, RequestError, helpers, spawn_agent_process
from acp.schema import (
    AgentMessageChunk,
    AllowedOutcome,
    ClientCapabilities,
    DeniedOutcome,
    FileSystemCapabilities,
    Implementation,
    ReadTextFileResponse,
    RequestPermissionResponse,
    TextContentBlock,
    UserMessageChunk,
    WriteTextFileResponse,
)

from tests.server.test_explanations import ALONE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from acp.client.connection import ClientSideConnection
    from acp.helpers import ContentBlock
    from acp.schema import PermissionOption, ToolCallUpdate

SHOP: Final = """\
import hashlib

import yaml


def signature(data):
    return hashlib.new("md5", data).hexdigest()


def total_of(prices):
    if prices == None:
        return 0
    return sum(prices)


def read(text):
    return yaml.load(text)
"""

SECRET: Final = "kept_outside_of_the_folder"


@dataclass
class Editor:
    """An editor that notes what it is told; `chooses` names a permission, "" none, None waits."""

    folder: Path
    chooses: str | None = "once"
    has_files: bool = True
    """Whether it gives and takes files."""
    unsaved: dict[Path, str] = field(default_factory=dict[Path, str])
    written: dict[Path, str] = field(default_factory=dict[Path, str])
    asked_to_read: list[str] = field(default_factory=list[str])
    updates: list[Any] = field(default_factory=list[Any])
    permissions: list[ToolCallUpdate] = field(default_factory=list["ToolCallUpdate"])
    options: list[list[PermissionOption]] = field(default_factory=list["list[PermissionOption]"])
    asking: asyncio.Event = field(default_factory=asyncio.Event)
    on_permission: Callable[[], None] = lambda: None

    async def session_update(self, session_id: str, update: object, **_: object) -> None:
        self.updates.append(update)

    async def request_permission(
        self,
        session_id: str,
        tool_call: ToolCallUpdate,
        options: list[PermissionOption],
        **_: object,
    ) -> RequestPermissionResponse:
        self.permissions.append(tool_call)
        self.options.append(options)
        self.asking.set()
        self.on_permission()
        if self.chooses is None:
            await asyncio.Event().wait()
        if not self.chooses:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        outcome = AllowedOutcome(outcome="selected", option_id=self.chooses)
        return RequestPermissionResponse(outcome=outcome)

    async def read_text_file(self, session_id: str, path: str, **_: object) -> ReadTextFileResponse:
        self.asked_to_read.append(path)
        text = self.unsaved.get(Path(path))
        if text is None:
            try:
                text = await asyncio.to_thread(Path(path).read_text)
            except OSError as error:
                raise RequestError.resource_not_found(path) from error
        return ReadTextFileResponse(content=text)

    async def write_text_file(
        self, session_id: str, path: str, content: str, **_: object
    ) -> WriteTextFileResponse:
        self.written[Path(path)] = content
        self.unsaved[Path(path)] = content
        return WriteTextFileResponse()

    def on_connect(self, conn: object) -> None:
        pass

    @property
    def said(self) -> str:
        """What the agent has said so far."""
        return "".join(_texts(self.updates, AgentMessageChunk))

    @property
    def user_said(self) -> list[str]:
        return _texts(self.updates, UserMessageChunk)

    def of(self, kind: str) -> list[Any]:
        """Return the updates of one kind."""
        return [each for each in self.updates if each.session_update == kind]


def _texts(updates: list[Any], kind: type[AgentMessageChunk | UserMessageChunk]) -> list[str]:
    contents = [each.content for each in updates if isinstance(each, kind)]
    return [each.text for each in contents if isinstance(each, TextContentBlock)]


@dataclass
class Talk:
    """A connection to the agent, and a session."""

    agent: ClientSideConnection
    editor: Editor
    session: str

    async def ask(self, *blocks: ContentBlock | str) -> str:
        """Send a prompt; return what is said to it."""
        before = len(self.editor.said)
        content = [helpers.text_block(each) if isinstance(each, str) else each for each in blocks]
        answered = await self.agent.prompt(session_id=self.session, prompt=content)
        assert answered.stop_reason == "end_turn"
        return self.editor.said[before:]

    async def mode(self, name: str) -> None:
        await self.agent.set_session_mode(session_id=self.session, mode_id=name)


@dataclass(frozen=True)
class Shop:
    """A workspace, a file outside of it, and the environment of a user without any model."""

    folder: Path
    environment: dict[str, str]

    @property
    def file(self) -> Path:
        return self.folder / "shop.py"

    @property
    def outside(self) -> Path:
        return self.folder.parent / "outside" / "secret.py"

    @asynccontextmanager
    async def connected(
        self, editor: Editor, **environment: str
    ) -> AsyncGenerator[ClientSideConnection]:
        command = [sys.executable, "-m", "coai_server", "acp"]
        able = FileSystemCapabilities(
            read_text_file=editor.has_files, write_text_file=editor.has_files
        )
        async with spawn_agent_process(
            editor,  # pyright: ignore[reportArgumentType] - it has what is asked of a client
            *command,
            cwd=self.folder,
            env={**self.environment, **environment},
            use_unstable_protocol=True,
        ) as (agent, _):
            ready = await agent.initialize(
                protocol_version=PROTOCOL_VERSION,
                client_capabilities=ClientCapabilities(fs=able),
                client_info=Implementation(name="tests", version="1"),
            )
            assert ready.protocol_version == PROTOCOL_VERSION
            yield agent

    @asynccontextmanager
    async def talk(self, editor: Editor, **environment: str) -> AsyncGenerator[Talk]:
        async with self.connected(editor, **environment) as agent:
            begun = await agent.new_session(cwd=str(self.folder))
            yield Talk(agent, editor, begun.session_id)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text(f"def {SECRET}():\n    return 1\n")
    home = {name: str(tmp_path / "home") for name in ("HOME", "USERPROFILE", "APPDATA")}
    none = {
        f"COAI_ENDPOINTS__{name}__ENABLED": "false"
        for name in ("OLLAMA", "LMSTUDIO", "LLAMA_SERVER", "VLLM")
    }
    return Shop(folder, {**home, **ALONE, **none, "LOCALAPPDATA": home["HOME"]})


@pytest.fixture
def editor(shop: Shop) -> Editor:
    return Editor(shop.folder)
