"""How fast the engine is: measured on a real llama.cpp server, kept in a real file."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_routing.engine.speed_probe import (
    Measurement,
    ServerProps,
    ask_server,
    keep_speed,
    kept_speed,
    leaves_enough,
    measure_if_quiet,
    measure_speed,
    measurements,
    speed_key,
    speeds_file,
)
from coai_routing.engine.state import EngineEndpoint, EngineOptions
from coai_routing.pool.speed import Speed
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.request import ModelRequest

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Iterator

    from tests.support.llama import LlamaServer

SPEED = Speed(prompt_tokens_per_second=150.0, output_tokens_per_second=50.0)


@pytest.fixture
def endpoint(llama_server: LlamaServer) -> EngineEndpoint:
    assert llama_server.api_key is not None
    return EngineEndpoint(base_url=llama_server.base_url, api_key=llama_server.api_key)


@pytest.mark.parametrize("context_tokens", [256, 4096])
def test_both_speeds_are_measured(endpoint: EngineEndpoint, context_tokens: int) -> None:
    speed = measure_speed(endpoint, slot=3, context_tokens=context_tokens, give_up=lambda: False)
    assert speed is not None


def test_nothing_is_measured_when_the_host_ends(endpoint: EngineEndpoint) -> None:
    assert measure_speed(endpoint, slot=3, context_tokens=4096, give_up=lambda: True) is None


async def test_nothing_is_measured_while_a_user_is_served(
    endpoint: EngineEndpoint, llama_server: LlamaServer
) -> None:
    provider = LlamaServerProvider(
        name="test", base_url=llama_server.base_url, api_key=llama_server.api_key
    )
    request = ModelRequest(prompt="def f(", max_tokens=4000, slot=0)
    async with aclosing(provider.stream(request)) as deltas:
        await anext(deltas)
        measured = await asyncio.to_thread(
            measure_speed, endpoint, slot=3, context_tokens=4096, give_up=lambda: False
        )
    await provider.aclose()
    assert measured is None


@pytest.mark.parametrize(
    ("quiet", "insist", "expected"),
    [
        ((True, True), False, Measurement(SPEED, quiet=True)),
        ((True, False), False, Measurement(SPEED, quiet=False)),
        ((False,), False, None),
        ((False,), True, Measurement(SPEED, quiet=False)),
    ],
)
def test_a_busy_machine_is_measured_late_and_its_figure_marked(
    quiet: tuple[bool, ...], insist: bool, expected: Measurement | None
) -> None:
    looks = iter(quiet)
    assert measure_if_quiet(lambda: SPEED, lambda: next(looks), insist=insist) == expected
    assert next(looks, None) is None


@pytest.mark.parametrize(
    ("quiet", "measured", "told"),
    [
        (repeat(True), 1, [True]),
        (repeat(False), 1, [False]),
        # Busy at first: one figure then, and one as soon as it is quiet.
        (iter([*[False] * 6, True, True]), 2, [False, True]),
        # Quiet when it began and busy when it ended: that was the one figure of a busy machine.
        (iter([True, False, *[False] * 30]), 1, [False]),
    ],
    ids=["quiet", "busy", "busy, then quiet", "busy meanwhile"],
)
async def test_a_busy_machine_is_measured_once(
    quiet: Iterator[bool], measured: int, told: list[bool]
) -> None:
    count = 0

    def measure() -> Speed:
        nonlocal count
        count += 1
        return SPEED

    async def pause(seconds: float) -> None:
        assert seconds > 0

    found = measurements(measure, lambda: next(quiet), pause=pause)
    assert [one.quiet async for one in found] == told
    assert count == measured


async def test_a_server_that_does_not_answer_is_asked_again() -> None:
    answers = iter([ConnectionError("gone"), SPEED])

    def measure() -> Speed:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def pause(_: float) -> None:
        pass

    found = measurements(measure, lambda: True, pause=pause)
    assert [one.speed async for one in found] == [SPEED]


@pytest.mark.parametrize(
    ("busy_percent", "cpus", "threads", "expected"),
    [
        (0, 2, 2, True),
        (20, 2, 2, True),
        (50, 2, 2, False),
        (50, 16, 8, True),
        (70, 16, 8, False),
        (90, 16, 1, True),
        (0, 1, 4, True),
        (100, 4, 1, False),
    ],
)
def test_a_machine_is_quiet_when_it_has_cpus_left_for_the_threads(
    busy_percent: float, cpus: int, threads: int, expected: bool
) -> None:
    assert leaves_enough(busy_percent=busy_percent, cpus=cpus, threads=threads) is expected


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 500 Sorry\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno JSON..",
        b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"other": true}',
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
async def test_an_answer_that_makes_no_sense_is_an_os_error(answer: bytes) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    stranger = EngineEndpoint(base_url=f"http://127.0.0.1:{port}", api_key="key")
    with pytest.raises(OSError):  # noqa: PT011 - any of them
        await asyncio.to_thread(ask_server, stranger, "/props", ServerProps)
    server.close()


def test_a_figure_is_kept_and_others_with_it(tmp_path: Path) -> None:
    assert kept_speed(tmp_path, "one") is None
    keep_speed(tmp_path, "one", SPEED)
    faster = Speed(prompt_tokens_per_second=1500.0, output_tokens_per_second=500.0)
    keep_speed(tmp_path, "two", faster)
    assert kept_speed(tmp_path, "one") == SPEED
    assert kept_speed(tmp_path, "two") == faster


def test_figures_that_are_kept_at_once_are_all_kept(tmp_path: Path) -> None:
    keys = [f"key {number}" for number in range(12)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(keep_speed, repeat(tmp_path), keys, repeat(SPEED)))
    assert all(kept_speed(tmp_path, key) == SPEED for key in keys)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b'{"speeds": {"key": {"prompt_tokens_per_second": -1}}}', b"[]"]
)
def test_a_corrupt_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = speeds_file(tmp_path)
    path.write_bytes(content)
    assert kept_speed(tmp_path, "key") is None
    assert path.with_suffix(".corrupt").read_bytes() == content
    keep_speed(tmp_path, "key", SPEED)
    assert kept_speed(tmp_path, "key") == SPEED
    assert json.loads(path.read_bytes())["speeds"].keys() == {"key"}


def test_a_figure_holds_for_one_model_and_one_way_to_run_it(tiny_gguf: Path) -> None:
    options = EngineOptions(threads=2)
    key = speed_key(tiny_gguf, options)
    assert speed_key(tiny_gguf, EngineOptions(threads=2, slots=2)) == key
    assert speed_key(tiny_gguf, EngineOptions(threads=1)) != key
    assert speed_key(tiny_gguf, EngineOptions(threads=2, gpu_layers=0)) != key
    assert speed_key(Path(__file__), options) != key
