"""The one way to a model: who may be asked, what a call tells of it, and by which connection."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from coai_routing.errors import (
    EgressRefusedError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RequestRejectedError,
)
from coai_routing.policy.completion import Wishes
from coai_routing.pool.backends import Backends
from coai_routing.pool.endpoints import server_place
from coai_routing.pool.health import FAILURES_TO_OPEN, Circuit
from coai_routing.pool.place import Place
from coai_routing.pool.pool import KEPT, ModelPool
from coai_routing.pool.speed import Speed
from coai_routing.privacy.egress import Egress
from coai_routing.providers.discovery import Found
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.request import (
    Capability,
    Delta,
    Message,
    ModelDescription,
    ModelReply,
    ModelRequest,
    Timings,
    Usage,
)
from coai_routing.wiring.configured import completion_egress, configured_endpoints
from tests.support.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_routing.providers.base import Provider

PROMPT = ModelRequest(prompt="x")
QUESTION = ModelRequest(
    capability=Capability.CODE_ANALYSIS, messages=(Message(role="user", content="?"),)
)
REPLY = ModelReply(text="ab", finish="stop", model="m", provider="p")
BROKEN = ProviderUnavailableError("It broke off.", provider="p")


class Scripted:
    """A provider whose every answer is scripted: pieces, then the reply or an error."""

    name = "p"
    base_url = "http://127.0.0.1:1"

    def __init__(self, *ends: ProviderError | ModelReply | None, pieces: int = 2) -> None:
        self.ends: list[ProviderError | ModelReply | None] = [*ends]
        self.pieces = pieces
        self.asked = 0
        self.closed = 0
        self.open = 0
        self.on_ask: Callable[[], None] = lambda: None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        self.asked += 1
        self.on_ask()
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        self.open += 1
        try:
            for _ in range(self.pieces):
                yield Delta(text="a")
            if isinstance(end, ProviderError):
                raise end
            if end is not None:
                yield Delta(reply=end)
        finally:
            self.open -= 1

    async def aclose(self) -> None:
        self.closed += 1


def place(provider: Scripted, *, bound: str = "", name: str = "p", shared: bool = False) -> Place:
    speaks = cast("Provider", provider)
    return Place(
        name, provider.base_url, local=True, connect=lambda: speaks, bound=bound, shared=shared
    )


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def ask(
    pool: ModelPool, at: Place, request: ModelRequest = PROMPT, *, pieces: int | None = None
) -> str:
    """Return what a model says, or the first pieces of it and leave."""
    said: list[str] = []
    async with aclosing(pool.stream(at, request)) as deltas:
        async for delta in deltas:
            said.append(delta.text)
            if len(said) == pieces:
                break
    return "".join(said)


async def broken(pool: ModelPool, at: Place, request: ModelRequest = PROMPT) -> str:
    """Return the message of the error that a call ends in."""
    with pytest.raises(ProviderError) as caught:
        await ask(pool, at, request)
    return caught.value.message


# ------------------------------------------------------------------------ the breaker


@pytest.mark.parametrize("pieces", [0, 2])
@pytest.mark.parametrize("request_", [PROMPT, QUESTION], ids=["completion", "question"])
async def test_an_answer_that_breaks_off_is_a_failure_whatever_had_come(
    pieces: int, request_: ModelRequest
) -> None:
    pool, provider = ModelPool(), Scripted(BROKEN, pieces=pieces)
    for _ in range(50):
        await broken(pool, place(provider), request_)
    assert provider.asked == FAILURES_TO_OPEN
    assert pool.health("p", None).failures == FAILURES_TO_OPEN


@pytest.mark.parametrize("request_", [PROMPT, QUESTION], ids=["completion", "question"])
async def test_who_has_had_text_and_leaves_has_had_an_answer(request_: ModelRequest) -> None:
    pool, provider = ModelPool(), Scripted(BROKEN, BROKEN, REPLY)
    for _ in range(FAILURES_TO_OPEN - 1):
        await broken(pool, place(provider), request_)
    for _ in range(100):
        await ask(pool, place(provider), request_, pieces=1)
    assert pool.health("p", None).failures == 0
    provider.ends = [BROKEN]
    await broken(pool, place(provider), request_)
    assert pool.health("p", None).circuit(0.0) is Circuit.CLOSED
    assert pool.in_flight("p") == 0


async def test_a_half_open_breaker_admits_one_call_whoever_asks() -> None:
    clock = Clock()
    pool, provider = ModelPool(clock=clock), Scripted(BROKEN)
    at = place(provider)
    for _ in range(FAILURES_TO_OPEN):
        await broken(pool, at)
    assert "in a row" in await broken(pool, at)
    clock.now += 1000
    provider.ends = [REPLY]
    first = pool.stream(at, PROMPT)
    async with aclosing(first):
        await anext(first)
        for request in (PROMPT, QUESTION):
            assert "finds out" in await broken(pool, at, request)
        assert provider.asked == FAILURES_TO_OPEN + 1
    assert await ask(pool, at, QUESTION) == "aa"


async def test_a_call_that_began_before_does_not_end_the_half_open_breakers_only_one() -> None:
    clock, gate = Clock(), asyncio.Event()
    pool, provider = ModelPool(clock=clock), Scripted(BROKEN)
    at = place(provider)

    async def wait() -> None:
        await gate.wait()

    early = asyncio.ensure_future(anext(pool.stream(at, PROMPT, before=wait)))
    await asyncio.sleep(0)
    for _ in range(FAILURES_TO_OPEN):
        await broken(pool, at)
    clock.now += 1000
    provider.ends = [REPLY]
    async with aclosing(pool.stream(at, PROMPT)) as trying:
        await anext(trying)
        early.cancel()
        await asyncio.wait((early,))
        assert "finds out" in await broken(pool, at)


async def test_a_refused_request_tells_nothing_of_the_model() -> None:
    pool = ModelPool()
    for error in (
        RequestRejectedError("No.", provider="p"),
        EgressRefusedError("No.", provider="p"),
    ):
        provider = Scripted(error, pieces=0)
        for _ in range(FAILURES_TO_OPEN + 2):
            await broken(pool, place(provider))
    assert pool.health("p", None).failures == 0


LATE = ProviderTimeoutError("It did not finish within 5 s.", provider="p")
HERE, ELSEWHERE = "http://127.0.0.1:1", "http://gpu.example.org"
SLOW: dict[str, tuple[str, bool, str, bool]] = {
    # Where it is, whether this machine has no time, what else goes on there, whether it is blamed.
    "alone and slow": (HERE, False, "nothing", True),
    "alone, on a machine without time": (HERE, True, "nothing", False),
    "elsewhere, and only this machine has no time": (ELSEWHERE, True, "nothing", True),
    "behind a call that was there before": (HERE, False, "before", False),
    "beside a call that came meanwhile": (ELSEWHERE, False, "meanwhile", False),
}


@pytest.mark.parametrize("name", SLOW)
async def test_a_late_first_word_is_the_backends_fault_where_nothing_else_explains_it(
    name: str,
) -> None:
    url, strained, other, blamed = SLOW[name]
    clock = Clock()
    pool, provider = ModelPool(clock=clock, strained=lambda: strained), Scripted(REPLY)
    beside = pool.stream(replace(place(Scripted(REPLY)), base_url=url, bound="other"), QUESTION)
    if other == "before":
        await anext(beside)

    async def late() -> None:
        clock.now += 2.0
        if other == "meanwhile":
            await anext(beside)

    here = replace(place(provider), base_url=url)
    stream = pool.stream(here, QUESTION, before=late, longest_wait_ms=1000)
    async with aclosing(stream) as deltas:
        assert "".join([delta.text async for delta in deltas]) == "aa"
    health = pool.health("p", None)
    assert ("first word took 2000 ms" in health.last_error) is blamed
    assert health.failures == int(blamed)
    await beside.aclose()


ENDS: dict[str, tuple[ProviderError, bool, bool]] = {
    # What it ends in, whether others were answered meanwhile, whether it is blamed.
    "a deadline, and nobody is answered": (LATE, False, True),
    "a deadline, while others are answered": (LATE, True, False),
    "a broken connection, while others are answered": (BROKEN, True, True),
}


@pytest.mark.parametrize("pieces", [0, 2])
@pytest.mark.parametrize("name", ENDS)
async def test_a_deadline_that_passes_while_others_are_answered_breaks_nothing(
    name: str, pieces: int
) -> None:
    error, others, blamed = ENDS[name]
    pool, provider = ModelPool(strained=lambda: False), Scripted(error, pieces=pieces)

    async def answered() -> None:
        if others:
            other = replace(place(Scripted(REPLY)), bound="other")
            request = QUESTION.model_copy(update={"model": "another"})
            async with aclosing(pool.stream(other, request)) as deltas:
                assert [delta async for delta in deltas]

    with suppress(ProviderError):
        async with aclosing(pool.stream(place(provider), QUESTION, before=answered)) as deltas:
            async for _ in deltas:
                pass
    assert pool.health("p", None).failures == int(blamed)


@pytest.mark.parametrize(
    ("url", "strained", "answered", "failures"),
    [
        (HERE, False, False, 1),
        (HERE, True, False, 0),
        (ELSEWHERE, True, False, 1),
        (HERE, False, True, 0),
    ],
)
async def test_who_waits_in_vain_blames_an_endpoint_that_is_silent_for_all(
    url: str, *, strained: bool, answered: bool, failures: int
) -> None:
    pool = ModelPool(strained=lambda: strained)
    words = pool.words("p")
    if answered:
        request = QUESTION.model_copy(update={"model": "another"})
        async with aclosing(pool.stream(place(Scripted(REPLY)), request)) as deltas:
            assert [delta async for delta in deltas]
    pool.late("p", None, "It said nothing.", base_url=url, words=words)
    assert pool.health("p", None).failures == failures


# ------------------------------------------------------------------------- what it learns


async def test_completions_and_questions_share_the_breaker_but_not_the_latency() -> None:
    clock = Clock()
    pool, provider = ModelPool(clock=clock), Scripted(REPLY)
    for request, seconds in ((PROMPT, 0.1), (QUESTION, 5.0)):
        provider.on_ask = lambda seconds=seconds: setattr(clock, "now", clock.now + seconds)
        await ask(pool, place(provider), request)
    assert pool.latency_ms("p", None, completes=True) == pytest.approx(100)
    assert pool.latency_ms("p", None, completes=False) == pytest.approx(5000)
    provider.on_ask = lambda: None
    await ask(pool, place(provider), QUESTION, pieces=1)
    assert pool.latency_ms("p", None, completes=False) == pytest.approx(5000), "no whole answer"
    await ask(pool, place(provider), replace_request(max_tokens=0))
    assert pool.latency_ms("p", None, completes=True) == pytest.approx(100), "only read ahead"


def replace_request(**change: object) -> ModelRequest:
    return PROMPT.model_copy(update=change)


async def test_answers_keep_a_measured_speed_up_to_date() -> None:
    told = REPLY.model_copy(
        update={
            "usage": Usage(prompt_tokens=1000, output_tokens=100),
            "timings": Timings(prompt_ms=1000.0, output_ms=1000.0),
        }
    )
    pool, provider = ModelPool(), Scripted(told)
    await ask(pool, place(provider))
    assert pool.speed("p", None) is None, "one that tells its speed itself is not measured"
    pool.measured("p", None, Speed(500.0, 50.0))
    await ask(pool, place(provider))
    assert pool.speed("p", None) == Speed(600.0, 60.0)


# ------------------------------------------------------------------------- connections


async def test_a_connection_is_kept_for_what_it_was_made_with_and_closed_when_it_is_not_used() -> (
    None
):
    pool = ModelPool()
    providers = {name: Scripted(REPLY) for name in ("a", "b", "c")}
    long = pool.stream(place(providers["a"], bound="a"), PROMPT)
    async with aclosing(long):
        await anext(long)
        for name in ("b", "a", "b", "c"):
            await ask(pool, place(providers[name], bound=name))
        await ask(pool, place(providers["b"], bound="b"))
        assert [providers[name].asked for name in "abc"] == [2, 3, 1]
        assert providers["a"].closed == 0, "a call is under way"
    await pool.aclose()
    assert [provider.closed for provider in providers.values()] == [1, 1, 1]
    assert KEPT == 2


async def test_a_connection_that_is_somebody_elses_is_not_closed() -> None:
    pool, provider = ModelPool(), Scripted(REPLY)
    for number in range(KEPT + 2):
        await ask(pool, place(provider, bound=str(number), shared=True))
    await pool.aclose()
    assert provider.closed == 0


# --------------------------------------------------------- what changes after the choice

REMOTE = "http://gpu.example.org:8080"
TRUSTING: dict[str, Any] = {
    "completion": {"allow_cloud": True},
    "privacy": {"trusted_hosts": ["gpu.example.org"]},
}
OPEN: dict[str, Any] = {"completion": {"allow_cloud": True}}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "privacy mode goes on": (OPEN, {**OPEN, "privacy": {"mode": True}}),
    "completions may not leave any more": (OPEN, {}),
    "a host is not trusted any more": (TRUSTING, OPEN),
    "a host is trusted from now on": (OPEN, TRUSTING),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
async def test_a_connection_is_made_with_what_the_settings_let_leave_now(
    before: dict[str, Any], after: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = {"endpoints": {"custom": {"gpu": {"kind": "llama_server", "url": REMOTE}}}}
    now = settings_of({**server, **before})
    made: list[Egress] = []

    def connect(_: object, *, egress: Egress) -> Scripted:
        made.append(egress)
        return Scripted(REPLY)

    monkeypatch.setattr("coai_routing.pool.endpoints.provider_for", connect)
    pool = ModelPool()

    async def found(_: object) -> tuple[Found, ...]:
        model = ModelDescription(name="qwen2.5-coder-1.5b", provider="gpu")
        return (
            Found(
                name="gpu",
                kind="llama_server",
                base_url=REMOTE,
                ok=True,
                detail="",
                models=(model,),
            ),
        )

    backends = Backends(
        catalog=builtin_catalog(),
        wishes=lambda: Wishes(allow_remote=completion_egress(now).allow),
        endpoints=lambda: configured_endpoints(now),
        embedded=lambda: None,
        place=lambda endpoint: server_place(endpoint, completion_egress(now)),
        discover=found,
        pool=pool,
    )
    await backends.look()
    (chosen,) = backends.candidates()
    async with aclosing(backends.stream(chosen, PROMPT)) as deltas:
        assert [delta async for delta in deltas]
    now = settings_of({**server, **after})
    # What was chosen before the change is not asked as if nothing had happened.
    planned = backends.candidates()
    assert {one.local for one in planned} <= {"gpu.example.org" in now.privacy.trusted_hosts}
    if [one.local for one in planned] != [chosen.local]:
        try:
            async with aclosing(backends.stream(chosen, PROMPT)) as deltas:
                assert [delta async for delta in deltas]
        except ProviderUnavailableError:
            pass
    for one in planned:
        async with aclosing(backends.stream(one, PROMPT)) as deltas:
            assert [delta async for delta in deltas]
    assert made[0] == completion_egress(settings_of({**server, **before}))
    assert len(made) == 2
    assert made[1] == completion_egress(now)
    await backends.aclose()
    await pool.aclose()


def test_places_of_one_server_differ_by_key_and_egress() -> None:
    settings = settings_of({"endpoints": {"ollama": {"api_key": "one"}}})
    (endpoint,) = (one for one in configured_endpoints(settings) if one.name == "ollama")
    plain = server_place(endpoint, Egress())
    trusting = server_place(endpoint, Egress(frozenset({"a"}), allow=True))
    other = settings_of({"endpoints": {"ollama": {"api_key": "two"}}})
    (changed,) = (one for one in configured_endpoints(other) if one.name == "ollama")
    assert len({plain.bound, trusting.bound, server_place(changed, Egress()).bound}) == 3
    assert replace(plain) == plain
