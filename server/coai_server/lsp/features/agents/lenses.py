"""Code lenses above functions, and hints on hot lines: quiet unless the user asks for them.

A profile that the user names (`coai.loadProfile`, with `path`; without one it is let go of) says
what each function took, above it, and what hot lines took, behind them. Lines are told as long as
the document is what it was when the profile came; functions go by their names. Links to explain and
to document stand above functions where `agents.lenses` is on.
"""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from coai_routing.errors import CoaiError
from coai_server.lsp.features.agents.code_questions import DOCUMENT, EXPLAIN

if TYPE_CHECKING:
    from coai_agents.application.specialists.hot import Heading
    from coai_agents.source import Source
    from coai_agents.specialists.performance.profiles.profile import Profile
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

LOAD: Final = "coai.loadProfile"
MOST_LENSES: Final = 300
"""Functions of a document above which something stands."""

_HEAVY: Final = "coai_agents.application.specialists.hot"


class NoProfileError(CoaiError):
    """What is named is no place where a profile could be."""


class Lenses:
    """Owns the profile that is shown, and says what stands above functions."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._profile: Profile | None = None
        self._fresh: dict[str, str] = {}
        """The texts of which the profile's lines are."""
        self._links = False
        server.documents.on_close.append(self._closed)
        server.on_settings.append(self._settings_changed)

    def _closed(self, source: Source) -> None:
        self._fresh.pop(source.uri, None)

    def _settings_changed(self) -> None:
        links = self._server.services.settings.agents.lenses
        if links != self._links:
            self._links = links
            self._refresh()

    async def load(self, path: str) -> dict[str, Any]:
        """Show a profile from now on, or none; raises `ProfileError`."""
        if not path:
            self._profile = None
        else:
            if not Path(path).is_absolute() or self._server.session.remote:
                raise NoProfileError(
                    "A profile is named by its whole path, on the machine of the server.",
                    remedy="Choose the file anew.",
                )
            await asyncio.to_thread(import_module, _HEAVY)
            from coai_agents.application.specialists.hot import load_profile  # noqa: PLC0415 - as above

            self._profile = await asyncio.to_thread(load_profile, Path(path))
        self._fresh = {each.uri: each.text for each in self._server.documents.open_sources()}
        self._refresh()
        count = 0 if self._profile is None else len(self._profile.costs)
        return {"functions": count}

    async def above(self, source: Source) -> list[types.CodeLens]:
        """Return what stands above the functions of a document, without commands yet."""
        links = self._server.services.settings_of(source.uri).agents.lenses
        if not links and self._profile is None:
            return []
        await asyncio.to_thread(import_module, _HEAVY)
        from coai_agents.application.specialists.hot import headings  # noqa: PLC0415 - as above

        found = await asyncio.to_thread(headings, source, self._profile)
        lenses: list[types.CodeLens] = []
        for each in found[:MOST_LENSES]:
            lenses += _of(source, each, links=links)
        return lenses

    async def behind(self, source: Source, first: int, last: int) -> list[types.InlayHint]:
        """Return the hints behind the hot ones of some lines, counted from 0."""
        profile = self._profile
        if profile is None or self._fresh.setdefault(source.uri, source.text) != source.text:
            return []
        await asyncio.to_thread(import_module, _HEAVY)
        from coai_agents.application.specialists.hot import hot_lines  # noqa: PLC0415 - as above

        found = await asyncio.to_thread(hot_lines, source, profile)
        encoding = self._server.documents.encoding
        hints: list[types.InlayHint] = []
        for each in found:
            if first <= each.line <= last:
                at = source.position_at(source.line_end(each.line), encoding)
                place = types.Position(at.line, at.character)
                hints.append(types.InlayHint(place, each.words, padding_left=True))
        return hints

    def _refresh(self) -> None:
        """Have the client ask again, if it can."""
        workspace = self._server.client_capabilities.workspace
        lens = workspace and workspace.code_lens
        if lens and lens.refresh_support:
            ask = self._server.workspace_code_lens_refresh_async
            self._server.session.spawn(self._asked(ask), name="have lenses asked for")
        hint = workspace and workspace.inlay_hint
        if hint and hint.refresh_support:
            ask = self._server.workspace_inlay_hint_refresh_async
            self._server.session.spawn(self._asked(ask), name="have hints asked for")

    async def _asked(self, ask: Any) -> None:  # noqa: ANN401 - one of pygls's methods
        try:
            await ask(None)
        except JsonRpcException as error:
            logger.info("The client does not ask again: %s", error)


def _of(source: Source, heading: Heading, *, links: bool) -> list[types.CodeLens]:
    """Return what stands above one function; `data` says what each is a link to."""
    at = types.Range(types.Position(heading.line, 0), types.Position(heading.line, 0))
    said = [(heading.words, EXPLAIN)] if heading.words else []
    if links:
        said.append(("Explain", EXPLAIN))
        said += [] if heading.documented else [("Document", DOCUMENT)]
    return [
        types.CodeLens(
            at,
            data={
                "uri": source.uri,
                "version": source.version,
                "line": heading.line,
                "title": title,
                "command": command,
            },
        )
        for title, command in said
    ]


def register(server: Server) -> Lenses:
    """Answer for lenses and hints, and load profiles."""
    lenses = Lenses(server)
    documents = server.documents

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=True))
    async def above(params: types.CodeLensParams) -> list[types.CodeLens]:
        source = documents.snapshot(params.text_document.uri)
        if source is None or documents.is_out_of_step(source.uri):
            return []
        return await lenses.above(source)

    @server.feature(types.CODE_LENS_RESOLVE)
    def resolve(lens: types.CodeLens) -> types.CodeLens:
        sent: object = lens.data
        asked = cast("dict[str, Any]", sent) if isinstance(sent, dict) else {}
        command = str(asked.get("command", ""))
        if command not in (EXPLAIN, DOCUMENT):
            return lens
        source = documents.snapshot(str(asked.get("uri", "")))
        line = lens.range.start.line
        at = 0
        if source is not None and line < source.line_count:
            text = source.line_text(line)
            at = len(text) - len(text.lstrip())
        where = {"line": line, "character": at}
        about = {"uri": asked.get("uri"), "range": {"start": where, "end": where}}
        lens.command = types.Command(str(asked.get("title", "")), command, arguments=[about])
        return lens

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def behind(params: types.InlayHintParams) -> list[types.InlayHint]:
        source = documents.snapshot(params.text_document.uri)
        if source is None or documents.is_out_of_step(source.uri):
            return []
        return await lenses.behind(source, params.range.start.line, params.range.end.line)

    @server.command(LOAD)
    async def load(*arguments: object) -> dict[str, Any]:
        given = arguments[0] if arguments else None
        named = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        return await lenses.load(str(named.get("path") or ""))

    return lenses
