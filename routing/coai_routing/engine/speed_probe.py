"""Measure how fast a llama.cpp server evaluates prompts and generates, and keep the figures.

It runs in the host, on a slot of its own and only while no other slot works. Each of its requests
is small, so a user's request that comes meanwhile waits for a fraction of a second at most, and the
figure that it disturbed is thrown away. A figure that was measured while other programs kept the
machine busy is too low, by several times: it is better than none, but it is not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from coai_routing.engine.record import library_version, model_identity
from coai_routing.own_files import write_own_file
from coai_routing.pool.speed import Probe, Speed, Timing, probing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from coai_routing.engine.state import EngineEndpoint, EngineOptions

_log = logging.getLogger(__name__)

FIRST_WORDS = 60
MORE_WORDS = 240
"""A word of the made-up prompt is one or two tokens. The longer prompt is only evaluated where the
short one took no time, as on a GPU, whose speed a short one does not show."""

_WORD_TOKENS = 8  # at the very most, with a vocabulary of bytes

ROUNDS = 2
"""The best of so many counts: what else ran on the machine only ever makes it slower."""

_ENOUGH = 0.75
_LOOK_SECONDS = 0.3
_TRIES = 20
_PATIENT_TRIES = 2
_REQUEST_SECONDS = 60.0
_ANSWER_SECONDS = 5.0


class _KeptSpeeds(BaseModel):
    """The file of figures, by what they were measured with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speeds: dict[str, Speed] = Field(default_factory=dict[str, Speed])


class _Timings(BaseModel):
    prompt_ms: float
    prompt_per_second: float
    predicted_per_second: float


class _Reply(BaseModel):
    timings: _Timings


class _Slot(BaseModel):
    id: int
    is_processing: bool


class _Slots(RootModel[list[_Slot]]):
    """The answer of `/slots`."""


class ServerProps(BaseModel):
    """What the host needs of `/props`."""

    is_sleeping: bool


_Answer = TypeVar("_Answer", bound=BaseModel)


def speed_key(model: Path, options: EngineOptions) -> str:
    """Name what a figure depends on: the weights, the library, the machine, and the options."""
    return " ".join(
        (
            f"{model.name}@{model_identity(model)[:16]}",
            f"xllamacpp={library_version()}",
            f"machine={platform.node()}/{platform.machine()}/{os.cpu_count()}",
            f"threads={options.threads}",
            f"gpu_layers={options.gpu_layers}",
            f"batch={options.batch_tokens}",
        )
    )


def speeds_file(directory: Path) -> Path:
    """Return where the figures are kept."""
    return directory / "speeds.json"


def kept_speed(directory: Path, key: str) -> Speed | None:
    """Return the figure that was measured before, if there is one."""
    return _read(speeds_file(directory)).speeds.get(key)


def keep_speed(directory: Path, key: str, speed: Speed) -> None:
    """Add a figure to the file. Hosts that do so at once wait for one another."""
    from filelock import FileLock  # noqa: PLC0415 - not at server start

    path = speeds_file(directory)
    with FileLock(path.with_suffix(".lock"), mode=0o600, timeout=10):
        speeds = {**_read(path).speeds, key: speed}
        write_own_file(path, _KeptSpeeds(speeds=speeds).model_dump_json(indent=2))


def _read(path: Path) -> _KeptSpeeds:
    try:
        return _KeptSpeeds.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _KeptSpeeds()
    except ValidationError as error:
        aside = path.with_suffix(".corrupt")
        with contextlib.suppress(FileNotFoundError):  # another host was faster
            path.replace(aside)
        _log.warning("%s made no sense and is now %s: %s", path, aside, error)
        return _KeptSpeeds()


