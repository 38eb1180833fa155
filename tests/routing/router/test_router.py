"""How a plan is carried out: retries, fallback, deadlines, priorities, flights, hedges."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import (
    AuthenticationError,
    BadReplyError,
    DeadlineError,
    EgressRefusedError,
    ModelNotFoundError,
    NoAnswerError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ReplyCutOffError,
    RequestRejectedError,
)
from coai_routing.machine import Machine
from coai_routing.pool.deployments import Deployments
from coai_routing.privacy.egress import Egress
from coai_routing.providers.anthropic import AnthropicProvider
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
from coai_routing.router import limiter as pacing
from coai_routing.router import sending
from coai_routing.router.limiter import Limiter, wait_before_retry
from coai_routing.router.router import RouterSettings
from tests.routing.providers.dialects import LLAMA_SERVER
from tests.support import faulty_server
from tests.support.fault_proxy import empty_stream, relayed
from tests.support.faulty_server import FaultyServer, refused_url, respond, stream
from tests.support.routing import place, question, registry_of, routing

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_routing.pool.place import Place
    from coai_routing.providers.base import Provider
    from coai_routing.router.router import Router
    from tests.support.faulty_server import Behaviour, Exchange
    from tests.support.llama import LlamaServer

KIND = LLAMA_SERVER.content_type
GOOD = stream([LLAMA_SERVER.piece("good"), *LLAMA_SERVER.last], KIND)
ERROR = {"error": {"message": "boom"}}


@pytest.fixture(scope="module", autouse=True)
def sdks() -> None:
    """Import the SDKs, so that no test with a short deadline is the one that waits for them."""
    for module in ("anthropic.resources.messages", "openai.resources.chat"):
        importlib.import_module(module)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry soon, so that no test waits."""
    monkeypatch.setattr(pacing, "FIRST_WAIT", 0.001)


def counted(*behaviours: Behaviour) -> Behaviour:
    """Behave so the first time, so the second, ...; like the last one from then on."""
    left = list(behaviours)

    async def behave(exchange: Exchange) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return behave


async def first_request(server: FaultyServer) -> None:
    """Wait until a server has got a request."""
    async with asyncio.timeout(10):
        await server.asked.wait()


async def shown(router: Router) -> str:
    """Return the text of a stream as somebody sees it."""
    async with aclosing(router.stream(question())) as deltas:
        return "".join([delta.text async for delta in deltas])


def garbled(received: bytes) -> bytes:
    return received.replace(b"data: {", b"data: {{")


def renamed(received: bytes) -> bytes:
    for name in (b"choices", b"content", b"delta", b"type"):
        received = received.replace(b'"%b"' % name, b'"x%b"' % name[1:])
    return received


