"""Everything that lives as long as the server: settings, models, completion. Wired once, here."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from coai_agents.application.complete import Completions
from coai_agents.application.document_settings import DocumentSettings
from coai_agents.changes.offers import SameChange, Surroundings
from coai_agents.changes.prediction.predicting import Predictor
from coai_routing.settings.loading import LoadedSettings, load, rows
from coai_routing.settings.schema import LogSettings
from coai_routing.settings.types import VENDOR_NAMES
from coai_routing.wiring.local import LocalModels
from coai_server.daemon import logs
from coai_server.daemon.client_settings import ClientSettings
from coai_server.daemon.learned import Learned
from coai_server.daemon.recording import Recorder
from coai_server.daemon.specialists import Specialists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coai_agents.source import Source
    from coai_routing.settings.schema import CompletionSettings, LedgerSettings, Settings
    from coai_server.daemon.open_documents import OpenDocuments

logger = logging.getLogger(__name__)


class Services:
    """Owns what the features ask. Built when the client has been answered; started after that."""

    def __init__(
        self,
        documents: OpenDocuments,
        *,
        overrides: Mapping[str, Any],
        client: object = None,
        client_is_remote: bool = False,
    ) -> None:
        self._documents = documents
        self._overrides = overrides
        self._client = ClientSettings(client)
        self._client_is_remote = client_is_remote
        self._keys: dict[str, str] = {}
        self._log = LogSettings()
        self._loading = asyncio.Lock()
        self.loaded = self._load()
        self._write_log()
        self.on_status: Callable[[], None] | None = None
        """Called when what `status` answers has changed by itself."""
        self.on_settings: Callable[[], None] | None = None
        """Called when the settings have changed."""
        self.models = LocalModels(lambda: self.settings, on_change=self._status_changed)
        self.changes = SameChange()
        self.of_documents = DocumentSettings(lambda: self.loaded, self._roots())
        self.exclusions = self.of_documents.exclusions
        self.recorder = Recorder(
            self.ledger_settings, documents.snapshot, judged=self.models.judged
        )
        self.completions = Completions(
            self.models,
            self.of_documents,
            documents,
            listener=self.recorder,
            tuning=self.recorder.tuning,
        )
        self.trees, self.gate = self.completions.trees, self.completions.gate
        self.completer = self.completions.completer
        self.predictor = Predictor(
            self.models.backends,
            self.completions.egress_gate,
            self._shown_name,
            lambda uri: self.exclusions.judged(uri, "context"),
        )
        self.specialists = Specialists(
            self.models, self.completions.egress_gate, self.exclusions, self.settings_of
        )
        self.learned = Learned(documents, self.models, self.settings_of)
        documents.on_open.append(self.completions.opened)
        documents.on_change.append(self._changed)
        documents.on_close.append(self._closed)

    # ------------------------------------------------------------ settings

    @property
    def settings(self) -> Settings:
        """What holds for what is in no file."""
        return self.loaded.settings

    def settings_of(self, uri: str) -> Settings:
        """Return what holds for a document, see `DocumentSettings`; reads only memory."""
        return self.of_documents.of(uri)

    def completion_settings(self, uri: str) -> CompletionSettings:
        """Return what holds for completions in a document; reads only memory."""
        return self.of_documents.completion(uri)

    def ledger_settings(self, uri: str) -> LedgerSettings:
        """Return what holds for recording a document's requests; reads only memory."""
        return self.settings_of(uri).ledger

    def document(self, uri: str) -> Source | None:
        """Return the snapshot of an open document."""
        return self._documents.snapshot(uri)

    def _roots(self) -> tuple[Path, ...]:
        paths = (folder.path for folder in self._documents.folders)
        return tuple(path for path in paths if path is not None)

    def _load(self) -> LoadedSettings:
        loaded = load(
            overrides=self._overrides,
            client=(_of_keys(self._keys), *self._client.layers),
            client_is_remote=self._client_is_remote,
            workspace_roots=self._roots(),
        )
        for problem in loaded.problems:
            logger.warning("%s", problem)
        return loaded

    def _write_log(self) -> None:
        """Log where and how much the settings say, unless it is done so already."""
        if self.settings.log == self._log:
            return
        self._log = self.settings.log
        try:
            logs.configure(self._log.level, self._log.file)
        except logs.LogFileError as error:
            logger.warning("%s", error)

    async def reconfigure(self, client: object) -> None:
        """Take what the client says its settings are now, and act on what that changes."""
        self._client.tell(client)
        await self.reload()

    async def use_key(self, vendor: str, key: str | None) -> None:
        """Take a vendor's key from the editor, in memory only; None takes it away again."""
        if key is None:
            self._keys.pop(vendor, None)
        else:
            self._keys[vendor] = key
        await self.reload()

    def has_key(self, vendor: str) -> bool:
        """Say whether the editor gave a key for this vendor."""
        return vendor in self._keys

    async def reload(self) -> None:
        """Read every layer of the settings again, and act on what changed."""
        # One after the other: a thread that read earlier may end later, and would bring back
        # what the client has changed since.
        async with self._loading:
            before = self.loaded
            self.loaded = await asyncio.to_thread(self._load)
        if self.loaded == before:
            return
        self.of_documents.forget_all()
        self._write_log()
        if self.on_settings is not None:
            self.on_settings()
        self.completer.forget_suggestions()
        self._status_changed()
        await self.recorder.apply()
        await self.of_documents.refresh(self._roots())
        await self.completions.context.refresh()
        await self.models.apply()
        self._status_changed()

    def _status_changed(self) -> None:
        if self.on_status is not None:
            self.on_status()

    # ----------------------------------------------------------- documents

    def _changed(self, before: Source, after: Source) -> None:
        settings = self.completion_settings(after.uri)
        if settings.same_change or settings.next_edit:
            self.changes.changed(before, after)
        self.predictor.changed()
        self.completions.changed(after)
        self.recorder.feedback.changed(after)

    def _closed(self, source: Source) -> None:
        self.changes.closed(source.uri)
        self.completions.closed(source.uri)
        self.recorder.feedback.closed(source.uri)

    # --------------------------------------------------------------- asked

    def surroundings(self) -> Surroundings:
        """Return where else a change may belong: only in what may be read for other files."""
        return Surroundings(
            tuple(self._documents.open_sources()),
            self._roots(),
            lambda path: self.exclusions.refusal(path, "context") is not None,
        )

    def _shown_name(self, source: Source) -> str:
        """Return how a prompt names a document: relative to its folder, or by its name alone."""
        path = source.path
        if path is None:
            return "untitled"
        folder = next((root for root in self._roots() if path.is_relative_to(root)), path.parent)
        return path.relative_to(folder).as_posix()

    def accepted(self, identity: int) -> None:
        """Note that the user took a suggestion whole."""
        self.completer.accepted(identity)
        self.recorder.feedback.accepted(identity)

    def snooze(self, minutes: float) -> None:
        """Hold completions back for so long; no more than nothing wakes them."""
        self.gate.snooze(time.monotonic() + 60 * minutes)

    def settings_in_force(self) -> list[dict[str, Any]]:
        """Return every setting, its value and where that comes from; secrets are masked."""
        return [row._asdict() for row in rows(self.loaded)]

    # ----------------------------------------------------------- life cycle

    async def start(self) -> None:
        """Find models and load them; whoever asks meanwhile is told that they are starting."""
        self.recorder.open()
        await self.completions.start()
        self.models.backends.start()
        await self.models.cloud.prepare()
        await self.models.embedded.use(self.settings.engine)
        await self.recorder.learn()

    async def aclose(self) -> None:
        """Cancel what runs and let go of the models."""
        await self.learned.aclose()
        await self.specialists.aclose()
        await self.completions.aclose()
        await self.recorder.aclose()
        await self.models.aclose()


def _of_keys(keys: Mapping[str, str]) -> dict[str, Any]:
    """Return vendors' keys as settings, which are below the client's own."""
    return {
        f"cloud.{'vendors.' if vendor in VENDOR_NAMES else ''}{vendor}.apiKey": key
        for vendor, key in keys.items()
    }
