"""Answers as virtual documents that grow: `workspace/textDocumentContent`, new in LSP 3.18.

A client that can show such documents asks for their text, and again whenever it is told that there
is more. Told once more only when it has answered: a slow client is not flooded. One that only opens
files is shown a file that cannot be written to; any other has the whole answer from the command.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

SCHEME: Final = "coai-answer"

MOST: Final = 20
"""Answers that can still be read; older ones are forgotten."""

LONGEST_NAME: Final = 80
"""Characters of a file's name."""

ASK_SECONDS: Final = 5.0
"""How long a client may take to answer."""


class AnswerDocuments:
    """The last answers by their addresses."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._texts: dict[str, str] = {}
        """By addresses without anything encoded: see `_key`."""
        self._told: dict[str, str] = {}
        """What the client knows of those of which it is being told."""
        self._registered: bool | None = None
        self._count = 0

    def text(self, uri: str) -> str:
        """Return an answer as far as it has come."""
        return self._texts.get(_key(uri), "")

    async def open(self, name: str, wanted: str) -> str | None:
        """Return the address of a new answer and have it shown; None if the client cannot.

        A client that shows documents itself names the address that it wants.
        """
        if not await self._can_show():
            return None
        self._count += 1
        own = f"{SCHEME}:/{self._count}/{quote(name, safe='')}.md"
        uri = wanted if wanted.startswith(f"{SCHEME}:") else own
        while len(self._texts) >= MOST:
            del self._texts[next(iter(self._texts))]
        self._texts[_key(uri)] = ""
        if uri != wanted:
            await self._show(uri)
        return uri

    async def show_file(self, name: str, text: str) -> str | None:
        """Show an answer in a file that cannot be written to; None if the client opens none.

        For clients without virtual documents. The file is for its user alone.
        """
        if self._server.session.remote or not self._opens():
            return None
        self._count += 1
        try:
            uri = await asyncio.to_thread(_written, f"{os.getpid()}-{self._count}-{name}", text)
        except OSError as error:
            logger.warning("The answer cannot be shown in a file: %s", error)
            return None
        return uri if await self._show(uri) else None

    def grow(self, uri: str, text: str) -> None:
        """Take what an answer is now."""
        if text == self._texts.get(_key(uri)):
            return
        self._texts[_key(uri)] = text
        if uri not in self._told:
            self._told[uri] = ""
            self._server.session.spawn(self._tell(uri), name="show more of an answer")

    async def _tell(self, uri: str) -> None:
        try:
            while (text := self._texts.get(_key(uri))) is not None and text != self._told[uri]:
                self._told[uri] = text
                async with asyncio.timeout(ASK_SECONDS):
                    await self._server.workspace_text_document_content_refresh_async(
                        types.TextDocumentContentRefreshParams(uri)
                    )
        except Exception as error:  # noqa: BLE001 - the command has the answer all the same
            logger.info("The client does not show more of an answer: %s", error)
        finally:
            self._told.pop(uri, None)

    async def _can_show(self) -> bool:
        workspace = self._server.client_capabilities.workspace
        able = workspace and workspace.text_document_content
        if not able or not able.dynamic_registration:
            return False
        if self._registered is None:
            options = types.TextDocumentContentRegistrationOptions(schemes=[SCHEME])
            registration = types.Registration(
                "coai-answers", types.WORKSPACE_TEXT_DOCUMENT_CONTENT, options
            )
            self._registered = await self._did(
                self._server.client_register_capability_async(
                    types.RegistrationParams([registration])
                )
            )
        return self._registered

    def _opens(self) -> bool:
        """Say whether the client shows documents when it is asked to."""
        window = self._server.client_capabilities.window
        return bool(window and window.show_document and window.show_document.support)

    async def _show(self, uri: str) -> bool:
        if not self._opens():
            return False
        params = types.ShowDocumentParams(uri=uri, take_focus=False)
        return await self._did(self._server.window_show_document_async(params))

    async def _did(self, request: Awaitable[object]) -> bool:
        """Say whether a client did what it was asked."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await request
        except Exception as error:  # noqa: BLE001 - as above
            logger.info("The client does not show answers as documents: %s", error)
            return False
        return True


def _key(uri: str) -> str:
    """Return an address as it is kept: clients send it back with other characters encoded."""
    return unquote(uri)


def _written(name: str, text: str) -> str:
    """Write an answer; return its address. The oldest ones are deleted. Raises OSError."""
    import platformdirs  # noqa: PLC0415 - not at the start

    from coai_routing.own_files import own_folder, write_own_file  # noqa: PLC0415 - as above

    folder = platformdirs.user_cache_path("coai", appauthor=False) / "shown"
    own_folder(folder)
    plain = re.sub(r"[^\w-]+", "-", name)[:LONGEST_NAME].strip("-")
    path = folder / f"{plain}.md"
    write_own_file(path, text)
    path.chmod(0o400)
    for old in sorted(folder.glob("*.md"), key=lambda each: each.stat().st_mtime)[:-MOST]:
        old.unlink(missing_ok=True)
    return path.as_uri()


def register(server: Server) -> AnswerDocuments:
    """Answer for the texts of answers."""
    answers = AnswerDocuments(server)

    @server.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT)
    def content(params: types.TextDocumentContentParams) -> types.TextDocumentContentResult:
        return types.TextDocumentContentResult(answers.text(params.uri))

    return answers
