"""The embedded engine as a daemon sees it: start it, ask where it is, be told how it fares."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from coai_routing.engine.control import ControlError, HostStatus, greet_host, receive_line
from coai_routing.engine.state import EngineEndpoint, EngineOptions, EnginePhase, EngineState
from coai_routing.errors import CoaiError, EngineError, EngineGaveUpError, ModelFileError

if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import Callable
    from pathlib import Path

    from coai_routing.engine.record import HostFiles, HostRecord

_log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
LOAD_SECONDS = 600.0
"""How long a model may take to load: a big one from a slow disk takes minutes. A host that comes to
grief meanwhile is seen at once, by its connection."""

_DOCTOR = "`coai doctor` says more."


class EngineNotReadyError(EngineError):
    """The engine is still starting or loading, and the caller would not wait any longer."""


class EngineRefusedError(EngineError):
    """llama.cpp does not take the model; trying again would not help."""


class EngineCrashedError(EngineError):
    """The engine's process ended while it was in use."""


@dataclass(frozen=True)
class RestartPolicy:
    """When to restart a crashed engine. Times are in seconds."""

    first_delay: float = 0.2
    """Doubled with each crash in the window, up to `longest_delay`, and varied by a quarter, so
    that several daemons do not act in step."""
    longest_delay: float = 30.0
    crashes: int = 5
    """With so many in the window, the engine is not restarted any more."""
    window: float = 600.0

    def delay(self, crashes: int) -> float:
        """Return how long to wait after the `crashes`-th crash, before it is varied."""
        return min(self.longest_delay, self.first_delay * 2.0 ** (crashes - 1))


