"""The engine's process: it alone loads native inference code, and it dies with its last user.

llama.cpp's HTTP server and the control socket live and crash together. That is the point: every
user's control connection closes in the moment of a crash, so no one has to watch for it.

While llama.cpp loads, it holds the interpreter's lock, and the control socket is deaf: a user who
comes then is greeted when the model is loaded. The first user is greeted before.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import functools
import importlib
import logging
import os
import secrets
import signal
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from coai_routing.background import Background
from coai_routing.engine import speed_probe
from coai_routing.engine.control import ControlError, HostStatus, greet_user, send_line
from coai_routing.engine.launch import hold_alive_lock
from coai_routing.engine.record import (
    HostFiles,
    HostRecord,
    HostSpec,
    library_version,
    log_tail,
)
from coai_routing.engine.state import EngineEndpoint
from coai_routing.engine.threads import default_threads
from coai_routing.own_files import write_own_file

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Sequence


_log = logging.getLogger("coai_routing.engine.host")

LOG_BYTES = 1 << 20
"""The log starts anew when it is longer."""

WATCH_SECONDS = 5.0
"""How often the host looks whether the weights were unloaded, and how long the log is."""

_HANDSHAKE_SECONDS = 10.0
_ALIVE_SECONDS = 1.0
_EXIT_SECONDS = 15.0
_COMPLAINT_LOOKS = 20
_COMPLAINT_PAUSE = 0.1
_CPU_BATCH = 128
_GPU_BATCH = 512
_ERRORS = 1

EXIT_LOAD_FAILED = 1
EXIT_USAGE = 2
EXIT_ALREADY_RUNNING = 3


def configure(params: Any, spec: HostSpec, *, api_key: str, has_gpu: bool) -> None:  # noqa: ANN401 - native object without types
    """Fill in llama.cpp's parameters."""
    options = spec.options
    batch = options.batch_tokens or (_GPU_BATCH if has_gpu else _CPU_BATCH)
    params.model.path = str(spec.model)
    params.model_alias = {spec.model.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [api_key]
    # A page in a browser may read nothing here, not even that there is something.
    params.cors_origins = "http://127.0.0.1"
    params.ui = False
    params.n_parallel = options.slots
    params.n_ctx = options.slots * options.context_tokens
    params.n_gpu_layers = options.gpu_layers
    params.fit_params = has_gpu
    params.cpuparams.n_threads = options.threads or default_threads()
    params.cpuparams.poll = 0  # where llama.cpp has threads of its own instead of OpenMP's
    params.n_batch = batch
    params.n_ubatch = batch
    params.n_cache_reuse = options.cache_reuse_tokens
    params.cache_ram_mib = options.prompt_cache_mib
    params.sleep_idle_seconds = options.idle_unload_seconds or -1
    params.endpoint_slots = True
    params.verbosity = _ERRORS


def load_llama(spec: HostSpec, api_key: str) -> Any:  # noqa: ANN401 - native object without types
    """Load the model and start llama.cpp's HTTP server; blocks, and holds the interpreter's lock.

    Raises RuntimeError when llama.cpp refuses; what it thinks of it is in the log.
    """
    # By name, because this is the only place that may, and it has no types.
    native = importlib.import_module("xllamacpp")
    cpu = native.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    has_gpu = any(device["type"] != cpu for device in native.get_device_info())
    params = native.CommonParams()
    configure(params, spec, api_key=api_key, has_gpu=has_gpu)
    return native.Server(params)


class EngineHost:
    """One model's server, its users, and its end."""

    def __init__(self, spec: HostSpec) -> None:
        self._spec = spec
        self._files = HostFiles(spec.directory, spec.key)
        self._token = secrets.token_hex(32)
        self._status = HostStatus(
            phase="loading", pid=os.getpid(), version=library_version(), model=str(spec.model)
        )
        self._users: set[StreamWriter] = set()
        self._wanted = asyncio.Event()
        self._ending = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None
        self._llama: Any = None

    async def run(self) -> int:
        """Serve until the last user is gone; returns the exit code."""
        control = await asyncio.start_server(self._serve_user, "127.0.0.1", 0)
        port = control.sockets[0].getsockname()[1]
        record = HostRecord(pid=os.getpid(), port=port, token=self._token)
        write_own_file(self._files.record, record.model_dump_json())
        with contextlib.suppress(NotImplementedError):  # Windows: it has no such signals
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._ending.set)
        self._await_users(self._spec.first_user_seconds)
        work = asyncio.create_task(self._work())
        try:
            ending = asyncio.create_task(self._ending.wait())
            await asyncio.wait((work, ending), return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
        finally:
            # Native code is torn down from here on; should it hang, the process ends all the same.
            faulthandler.dump_traceback_later(_EXIT_SECONDS, exit=True)
            # From here on the next user finds no record and waits for the lock.
            self._files.record.unlink(missing_ok=True)
            control.close()
            for user in tuple(self._users):
                user.close()
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return EXIT_LOAD_FAILED if self._status.phase == "failed" else 0

    def _await_users(self, seconds: float) -> None:
        """End after `seconds`, unless someone comes."""
        self._linger = asyncio.get_running_loop().call_later(seconds, self._ending.set)

    async def _serve_user(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                await greet_user(reader, writer, self._token)
        except (ControlError, TimeoutError) as error:
            _log.warning("A connection was refused: %s", error)
            writer.close()
            return
        if self._linger is not None:
            self._linger.cancel()
        self._users.add(writer)
        self._wanted.set()
        self._publish()
        try:
            # A user says nothing; the read ends with the user. That is what it waits for, however
            # long it takes.
            while await reader.read(1024):
                pass
        except OSError as error:
            _log.info("A user's connection broke: %s", error)
        finally:
            self._users.discard(writer)
            writer.close()
            if not self._users:
                self._await_users(self._spec.options.linger_seconds)
        self._publish()

    def _publish(self, **changes: object) -> None:
        self._status = self._status.model_copy(update={**changes, "users": len(self._users)})
        for user in self._users:
            send_line(user, self._status)

    async def _work(self) -> None:
        """Load the model as soon as someone wants it, and look after it; ends when it fails."""
        await self._wanted.wait()
        api_key = secrets.token_urlsafe(32)
        try:
            self._llama = await asyncio.to_thread(load_llama, self._spec, api_key)
        except (RuntimeError, ImportError, OSError) as error:
            _log.exception("llama.cpp did not start")
            said = await complaints(self._files)
            self._publish(phase="failed", message=f"{error}\n{said}".strip())
            return
        endpoint = EngineEndpoint(base_url=self._llama.listening_address, api_key=api_key)
        self._publish(phase="ready", base_url=endpoint.base_url, api_key=endpoint.api_key)
        _log.info("Ready at %s", endpoint.base_url)
        idle = self._spec.options.idle_unload_seconds
        pause = min(WATCH_SECONDS, idle / 4) if idle else WATCH_SECONDS
        # What fails here is logged; it is no reason for anybody to lose the model.
        background = Background()
        background.repeat(lambda: self._watch(endpoint), every=pause, name="watch the server")
        if self._spec.options.measure_speed:
            background.spawn(self._find_speed(endpoint), name="find the speed")
        try:
            await self._ending.wait()
        finally:
            await background.aclose()

    async def _watch(self, endpoint: EngineEndpoint) -> None:
        """Say whether the weights were unloaded or are back, and keep the log short."""
        await asyncio.to_thread(bound_log, self._files)
        if not self._spec.options.idle_unload_seconds:
            return
        try:
            props = await asyncio.to_thread(
                speed_probe.ask_server, endpoint, "/props", speed_probe.ServerProps
            )
        except OSError as error:
            _log.warning("llama.cpp does not say whether it sleeps: %s", error)
            return
        if props.is_sleeping != self._status.asleep:
            self._publish(asleep=props.is_sleeping)

    async def _find_speed(self, endpoint: EngineEndpoint) -> None:
        """Look the model's speed up, or measure it while nobody else needs the server."""
        directory, options = self._spec.directory, self._spec.options
        key = await asyncio.to_thread(speed_probe.speed_key, self._spec.model, options)
        kept = await asyncio.to_thread(speed_probe.kept_speed, directory, key)
        if kept is not None:
            self._publish(speed=kept)
            return
        measure = functools.partial(
            speed_probe.measure_speed,
            endpoint,
            slot=options.slots - 1,
            context_tokens=options.context_tokens,
            give_up=self._ending.is_set,
        )
        is_quiet = functools.partial(speed_probe.machine_is_quiet, options.threads or 1)
        async with aclosing(speed_probe.measurements(measure, is_quiet)) as measurements:
            async for found in measurements:
                self._publish(speed=found.speed)
                if found.quiet:
                    await asyncio.to_thread(speed_probe.keep_speed, directory, key, found.speed)


async def complaints(files: HostFiles) -> str:
    """Return llama.cpp's error messages; they reach the log a little later than we do."""
    errors: list[str] = []
    for _ in range(_COMPLAINT_LOOKS):
        before = errors
        errors = [line for line in log_tail(files.log, 40).splitlines() if " E " in line]
        if errors and errors == before:
            break
        await asyncio.sleep(_COMPLAINT_PAUSE)
    return "\n".join(errors)


def bound_log(files: HostFiles) -> None:
    """Start the log anew if it grew long or is gone.

    It is written by appending, so its end moves along.
    """
    try:
        too_long = files.log.stat().st_size > LOG_BYTES
    except FileNotFoundError:
        write_to_log(files)  # what is still written to the old one would be seen by nobody
        return
    if too_long:
        os.truncate(files.log, 0)


def write_to_log(files: HostFiles) -> None:
    """Send what Python and native code print to the log, by appending on every platform."""
    descriptor = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)


def main(arguments: Sequence[str]) -> int:
    """Run one host; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("The engine's process is started by COAI itself; see `coai models`.\n")
        return EXIT_USAGE
    spec = HostSpec.model_validate_json(arguments[0])
    files = HostFiles(spec.directory, spec.key)
    write_to_log(files)
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Held until the process ends, which is what it says.
    alive = hold_alive_lock(files, _ALIVE_SECONDS)
    if alive is None:
        _log.error("Another host holds %s", files.alive_lock)
        return EXIT_ALREADY_RUNNING
    _log.info("Host %d of %s", os.getpid(), spec.model)
    host = EngineHost(spec)
    code = asyncio.run(host.run())
    _log.info("Host %d ends with exit code %d", os.getpid(), code)
    return code
