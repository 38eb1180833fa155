"""Completions by a cloud model: when they are offered, what is asked, what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import (
    EgressRefusedError,
    OverBudgetError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RequestRejectedError,
)
from coai_routing.policy.completion import Wishes
from coai_routing.policy.deployment import Deployment
from coai_routing.pool.backends import Backend, Backends, Served
from coai_routing.pool.place import Place
from coai_routing.pool.pool import ModelPool
from coai_routing.privacy import departures as egress_log
from coai_routing.privacy.departures import read_departures
from coai_routing.privacy.egress import Egress
from coai_routing.privacy.sensitivity import SensitivityRules
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
from coai_routing.providers.suffixed import BY_SERVER
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.request import Delta, Message, ModelRequest
from coai_routing.router.chat_infilling import CHAT, INSTRUCTION, Bare
from coai_routing.router.cloud_completion import NAME, CloudCompletion
from coai_routing.router.router import RouterSettings
from coai_routing.settings.schema import Settings
from coai_routing.wiring.configured import completion_egress
from coai_routing.wiring.local import LocalModels
from tests.support.cloud_server import CloudServer, cloud_server
from tests.support.routing import ALLOWED, place, routing
from tests.support.settings import settings_of
from tests.support.vendor_server import KEY, vendor_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from coai_routing.errors import ProviderError
    from coai_routing.providers.discovery import Found
    from coai_routing.router.calls import Call
    from coai_routing.router.router import Router

PROMPT = CHAT.prompt("def f():\n    return ", "\n")
ON: dict[str, Any] = {
    "completion": {"allow_cloud": True},
    "routing": {"allow_cloud": True},
    "cloud": {"openai": {"api_key": "k"}},
}


@pytest.fixture(autouse=True)
def nobodys_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def cloud() -> Iterator[CloudServer]:
    with cloud_server() as server:
        yield server


def completion(settings: dict[str, Any], router: Router | None = None) -> CloudCompletion:
    known = settings_of(settings)

    async def found() -> Router:
        return router  # pyright: ignore[reportReturnType] (None where none is asked)

    return CloudCompletion(lambda: known, egress=lambda: completion_egress(known), router=found)


def changed(**change: Any) -> dict[str, Any]:  # noqa: ANN401 - a part of the settings
    return {**ON, **change}


@pytest.mark.parametrize(
    ("settings", "phase", "words"),
    [
        ({}, None, ""),
        (changed(completion={}), None, ""),
        (ON, "ready", ""),
        (changed(routing={}), "off", "routing.allow_cloud"),
        (changed(cloud={}), "off", "ANTHROPIC_API_KEY"),
        (changed(cloud={"openai": {"api_key": "k", "enabled": False}}), "off", "ANTHROPIC_API_KEY"),
        (changed(completion={"backend": NAME}), "ready", ""),
    ],
)
async def test_when_it_is_offered(settings: dict[str, Any], phase: str | None, words: str) -> None:
    one = completion(settings)
    assert one.served() is None
    await one.prepare()
    served = one.served()
    assert (None if served is None else served.deployment.phase) == phase
    if served is not None:
        assert not served.deployment.local
        assert words in f"{served.deployment.detail} {served.deployment.remedy}"
        where = served.place()
        assert (where is not None and where.connect() is one) == (phase == "ready")
    assert (await one.health()).ok == (phase == "ready")
    assert await one.models() == ()
    await one.aclose()


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        ("nonsense", "models.toml"),
        (
            '[[capabilities]]\nname = "code_completion"\ncandidates = ["local.code"]\n',
            "No cloud model",
        ),
    ],
)
async def test_a_registry_without_one_is_told(tmp_path: Path, registry: str, words: str) -> None:
    file = tmp_path / "coai" / "models.toml"
    file.parent.mkdir()
    file.write_text(registry, encoding="utf-8")
    one = completion(ON)
    await one.prepare()
    assert one.deployment is not None
    assert one.deployment.phase == "failed"
    assert words in one.deployment.detail


def away(cloud: CloudServer) -> Place:
    return place(
        "openai", f"{cloud.url}/v1", provider=OpenAICompatibleProvider, key="k", billed=True
    )


async def ready(router: Router, settings: dict[str, Any] = ON) -> CloudCompletion:
    one = completion(settings, router)
    await one.prepare()
    one.alias = "test.openai"
    return one


async def test_a_prompt_is_asked_in_words_and_tags_are_taken_off(cloud: CloudServer) -> None:
    cloud.answer = "<insert>1 + 2</insert>\nThat adds them."
    async with routing(away(cloud)) as router:
        one = await ready(router)
        reply = await one.complete(ModelRequest(prompt=PROMPT, stop=("\n",), max_tokens=9))
        with pytest.raises(RequestRejectedError):
            await one.chat(ModelRequest(messages=(Message(role="user", content="?"),)))
    assert reply.text == "1 + 2"
    assert reply.usage.cached_tokens == 400
    _, _, body = cloud.requests[-1]
    assert [message["content"] for message in body["messages"]] == [INSTRUCTION, PROMPT]
    assert "stop" not in body


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_vendor_that_fills_in_is_asked_for_that_where_completions_may_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with vendor_server("mistral", "codestral-latest", elsewhere=True) as mistral:
        known = Settings.model_validate(
            {
                "completion": {"allow_cloud": allowed, "backend": "cloud"},
                "routing": {"allow_cloud": True},
                "privacy": {"mode": False},
                "engine": {"enabled": False},
                "cloud": {
                    "openai": {"api_key": "k"},
                    "vendors": {"mistral": {"url": mistral.url, "api_key": KEY}},
                },
            }
        )
        models = LocalModels(lambda: known, state=tmp_path / "engine")
        await models.cloud.prepare()
        served = models.cloud.served()
        assert served is not None
        assert served.fim is BY_SERVER
        assert models.cloud.alias == "cloud.code"
        (backend_,) = models.backends.candidates() if allowed else (None,)
        if backend_ is not None:
            prompt = BY_SERVER.prompt("def add(a, b):\n    return ", "\n\n\nprint(add)")
            said = [
                delta.text
                async for delta in models.backends.stream(
                    backend_, ModelRequest(prompt=prompt, max_tokens=9, stop=("\n",))
                )
            ]
            assert "".join(said) == "a + b"
        await models.aclose()
    sent = [(path, body["prompt"], body["suffix"]) for path, body in mistral.requests]
    filled = ("/v1/fim/completions", "def add(a, b):\n    return ", "\n\n\nprint(add)")
    assert sent == ([filled] if allowed else [])


class Broke:
    """SpendingLedger without money."""

    def money_left(self) -> float | None:
        return 0.0

    async def reserve(self, cost: float) -> int | None:
        return None

    async def settle(self, reservation: int, call: Call) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("request_", "parts", "error"),
    [
        ({"prompt": f"{PROMPT} jane.roe@engines.io"}, {}, EgressRefusedError),
        ({"sensitive": True}, {}, EgressRefusedError),
        ({}, {"settings": RouterSettings(sensitivity=SensitivityRules(privacy_mode=True))},
         EgressRefusedError),
        ({}, {"egress": Egress()}, ProviderUnavailableError),
        ({}, {"book": Broke()}, OverBudgetError),
        ({"timeout": 0.001}, {}, ProviderTimeoutError),
    ],
)  # fmt: skip
async def test_why_nothing_comes_and_nothing_leaves(
    cloud: CloudServer, request_: dict[str, Any], parts: dict[str, Any], error: type[Exception]
) -> None:
    before = len(cloud.requests)
    wanted: dict[str, Any] = {"egress": ALLOWED, **parts}
    async with routing(away(cloud), **wanted) as router:
        one = await ready(router)
        with pytest.raises(error):
            await one.complete(ModelRequest.model_validate({"prompt": PROMPT, **request_}))
    assert len(cloud.requests) == before


async def test_what_completions_may_not_do_is_checked_before_the_router_is(
    cloud: CloudServer,
) -> None:
    async with routing(away(cloud)) as router:
        one = await ready(router)
        setattr(one, "_egress", Egress)  # noqa: B010 - as if the user had just forbidden it
        with pytest.raises(EgressRefusedError):
            await one.complete(ModelRequest(prompt=PROMPT))


@pytest.mark.parametrize(
    ("answer", "bare"),
    [
        ("x + 1", "x + 1"),
        ("    x\n    y", "    x\n    y"),
        # A fence may be meant: whoever knows the document's language takes it off.
        ("```\nx\n```", "```\nx\n```"),
        ("<insert>x</insert>", "x"),
        ("x</insert> and", "x"),
        ("x < y", "x < y"),
        ("< y", "< y"),
        ("`x`", "`x`"),
        ("a\n``b", "a\n``b"),
        ("a </ins", "a </ins"),
        ("<ins", ""),
        ("", ""),
        ("  ", "  "),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_is_not_part_of_an_answer_is_cut_off(answer: str, bare: str, size: int) -> None:
    taking = Bare()
    pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
    assert "".join([*map(taking.take, pieces), taking.rest()]) == bare


async def test_a_completion_that_another_machine_fills_in_is_checked_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    known = settings_of({"completion": {"allow_cloud": True}})
    models = LocalModels(lambda: known, state=tmp_path / "engine")
    remote = backend("http://0.0.0.0:1")
    departs = getattr(models, "_departs")  # noqa: B009 - what `Backends` is given
    await departs(remote, ModelRequest(prompt="äb"))
    (departed,) = read_departures(egress_log.location())
    assert (departed.endpoint, departed.content_bytes) == ("gpu", 3)
    known = Settings()
    with pytest.raises(EgressRefusedError):
        await departs(remote, ModelRequest(prompt="x"))
    await models.aclose()
    setattr(models, "_departures", None)  # noqa: B010 - a log that cannot be opened
    monkeypatch.setenv("XDG_STATE_HOME", __file__)
    known = settings_of({"completion": {"allow_cloud": True}})
    with pytest.raises(EgressRefusedError, match="log"):
        await departs(remote, ModelRequest(prompt="x"))


def backend(url: str) -> Backend:
    return Backend("gpu", "m", url, CHAT, 4096, None, None, True, True, local=False)


class Failing(CloudCompletion):
    """A cloud that always fails in one way."""

    def __init__(self, error: ProviderError) -> None:
        self.error = error
        self.base_url = "https://api.example.com"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        if request.prompt is not None:
            raise self.error
        yield Delta()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OverBudgetError("No money.", provider=NAME), None),
        (EgressRefusedError("It must stay.", provider=NAME), None),
        (ProviderUnavailableError("Gone.", provider=NAME), "breaker_open"),
    ],
)
async def test_what_says_nothing_of_the_cloud_does_not_close_the_way_there(
    error: ProviderError, code: str | None
) -> None:
    deployment = Deployment(NAME, "m", fills_in=True, local=False)
    failing = Failing(error)
    where = Place(NAME, failing.base_url, local=False, connect=lambda: failing, shared=True)
    served = Served(deployment, lambda: where, CHAT, 4096)

    async def nobody(_: object) -> tuple[Found, ...]:
        return ()

    backends = Backends(
        catalog=builtin_catalog(),
        wishes=lambda: Wishes(allow_remote=True),
        endpoints=tuple,
        embedded=lambda: None,
        place=lambda _: where,
        discover=nobody,
        pool=ModelPool(),
        cloud=lambda: served,
    )
    (cloud,) = backends.candidates()
    for _ in range(3):
        with pytest.raises(type(error)):
            async for _ in backends.stream(cloud, ModelRequest(prompt="x")):
                pass
    assert (None if backends.candidates() else backends.absence().code) == code