def ask_server(
    endpoint: EngineEndpoint, path: str, kind: type[_Answer], body: dict[str, object] | None = None
) -> _Answer:
    """Ask the server itself; blocks. Raises OSError when it does not answer, or not what it should.

    It is http.client because the host has no other use for an HTTP library.
    """
    address = urlsplit(endpoint.base_url)
    timeout = _ANSWER_SECONDS if body is None else _REQUEST_SECONDS
    connection = http.client.HTTPConnection(
        address.hostname or "127.0.0.1", address.port, timeout=timeout
    )
    try:
        connection.request(
            "GET" if body is None else "POST",
            path,
            body=None if body is None else json.dumps(body),
            headers={
                "Authorization": f"Bearer {endpoint.api_key}",
                "Content-Type": "application/json",
            },
        )
        response = connection.getresponse()
        raw = response.read()
        if response.status != http.client.OK:
            raise ConnectionError(f"llama.cpp answered {path} with {response.status}")
        return kind.model_validate_json(raw)
    except (http.client.HTTPException, ValidationError) as error:
        raise ConnectionError(f"llama.cpp's answer to {path} is malformed: {error}") from error
    finally:
        connection.close()


def _others_work(endpoint: EngineEndpoint, mine: int) -> bool:
    slots = ask_server(endpoint, "/slots", _Slots).root
    return any(slot.is_processing for slot in slots if slot.id != mine)


def measure_speed(
    endpoint: EngineEndpoint, *, slot: int, context_tokens: int, give_up: Callable[[], bool]
) -> Speed | None:
    """Measure on `slot`, whose size is given; blocks.

    Returns None if others used the server meanwhile, or `give_up()` says so. Raises OSError when
    the server does not answer.
    """
    most = context_tokens // _WORD_TOKENS
    asking = probing((min(FIRST_WORDS, most), min(MORE_WORDS, most)), rounds=ROUNDS, apart=True)
    timing: Timing | None = None
    while not give_up() and not _others_work(endpoint, slot):
        try:
            probe = next(asking) if timing is None else asking.send(timing)
        except StopIteration as told:
            return told.value
        timing = _evaluate(endpoint, probe, slot)
    return None


@dataclass(frozen=True)
class Measurement:
    """A figure, and whether it was measured while the machine did little else."""

    speed: Speed
    quiet: bool


def measure_if_quiet(
    measure: Callable[[], Speed | None], is_quiet: Callable[[], bool], *, insist: bool
) -> Measurement | None:
    """Measure unless the machine is busy, then too if `insist`; blocks."""
    quiet = is_quiet()
    speed = measure() if quiet or insist else None
    return None if speed is None else Measurement(speed, quiet and is_quiet())


async def measurements(
    measure: Callable[[], Speed | None],
    is_quiet: Callable[[], bool],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[Measurement]:
    """Yield what is measured: one figure of a busy machine at most, and the first of a quiet one.

    A busy machine's figure is better than none, but each takes seconds from whoever waits for a
    completion, and the answers themselves tell how fast the model is there.
    """
    known = False
    for attempt in range(_TRIES):
        # At first someone may be waiting for their first completion.
        await pause(min(0.5 * 2**attempt, 60.0))
        insist = attempt >= _PATIENT_TRIES and not known
        try:
            found = await asyncio.to_thread(measure_if_quiet, measure, is_quiet, insist=insist)
        except OSError as error:
            _log.warning("The engine's speed was not measured: %s", error)
            continue
        if found is not None:
            known = True
            yield found
            if found.quiet:
                return


def leaves_enough(*, busy_percent: float, cpus: int, threads: int) -> bool:
    """Tell whether so busy a machine has CPUs left for three quarters of the threads."""
    return cpus * (1 - busy_percent / 100) >= _ENOUGH * min(threads, cpus)


def machine_is_quiet(threads: int) -> bool:
    """Look at the machine for a moment; blocks for that long."""
    import psutil  # noqa: PLC0415 - native; not before it is needed

    return leaves_enough(
        busy_percent=psutil.cpu_percent(interval=_LOOK_SECONDS),
        cpus=os.cpu_count() or 1,
        threads=threads,
    )


def _evaluate(endpoint: EngineEndpoint, probe: Probe, slot: int) -> Timing:
    body: dict[str, object] = {
        "prompt": probe.prompt,
        "n_predict": probe.output_tokens,
        "ignore_eos": True,
        "temperature": 0,
        "cache_prompt": True,
        "id_slot": slot,
    }
    timings = ask_server(endpoint, "/completion", _Reply, body).timings
    return Timing(timings.prompt_ms, timings.prompt_per_second, timings.predicted_per_second)
