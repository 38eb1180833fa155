"""A thousand requests at once with 64 under way: what bare sockets, bare HTTP and the router reach.

No schedule can be over sooner than so many rounds as the limit leaves, each as long as the backend
takes. How long it takes is what a lone request takes through a bare socket: a timer of 50 ms and
the way there and back. All clients ask the same server, in a process of its own, one after the
other in every round, so that a change of the machine's pace meets all of them.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
from tests.support.routing import place, question, routing

from benchmarks.support.quick_model import asked, quick_model
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.router.router import RouterSettings

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from coai_routing.policy.question import Question

    Ask = Callable[[int], Awaitable[object]]

LIMIT: Final = 64
DELAY_MS: Final = 50.0
MANY: Final = 1000
ROUNDS: Final = 5

_PATH: Final = "/v1/chat/completions"
_BODY: Final = json.dumps(
    {"stream": True, "messages": [{"role": "user", "content": "x"}], "n_predict": 8}
).encode()


@dataclass(frozen=True, slots=True)
class Crowds:
    """What was measured; all times in seconds."""

    upstream: int
    """Calls of the backend for the same question, asked so often."""
    errors: int
    lone: float
    """One request through a bare socket."""
    took: dict[str, float]
    """The whole crowd of different requests, by client: the best of some rounds."""
    cpu_ms: dict[str, float]
    """This process's, for each request."""

    @property
    def least(self) -> float:
        """What no schedule can undercut."""
        return math.ceil(MANY / LIMIT) * self.lone


async def measure_crowds() -> Crowds:
    """Ask the same a thousand times at once, then a thousand different things in every way."""
    # What was imported stays for good, and the daemon's collector does not walk through it either.
    gc.collect()
    gc.freeze()
    with quick_model(DELAY_MS) as url:
        lone = await _lone(url)
        settings = RouterSettings(max_concurrent=LIMIT)
        async with routing(place("quick", url), settings=settings) as router:
            await asyncio.gather(*(router.answer(question(f"warm{n}")) for n in range(LIMIT)))
            before = await asyncio.to_thread(asked, url)
            await asyncio.gather(
                *(router.answer(question("the same", timeout=60.0)) for _ in range(MANY))
            )
            upstream = await asyncio.to_thread(asked, url) - before
        clients: dict[str, Callable[[str], AbstractAsyncContextManager[Ask]]] = {
            "bare sockets": _sockets,
            "bare aiohttp": _aiohttp,
            "the provider alone": _provider,
            "the router": _router,
        }
        took: dict[str, list[float]] = {name: [] for name in clients}
        cpu: dict[str, list[float]] = {name: [] for name in clients}
        errors = 0
        for _ in range(ROUNDS):
            for name, client in clients.items():
                async with client(url) as ask:
                    seconds, spent, wrong = await _crowd(ask, limited=client is not _router)
                took[name].append(seconds)
                cpu[name].append(spent)
                errors += wrong
    return Crowds(
        upstream,
        errors,
        lone,
        {name: min(seconds) for name, seconds in took.items()},
        {name: min(spent) for name, spent in cpu.items()},
    )


async def _crowd(ask: Ask, *, limited: bool) -> tuple[float, float, int]:
    """Return the seconds that a crowd takes, milliseconds of CPU a request, and the errors."""
    turns = asyncio.Semaphore(LIMIT)

    async def in_turn(number: int) -> object:
        async with turns:
            return await ask(number)

    one = in_turn if limited else ask
    # As many at once as later, so that connections are there.
    await asyncio.gather(*(one(-number - 1) for number in range(LIMIT)))
    begun, spent = time.perf_counter(), time.process_time()
    outcomes = await asyncio.gather(*(one(n) for n in range(MANY)), return_exceptions=True)
    return (
        time.perf_counter() - begun,
        (time.process_time() - spent) * 1000 / MANY,
        sum(isinstance(outcome, BaseException) for outcome in outcomes),
    )


async def _lone(url: str) -> float:
    times: list[float] = []
    async with _sockets(url) as ask:
        for number in range(20):
            begun = time.perf_counter()
            await ask(number)
            times.append(time.perf_counter() - begun)
    return median(times)


@asynccontextmanager
async def _sockets(url: str) -> AsyncGenerator[Ask]:
    """Speak HTTP with as little as it takes."""
    place = urlsplit(url)
    free: list[tuple[StreamReader, StreamWriter]] = []
    head = f"POST {_PATH} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(_BODY)}\r\n\r\n"

    async def ask(_: int) -> bytes:
        reader, writer = (
            free.pop() if free else await asyncio.open_connection(place.hostname, place.port)
        )
        writer.write(head.encode() + _BODY)
        told = await reader.readuntil(b"\r\n\r\n")
        length = told.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length))
        free.append((reader, writer))
        return body

    yield ask
    for _, writer in free:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncGenerator[Ask]:
    """Use the HTTP client that the provider is built on, without anything around it."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as session:

        async def ask(_: int) -> bytes:
            async with session.post(_PATH, data=_BODY) as reply:
                return await reply.read()

        yield ask


@asynccontextmanager
async def _provider(url: str) -> AsyncGenerator[Ask]:
    provider = LlamaServerProvider(name="quick", base_url=url)
    asked_for = _questions()
    yield lambda number: provider.chat(asked_for[number].request)
    await provider.aclose()


@asynccontextmanager
async def _router(url: str) -> AsyncGenerator[Ask]:
    settings = RouterSettings(max_concurrent=LIMIT)
    async with routing(place("quick", url), settings=settings) as router:
        asked_for = _questions()
        yield lambda number: router.answer(asked_for[number])


def _questions() -> dict[int, Question]:
    """Make the questions beforehand: bare HTTP has no such cost in its time either."""
    return {number: question(f"x{number}", timeout=60.0) for number in range(-LIMIT, MANY)}