FAULTS: dict[str, Callable[[str], Behaviour]] = {
    "silent": lambda _: faulty_server.silent,
    "reset": lambda _: faulty_server.reset,
    "reset in mid-body": lambda up: relayed(up, after=700, ending="reset"),
    "slow drip": lambda up: relayed(up, every=0.02),
    "429": lambda _: respond(429, ERROR, {"Retry-After": "30"}),
    "500": lambda _: respond(500, ERROR),
    "529": lambda _: respond(529, {"error": {"message": "Overloaded"}}),
    "malformed JSON": lambda up: relayed(up, change=garbled),
    "wrong schema": lambda up: relayed(up, change=renamed),
    "empty stream": lambda _: empty_stream(KIND),
    "cut after 1 byte": lambda up: relayed(up, after=1),
    "cut after 300 bytes": lambda up: relayed(up, after=300),
    "cut after 800 bytes": lambda up: relayed(up, after=800),
    "hang in mid-body": lambda up: relayed(up, after=500, ending="hang"),
}
PROVIDERS = {
    "llama_server": LlamaServerProvider,
    "openai": OpenAICompatibleProvider,
    "anthropic": AnthropicProvider,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", PROVIDERS)
async def test_a_fault_ends_in_an_answer_of_the_next_or_in_a_typed_error(
    fault: str, kind: str, llama_server: LlamaServer
) -> None:
    provider: Callable[..., Provider] = PROVIDERS[kind]
    key = llama_server.api_key
    behaviour = FAULTS[fault](llama_server.base_url)
    async with FaultyServer(behaviour, {"/v1/models": {"data": [{"id": "m"}]}}) as faulty:
        sick = place("sick", faulty.base_url, provider=provider, key=key)
        well = place("well", llama_server.base_url, provider=provider, key=key)
        async with routing(sick, well) as router:
            routed = await router.answer(question(timeout=2.0))
            assert routed.reply is not None
            if routed.reply.provider != "well":
                assert fault in {"slow drip", "wrong schema", "cut after 800 bytes"}
        async with routing(sick) as router:
            try:
                routed = await router.answer(question(timeout=0.4))
                assert routed.reply is not None
            except (NoAnswerError, ReplyCutOffError) as error:
                ended = error
            else:
                return
        assert ended.remedy


async def test_where_nothing_listens_the_next_one_answers(llama_server: LlamaServer) -> None:
    absent = place("absent", refused_url())
    well = place("well", llama_server.base_url, key=llama_server.api_key)
    async with routing(absent, well) as router:
        routed = await router.answer(question())
    assert (routed.alias, routed.source, routed.local) == ("test.well", "model", True)


async def test_a_jump_of_the_clock_changes_nothing(
    llama_server: LlamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    jumps = iter([86_400.0, -86_400.0] * 10_000)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    well = place("well", llama_server.base_url, key=llama_server.api_key)
    async with (
        FaultyServer(faulty_server.silent) as silent,
        routing(place("silent", silent.base_url), well) as router,
    ):
        assert (await router.answer(question(timeout=2.0))).alias == "test.well"


@pytest.mark.parametrize("behaviours", [(respond(503, ERROR), GOOD), (faulty_server.reset, GOOD)])
async def test_what_passes_is_tried_again(behaviours: tuple[Behaviour, ...]) -> None:
    async with FaultyServer(counted(*behaviours)) as server:
        async with routing(place("one", server.base_url)) as router:
            assert (await router.answer(question())).text == "good"
        assert len(server.received) == 2


async def test_what_does_not_pass_is_not_tried_again() -> None:
    async with FaultyServer(respond(401, ERROR)) as server:
        async with routing(place("one", server.base_url)) as router:
            with pytest.raises(NoAnswerError, match="No model could answer") as caught:
                await router.answer(question())
        assert len(server.received) == 1
    assert "one: one does not accept the key" in caught.value.explanation()


BUSY = ProviderBusyError("x", provider="p", retry_after=2.0)
DOWN = ProviderUnavailableError("x", provider="p")


@pytest.mark.parametrize(
    ("error", "tried", "time_left", "others", "wait"),
    [
        (DOWN, 1, 10.0, False, 0.001),
        (DOWN, 2, 10.0, False, 0.002),
        (DOWN, 3, 10.0, False, None),
        (DOWN, 2, 10.0, True, None),
        (DOWN, 1, 0.001, False, None),
        (BUSY, 1, 10.0, False, 2.001),
        (BUSY, 1, 10.0, True, None),
        (BUSY, 1, 1.0, False, None),
        (ProviderBusyError("x", provider="p"), 1, 10.0, True, 0.001),
        (BadReplyError("x", provider="p"), 1, 10.0, False, 0.001),
        (ProviderError("x", provider="p"), 1, 10.0, False, None),
        (ProviderTimeoutError("x", provider="p"), 1, 10.0, False, None),
        (RequestRejectedError("x", provider="p"), 1, 10.0, False, None),
        (AuthenticationError("x", provider="p"), 1, 10.0, False, None),
        (ModelNotFoundError("x", provider="p"), 1, 10.0, False, None),
        (EgressRefusedError("x", provider="p"), 1, 10.0, False, None),
    ],
)
def test_when_to_try_again(
    error: ProviderError, tried: int, time_left: float, others: bool, wait: float | None
) -> None:
    found = wait_before_retry(
        error, tried=tried, time_left=time_left, others=others, draw=lambda: 1.0
    )
    assert found == wait


async def test_before_the_first_text_another_model_takes_over_and_after_it_none_does() -> None:
    cut = stream([LLAMA_SERVER.piece("half ")], KIND, ending="cut")
    async with (
        FaultyServer(respond(500, ERROR)) as broken,
        FaultyServer(cut) as cutting,
        FaultyServer(GOOD) as good,
    ):
        servers = {"a": broken, "b": cutting, "c": good}
        places = [place(name, server.base_url) for name, server in servers.items()]
        async with routing(*places) as router:
            with pytest.raises(ReplyCutOffError) as caught:
                await shown(router)
            assert caught.value.partial == "half "
            assert not good.received, "what was shown is not said again by another model"
            assert (await router.answer(question())).text == "good"


async def test_an_error_in_mid_stream_is_a_typed_partial() -> None:
    failing = stream([LLAMA_SERVER.piece("half"), LLAMA_SERVER.error("CUDA error")], KIND)
    async with FaultyServer(failing) as server, routing(place("a", server.base_url)) as router:
        with pytest.raises(ReplyCutOffError) as caught:
            async with aclosing(router.stream(question())) as deltas:
                assert [delta.text async for delta in deltas]
        assert caught.value.partial == "half"


async def test_a_stream_ends_with_the_whole_reply(llama_server: LlamaServer) -> None:
    well = place("well", llama_server.base_url, key=llama_server.api_key)
    async with routing(well) as router, aclosing(router.stream(question())) as deltas:
        pieces = [delta async for delta in deltas]
    assert pieces[-1].reply is not None
    assert "".join(piece.text for piece in pieces) == pieces[-1].reply.text


async def test_the_deadline_is_over_all_candidates_together() -> None:
    async with FaultyServer(faulty_server.silent) as one, FaultyServer(faulty_server.silent) as two:
        async with routing(place("a", one.base_url), place("b", two.base_url)) as router:
            async with asyncio.timeout(10):
                with pytest.raises(DeadlineError) as caught:
                    await router.answer(question(timeout=0.3))
        assert len(two.received) == 1, "the first one does not take all the time"
    assert caught.value.remedy


async def test_nobody_to_ask_is_explained_honestly() -> None:
    async with routing() as router:
        routed = await router.answer_or_explain(question())
    assert routed.source == "none"
    assert routed.reply is None
    assert "No model could answer this (code_analysis)." in routed.text
    assert "coai doctor" in routed.text


async def test_identical_requests_in_flight_are_answered_once() -> None:
    go = asyncio.Event()

    async def late(exchange: Exchange) -> None:
        await go.wait()
        await GOOD(exchange)

    async with FaultyServer(late) as server:
        async with routing(place("a", server.base_url)) as router:
            tasks = [asyncio.create_task(router.answer(question())) for _ in range(1000)]
            await first_request(server)
            go.set()
            assert {routed.text for routed in await asyncio.gather(*tasks)} == {"good"}
        assert len(server.received) == 1


async def test_a_flight_lives_as_long_as_somebody_waits_for_it() -> None:
    hang = stream([LLAMA_SERVER.piece("a")], KIND, ending="hang")
    async with FaultyServer(hang) as server, routing(place("a", server.base_url)) as router:
        one, two = (asyncio.create_task(router.answer(question())) for _ in range(2))
        await first_request(server)
        server.closed.clear()
        one.cancel()
        await asyncio.wait((one,))
        assert not server.closed.is_set()
        two.cancel()
        await asyncio.wait((two,))
        async with asyncio.timeout(5):
            await server.closed.wait()


async def test_who_joined_and_has_less_time_does_not_wait_longer() -> None:
    async with (
        FaultyServer(faulty_server.silent) as server,
        routing(place("a", server.base_url)) as router,
    ):
        slow = asyncio.create_task(router.answer(question(timeout=60.0)))
        await first_request(server)
        with pytest.raises(DeadlineError):
            await router.answer(question(timeout=0.1))
        slow.cancel()
        await asyncio.wait((slow,))


@pytest.mark.parametrize("seen", [False, True], ids=["as a whole", "as it comes"])
async def test_who_joined_and_has_more_time_is_not_held_to_the_first_ones_deadline(
    seen: bool,
) -> None:
    async with FaultyServer(counted(faulty_server.silent, GOOD)) as server:
        async with routing(place("a", server.base_url)) as router:

            async def ask(seconds: float) -> str:
                asked = question(timeout=seconds)
                if not seen:
                    return (await router.answer(asked)).text
                async with aclosing(router.stream(asked)) as deltas:
                    return "".join([delta.text async for delta in deltas])

            hasty = asyncio.create_task(ask(0.3))
            await first_request(server)
            patient = asyncio.create_task(ask(60.0))
            with pytest.raises(DeadlineError):
                await hasty
            assert await patient == "good"
        assert len(server.received) == 2


async def test_a_dead_endpoint_is_left_alone_after_some_failures() -> None:
    async with FaultyServer(respond(500, ERROR)) as dead, FaultyServer(GOOD) as good:
        async with routing(place("a", dead.base_url), place("b", good.base_url)) as router:
            for number in range(8):
                await router.answer(question(f"question {number}"))
        assert len(dead.received) == 3
        assert len(good.received) == 8


async def test_a_rejected_request_says_nothing_of_its_endpoint() -> None:
    async with FaultyServer(respond(400, ERROR)) as picky:
        async with routing(place("a", picky.base_url)) as router:
            for number in range(5):
                with pytest.raises(NoAnswerError):
                    await router.answer(question(f"question {number}"))
        assert len(picky.received) == 5


async def test_a_late_first_word_makes_a_second_model_answer() -> None:
    late = asyncio.Event()
    slow_from_now = [False]

    async def sometimes(exchange: Exchange) -> None:
        if slow_from_now[0]:
            await exchange.until_closed()
            late.set()
            return
        await GOOD(exchange)

    other = stream([LLAMA_SERVER.piece("other"), *LLAMA_SERVER.last], KIND)
    async with FaultyServer(sometimes) as first, FaultyServer(other) as second:
        settings = RouterSettings(hedge=True)
        places = (place("a", first.base_url), place("b", second.base_url))
        async with routing(*places, settings=settings) as router:
            for number in range(10):
                await router.answer(question(f"question {number}"))
            slow_from_now[0] = True
            routed = await router.answer(question("late"))
            assert (routed.text, routed.alias) == ("other", "test.b")
            # On a busy machine one of the questions before may have been late, too.
            assert len([one for one in second.received if b'"late"' in one.body]) == 1
            async with asyncio.timeout(5):
                await late.wait()  # the one that lost was closed


async def test_without_a_hedge_a_late_model_is_waited_for_within_its_share() -> None:
    async with (
        FaultyServer(faulty_server.silent) as first,
        FaultyServer(GOOD) as second,
        routing(place("a", first.base_url), place("b", second.base_url)) as router,
    ):
        assert (await router.answer(question(timeout=0.5))).alias == "test.b"


async def test_those_who_wait_at_the_screen_go_first() -> None:
    turnstile = Limiter(1)
    order: list[str] = []

    async def pass_through(name: str, priority: int) -> None:
        async with turnstile.passing(priority):
            order.append(name)
            await asyncio.sleep(0)

    async with turnstile.passing(0):
        tasks = [
            asyncio.create_task(pass_through(name, priority))
            for name, priority in (("b1", 1), ("b2", 1), ("i1", 0), ("gone", 0), ("i2", 0))
        ]
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["i1", "i2", "b1", "b2"]
    assert turnstile.inside == 0


async def test_a_turn_that_came_with_the_cancellation_is_handed_on() -> None:
    turnstile = Limiter(1)

    async def wait() -> None:
        async with turnstile.passing(0):
            pass

    async with turnstile.passing(0):
        one, two = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
    one.cancel()  # its turn has come, and it does not know yet
    await asyncio.gather(one, two, return_exceptions=True)
    assert one.cancelled()
    assert not two.cancelled()
    assert turnstile.inside == 0


async def test_no_more_are_under_way_than_the_limit_allows() -> None:
    most = 0
    now = 0
    full = asyncio.Event()

    async def count(exchange: Exchange) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        if now >= 4:
            full.set()
        await full.wait()
        # One too many would come in meanwhile.
        for _ in range(50):
            await asyncio.sleep(0)
        now -= 1
        await GOOD(exchange)

    async with FaultyServer(count) as server:
        settings = RouterSettings(max_concurrent=4)
        async with routing(place("a", server.base_url), settings=settings) as router:
            await asyncio.gather(*(router.answer(question(f"{n}")) for n in range(40)))
    assert most == 4


async def test_endpoints_of_one_model_share_the_work() -> None:
    async def once_both_are_asked(exchange: Exchange) -> None:
        async with asyncio.timeout(10):
            await asyncio.gather(one.asked.wait(), two.asked.wait())
        await GOOD(exchange)

    async with (
        FaultyServer(once_both_are_asked) as one,
        FaultyServer(once_both_are_asked) as two,
    ):
        first, second = place("a", one.base_url), place("a#2", two.base_url)
        async with routing(first, second) as router:
            await asyncio.gather(*(router.answer(question("x" * 2000 + str(n))) for n in range(12)))
        assert one.received
        assert two.received


async def test_what_is_sensitive_is_sent_to_this_machine_alone() -> None:
    async with FaultyServer(GOOD) as outside, FaultyServer(GOOD) as inside:
        away = place("away", outside.base_url.replace("127.0.0.1", "0.0.0.0"))
        here = place("here", inside.base_url)
        async with routing(away, here) as router:
            assert (await router.answer(question("plain"))).alias == "test.away"
            for secret in ("mail ada@engines.io", "AKIA" + "Z7QK3MX5WPLTJ2NV"):
                routed = await router.answer(question(secret))
                assert routed.alias == "test.here"
                assert routed.sensitivity
        async with routing(away) as router:
            with pytest.raises(NoAnswerError, match="could answer"):
                await router.answer(question("mail ada@engines.io"))
        assert len(outside.received) == 1


async def test_a_long_request_is_searched_too() -> None:
    async with FaultyServer(GOOD) as outside:
        away = place("away", outside.base_url.replace("127.0.0.1", "0.0.0.0"))
        async with routing(away) as router:
            with pytest.raises(NoAnswerError):
                await router.answer(question("x = 1\n" * 10_000 + "ada@engines.io"))
        assert not outside.received


async def test_redacted_it_may_leave_if_nothing_sensitive_is_left() -> None:
    token = "ghp_" + "k3Rt9Wq2Zx7Lm4Nb8Vc1Yd6Hf5Gj0Ps3Qa7u"
    async with FaultyServer(GOOD) as outside:
        away = place("away", outside.base_url.replace("127.0.0.1", "0.0.0.0"))
        async with routing(away, settings=RouterSettings(redact=True)) as router:
            assert (await router.answer(question(f"token = '{token}'"))).text == "good"
            with pytest.raises(NoAnswerError):
                await router.answer(question(f"'{token}' ada@engines.io"))
        assert token not in str(outside.received)
        assert len(outside.received) == 1


async def test_egress_is_refused_at_the_last_moment_whatever_the_plan_said() -> None:
    async with FaultyServer(GOOD) as outside:
        away = place("away", outside.base_url.replace("127.0.0.1", "0.0.0.0"), egress=Egress())
        lying = replace(away, local=True)
        async with routing(lying) as router:
            with pytest.raises(NoAnswerError, match="could answer") as caught:
                await router.answer(question("mail ada@engines.io"))
        assert not outside.received
    assert "sensitive" in caught.value.explanation()


def _has_time(_: Machine) -> bool:
    return False


async def test_an_endpoint_that_is_always_slow_to_begin_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "SLOWNESS", 0.0)
    monkeypatch.setattr(Machine, "is_strained", _has_time)
    async with FaultyServer(GOOD) as slow, routing(place("a", slow.base_url)) as router:
        for number in range(3):
            await router.answer(question(f"question {number}"))
        with pytest.raises(NoAnswerError) as caught:
            await router.answer(question("once more"))
    assert "its first word took" in caught.value.explanation()


def test_a_place_that_is_gone_is_an_error() -> None:
    one = place("a", "http://127.0.0.1:1")
    now: list[tuple[Place, ...]] = [(one,)]
    registry = registry_of(now[0])
    fleet = Deployments(lambda: now[0], lambda: registry)
    (deployment,) = fleet.deployments()
    assert fleet.place_of(deployment) is one
    now[0] = ()
    with pytest.raises(ProviderUnavailableError, match="gone"):
        fleet.place_of(deployment)


def test_the_router_brings_in_no_sdk() -> None:
    program = "import sys, coai_routing, coai_routing.wiring.assembly; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"anthropic", "openai", "ollama", "httpx", "diskcache"} & {*done.stdout.split()}
    assert "coai_routing.router.router" in done.stdout
