"""The embedded engine as one of the backends: from a setting to a model that answers.

It finds the weights, says what is missing if they are not there, and runs the engine on them. It
never fetches them unasked: whoever owns it decides, and calls `pull`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from coai_routing.engine.state import EngineOptions, EnginePhase
from coai_routing.errors import CoaiError, ModelNotPulledError
from coai_routing.policy.deployment import EMBEDDED, Deployment, Phase
from coai_routing.pool.backends import Served
from coai_routing.pool.place import Place
from coai_routing.registry.next_edit import next_edit_family

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_routing.engine.client import EmbeddedEngine
    from coai_routing.engine.provider import EmbeddedProvider
    from coai_routing.registry.catalog import Catalog, Family
    from coai_routing.registry.next_edit import NextEditFamily
    from coai_routing.settings.schema import EngineSettings
    from coai_routing.weights.store import ModelStore
    from coai_routing.weights.store_progress import PullProgress

logger = logging.getLogger(__name__)


class Embedded:
    """Keeps the engine running on the model that the settings name. It belongs to one loop."""

    def __init__(
        self,
        *,
        store: ModelStore,
        catalog: Catalog,
        directory: Path,
        on_change: Callable[[], None] = lambda: None,
        enabled: bool = True,
    ) -> None:
        """Start nothing yet; `use` does. `enabled` says what is expected of it until then."""
        self._store = store
        self._catalog = catalog
        self._directory = directory
        self._on_change = on_change
        self._settings: EngineSettings | None = None
        self._engine: EmbeddedEngine | None = None
        self._provider: EmbeddedProvider | None = None
        self._family: Family | None = None
        self._edits: NextEditFamily | None = None
        self._phase: Phase = "starting" if enabled else "off"
        self._detail = "The settings are being read." if enabled else "It is switched off."
        self._remedy = ""
        self._size: int | None = None
        self._lock = asyncio.Lock()
        self.missing: str | None = None
        """The model of the catalogue whose weights are not here yet, if that is what is wrong."""

    @property
    def engine(self) -> EmbeddedEngine | None:
        """The engine, once there are weights to run it on."""
        return self._engine

    @property
    def model(self) -> str:
        """The model as the settings name it."""
        return "" if self._settings is None else self._settings.model

    async def use(self, settings: EngineSettings) -> None:
        """Run the engine as the settings say; does nothing if it runs so already."""
        async with self._lock:
            if settings == self._settings and (self._engine is not None or not settings.enabled):
                return
            await self._stop()
            self._settings = settings
            if not settings.enabled:
                self._become("off", "It is switched off.", "Set engine.enabled to true.")
                return
            await self._start(settings)

    async def _start(self, settings: EngineSettings) -> None:
        self._become("starting", "Looking for the weights.")
        try:
            path, self._family, self._edits = await asyncio.to_thread(self._weights, settings.model)
        except ModelNotPulledError as error:
            self.missing = settings.model
            self._become("off", error.message, error.remedy)
            return
        except CoaiError as error:
            self._become("failed", error.message, error.remedy)
            return
        self.missing = None
        # Imported here, because the first request of a session must not wait for it.
        from coai_routing.engine.client import EmbeddedEngine  # noqa: PLC0415
        from coai_routing.engine.provider import EmbeddedProvider  # noqa: PLC0415

        self._size = path.stat().st_size
        self._engine = EmbeddedEngine(
            path, directory=self._directory, options=engine_options(settings)
        )
        self._engine.subscribe(lambda _: self._on_change())
        self._provider = EmbeddedProvider(self._engine)
        self._engine.start()
        self._on_change()

    def _weights(self, model: str) -> tuple[Path, Family | None, NextEditFamily | None]:
        """Return the file of a model and its family, by its name or by what the file says.

        A model that predicts the next edit has a family of that kind, and fills nothing in.
        """
        from coai_routing.weights.gguf import read_header  # noqa: PLC0415
        from coai_routing.weights.own_weights import family_of_file  # noqa: PLC0415

        path = self._store.resolve(model)
        header = read_header(path)
        for name in filter(None, (model, header.name)):
            if edits := next_edit_family(name, header.architecture):
                return path, None, edits
        return path, family_of_file(self._catalog, model, header), None

    async def _stop(self) -> None:
        engine, provider = self._engine, self._provider
        self._engine = self._provider = None
        if provider is not None:
            await provider.aclose()
        if engine is not None:
            await engine.aclose()

    def _become(self, phase: Phase, detail: str, remedy: str = "") -> None:
        self._phase, self._detail, self._remedy = phase, detail, remedy
        self._on_change()

    async def pull(self, progress: Callable[[PullProgress], None] | None = None) -> None:
        """Fetch the missing weights and start the engine; raises what the store raises."""
        settings, missing = self._settings, self.missing
        if settings is None or missing is None:
            return
        self._become("starting", f"Fetching {missing}.")

        def report(state: PullProgress) -> None:
            done, total = state.bytes_done / 1e6, state.bytes_total / 1e6
            self._become(
                "starting", f"Fetching {missing}: {state.phase}, {done:,.0f} of {total:,.0f} MB."
            )
            if progress is not None:
                progress(state)

        try:
            await self._store.pull(missing, report)
        except asyncio.CancelledError:
            self._become(
                "off",
                f"Fetching {missing} was stopped; what has come is kept.",
                f"Fetch the rest with `coai models pull {missing}`.",
            )
            raise
        except CoaiError as error:
            self._become("failed", error.message, error.remedy)
            raise
        async with self._lock:
            await self._start(settings)

    def served(self) -> Served:
        """Return it as a backend, as it stands now; reads only memory."""
        phase, detail, remedy, speed = self._phase, self._detail, self._remedy, None
        if self._engine is not None:
            state = self._engine.state
            phase = _PHASES[state.phase]
            detail, remedy = state.detail, state.remedy
            speed = state.speed
        context = 0 if self._settings is None else self._settings.context_tokens
        deployment = Deployment(
            EMBEDDED,
            self.model,
            fills_in=self._family is not None or self._engine is None,
            predicts_edits=self._edits is not None,
            phase=phase,
            detail=detail,
            remedy=remedy,
            size_bytes=self._size,
            speed=speed,
        )
        fim = None if self._family is None else self._family.fim
        return Served(
            deployment,
            self._place,
            fim,
            context,
            has_slots=True,
            reads_ahead=True,
            edits=self._edits,
        )

    def _place(self) -> Place | None:
        """Return where the engine is now; None while there is nothing to run."""
        provider = self._provider
        if provider is None:
            return None
        return Place(
            EMBEDDED,
            provider.base_url,
            local=True,
            connect=lambda: provider,
            bound=provider,
            shared=True,
        )

    async def aclose(self) -> None:
        """Stop using the engine."""
        async with self._lock:
            await self._stop()


_PHASES: dict[EnginePhase, Phase] = {
    EnginePhase.NOT_STARTED: "starting",
    EnginePhase.STARTING: "starting",
    EnginePhase.LOADING: "starting",
    EnginePhase.RESTARTING: "starting",
    EnginePhase.READY: "ready",
    EnginePhase.FAILED: "failed",
    EnginePhase.STOPPED: "off",
}


def engine_options(settings: EngineSettings) -> EngineOptions:
    """Return the engine's options for the user's settings."""
    chosen: dict[str, int] = {
        "slots": settings.slots,
        "context_tokens": settings.context_tokens,
        "idle_unload_seconds": settings.idle_unload_minutes * 60,
    }
    if settings.threads is not None:
        chosen["threads"] = settings.threads
    if settings.gpu_layers is not None:
        chosen["gpu_layers"] = settings.gpu_layers
    return EngineOptions.model_validate(chosen)