class EmbeddedEngine:
    """A llama.cpp server for one model, in a process that all daemons of the user share.

    It belongs to one event loop. Nothing here blocks it.
    """

    def __init__(
        self,
        model: Path,
        *,
        directory: Path,
        options: EngineOptions | None = None,
        restart: RestartPolicy | None = None,
    ) -> None:
        self._model = model
        self._directory = directory
        self._options = options or EngineOptions()
        self._restart = restart or RestartPolicy()
        self._state = EngineState(
            phase=EnginePhase.NOT_STARTED, detail="The engine is not started."
        )
        self._endpoint: EngineEndpoint | None = None
        self._error: CoaiError | None = None
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._abandoned = threading.Event()
        self._listeners: list[Callable[[EngineState], None]] = []
        self._crashes: deque[float] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def model(self) -> Path:
        """The weights that it serves."""
        return self._model

    @property
    def directory(self) -> Path:
        """Where its processes keep their state, logs and figures."""
        return self._directory

    @property
    def options(self) -> EngineOptions:
        """How it is to run."""
        return self._options

    @property
    def state(self) -> EngineState:
        """How it fares now."""
        return self._state

    @property
    def current_endpoint(self) -> EngineEndpoint | None:
        """Where it answers now; None while it does not."""
        return self._endpoint

    def subscribe(self, listener: Callable[[EngineState], None]) -> Callable[[], None]:
        """Call `listener` in the event loop after every change of state; returns what ends that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):  # a second time
                self._listeners.remove(listener)

        return unsubscribe

    def start(self) -> None:
        """Begin to start the engine, in the background; does nothing when that is under way.

        After a failure it tries anew, with earlier crashes forgotten.
        """
        if self._task is not None and not self._task.done():
            return
        self._crashes.clear()
        self._error = None
        self._abandoned = threading.Event()
        self._become(EnginePhase.STARTING, "The engine is starting.")
        self._task = asyncio.create_task(self._keep_running(), name="embedded engine")
        self._task.add_done_callback(self._note_end)

    def retry(self) -> None:
        """Try anew at once: after a failure, or instead of waiting until the next restart."""
        self._crashes.clear()
        self._hurry.set()
        self.start()

    async def endpoint(self, within: float) -> EngineEndpoint:
        """Return where the engine answers, once it does, but wait no longer than `within` seconds.

        Raises EngineNotReadyError when it takes longer, ModelFileError or another EngineError when
        the engine failed, and EngineError when nobody started it.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    if self._endpoint is not None:
                        return self._endpoint
                    if self._error is not None:
                        raise type(self._error)(
                            self._error.message, remedy=self._error.remedy
                        ) from self._error
                    if self._task is None or self._task.done():
                        raise EngineError("The engine is not started.", remedy="Start it first.")
                    await self._changed.wait()
        except TimeoutError as error:
            raise EngineNotReadyError(
                self._state.detail, remedy="It goes on in the background: ask again soon."
            ) from error

    async def moved(self, endpoint: EngineEndpoint, within: float) -> bool:
        """Tell whether the engine is not at `endpoint` any more, or leaves it `within` seconds.

        A crash may be felt at the server's socket an instant before it is known here.
        """
        try:
            async with asyncio.timeout(within):
                while self._endpoint == endpoint:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """Stop using the engine; its process ends soon if nobody else does."""
        if self._task is not None:
            self._abandoned.set()
            self._task.cancel()
            await asyncio.wait((self._task,))
        self._error = None
        self._become(EnginePhase.STOPPED, "The engine is stopped.")

    def _become(self, phase: EnginePhase, detail: str, **more: object) -> None:
        """Change the state; what is about a process is forgotten unless it is said again."""
        if phase is not EnginePhase.READY:
            self._endpoint = None
        state = EngineState.model_validate({"phase": phase, "detail": detail, **more})
        if state != self._state:
            self._state = state
            loop = asyncio.get_running_loop()
            for listener in self._listeners:
                loop.call_soon(listener, state)  # what it raises is its own trouble
        self._changed.set()
        self._changed = asyncio.Event()

    def _fail(self, error: CoaiError) -> None:
        self._error = error
        self._become(EnginePhase.FAILED, error.message, remedy=error.remedy)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("The engine's keeper failed", exc_info=error)
            self._fail(EngineError(f"The engine's keeper failed: {error!r}.", remedy=_DOCTOR))

    async def _keep_running(self) -> None:
        while True:
            try:
                await self._run_once()
            except (ModelFileError, EngineRefusedError) as error:
                self._fail(error)
                return
            except EngineError as error:
                crash = error
            except OSError as error:
                crash = EngineError(f"The engine could not be started: {error}.", remedy=_DOCTOR)
            count = self._count_crash()
            if count >= self._restart.crashes:
                self._fail(
                    EngineGaveUpError(
                        f"The engine failed {count} times and is not restarted any more. "
                        f"{crash.message}",
                        remedy=crash.remedy or _DOCTOR,
                    )
                )
                return
            self._become(EnginePhase.RESTARTING, crash.message, remedy=crash.remedy)
            await self._pause(self._restart.delay(count))

    def _count_crash(self) -> int:
        """Note a crash now; returns how many there were in the window."""
        now = time.monotonic()
        self._crashes.append(now)
        while now - self._crashes[0] > self._restart.window:
            self._crashes.popleft()
        return len(self._crashes)

    async def _pause(self, seconds: float) -> None:
        varied = seconds * (0.75 + secrets.randbelow(500) / 1000)
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):  # nobody was in a hurry
            async with asyncio.timeout(varied):
                await self._hurry.wait()

    async def _run_once(self) -> NoReturn:
        """Find or start a host and use it until it ends. Returns only by raising."""
        self._become(EnginePhase.STARTING, "The engine is starting.")
        files, record = await asyncio.to_thread(
            _find_host, self._model, self._directory, self._options, self._abandoned
        )
        self._become(EnginePhase.LOADING, f"{self._model.name} is loading.", pid=record.pid)
        reader, writer = await _connect(record.port)
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await greet_host(reader, writer, record)
                while not await self._follow(reader):
                    pass
            # Nothing more to wait for but news, and the end; they may take days.
            while True:
                await self._follow(reader)
        except TimeoutError as error:
            raise EngineError(
                f"{self._model.name} did not load within {LOAD_SECONDS:.0f} seconds.",
                remedy=_DOCTOR,
            ) from error
        except ControlError as error:
            raise await asyncio.to_thread(_explain, error, files) from error
        finally:
            writer.close()

    async def _follow(self, reader: StreamReader) -> bool:
        """Take in one status of the host; tells whether the engine is ready."""
        status = await receive_line(reader, HostStatus)
        if status.phase == "failed":
            raise EngineRefusedError(
                f"llama.cpp did not load {self._model.name}: {status.message}",
                remedy="Is there enough free memory, and is it a model that llama.cpp supports? "
                + _DOCTOR,
            )
        if status.base_url is None or status.api_key is None:
            return False
        self._endpoint = EngineEndpoint(base_url=status.base_url, api_key=status.api_key)
        self._become(
            EnginePhase.READY,
            f"{self._model.name} is "
            + ("asleep; the next request wakes it." if status.asleep else "ready."),
            speed=status.speed,
            pid=status.pid,
            version=status.version,
            asleep=status.asleep,
        )
        return True


async def _connect(port: int) -> tuple[StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError) as error:
        raise EngineError(f"The engine's control port does not answer: {error!r}.") from error


def _find_host(
    model: Path, directory: Path, options: EngineOptions, abandoned: threading.Event
) -> tuple[HostFiles, HostRecord]:
    """Check the file, then find or start its host. Blocks."""
    from coai_routing.engine import launch, record  # noqa: PLC0415 - not at server start
    from coai_routing.weights import gguf  # noqa: PLC0415 - not at server start

    options = options.settled()
    gguf.check_file(model)
    record.secure_directory(directory)
    key = record.host_key(model, options)
    files = record.HostFiles(directory, key)
    spec = record.HostSpec(model=model.resolve(), directory=directory, key=key, options=options)
    return files, launch.find_or_start(spec, files, abandoned)


def _explain(error: ControlError, files: HostFiles) -> EngineCrashedError:
    from coai_routing.engine import launch, record  # noqa: PLC0415 - not at server start

    launch.reap_children()
    said = record.log_tail(files.log)
    return EngineCrashedError(
        f"The engine's process ended unexpectedly ({error.message}).\n{said}".strip(),
        remedy=f"Its log is {files.log}.",
    )
