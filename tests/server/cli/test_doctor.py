"""`coai doctor`: with a real engine and real servers, and what it says of each kind of finding."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from coai_routing.policy.completion import CompletionPlan
from coai_routing.policy.deployment import Candidate, Deployment, Rejected
from coai_routing.pool.backends import Backend, Editor
from coai_routing.pool.speed import Speed
from coai_routing.providers.discovery import Found
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.registry.next_edit import next_edit_family
from coai_routing.request import ModelDescription
from coai_routing.settings.layers import Layer, Origin, Problem
from coai_routing.settings.loading import load
from coai_routing.settings.schema import Settings
from coai_server.cli import diagnosis as module
from coai_server.cli.diagnosis import (
    Cloud,
    Diagnosis,
    Failure,
    Fix,
    Latency,
    Vendor,
    cloud,
    diagnose,
    fixes,
    keys,
)
from coai_server.cli.doctor import document, show
from tests.server.cli.conftest import NO_ENDPOINTS
from tests.support.faulty_server import FaultyServer, respond

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import Home
    from tests.support.llama import LlamaServer

EMBEDDED = Deployment("embedded", "qwen2.5-coder-0.5b", fills_in=True, speed=Speed(160.4, 50.2))
ABSENT = Deployment(
    "embedded", "m", fills_in=True, phase="off", detail="m is not here.", remedy="Pull it."
)


def found(name: str, *models: str, ok: bool = True) -> Found:
    return Found(
        name=name,
        kind="ollama" if name == "ollama" else "openai_compatible",
        base_url=f"http://127.0.0.1/{name}",
        ok=ok,
        detail="Nothing answers.",
        remedy=f"Start {name}.",
        models=tuple(ModelDescription(name=model, provider=name) for model in models),
    )


def plan(*deployments: Deployment, rejected: tuple[Rejected, ...] = ()) -> CompletionPlan:
    return CompletionPlan(
        tuple(Candidate(one, f"{one.endpoint} is best.") for one in deployments), rejected
    )


def test_with_a_model_it_says_which_serves_why_and_how_fast(
    home: Home, llama_server: LlamaServer
) -> None:
    ran = home(
        "doctor",
        "--json",
        COAI_ENDPOINTS__LLAMA_SERVER__ENABLED="true",
        COAI_ENDPOINTS__LLAMA_SERVER__URL=llama_server.base_url,
        COAI_ENDPOINTS__LLAMA_SERVER__API_KEY=llama_server.api_key or "",
        COAI_ENDPOINTS__OLLAMA__ENABLED="true",
        COAI_ENDPOINTS__OLLAMA__URL="http://127.0.0.1:9",
        OPENAI_API_KEY="sk-secret",
    )
    said = ran.document
    assert (ran.code, ran.err, said["ok"]) == (0, "", True)
    assert said["serving"]["backend"] == "embedded"
    assert said["serving"]["why"].startswith("It is ready and on this machine")
    assert said["latency"]["warmMs"] > 0
    assert said["embedded"]["phase"] == "ready"
    assert {each["name"]: each["ok"] for each in said["found"]} == {
        "ollama": False,
        "llama_server": True,
    }
    # The server has a model whose family is not known.
    (refused,) = [each for each in said["rejected"] if each["backend"] == "llama_server"]
    assert "No fill-in-the-middle format" in refused["why"]
    assert {each["name"]: each["key"] for each in said["cloud"]["vendors"]} == {
        "anthropic": "",
        "openai": "environment",
        **dict.fromkeys(("gemini", "mistral", "deepseek", "openrouter"), ""),
    }
    assert (said["cloud"]["allowed"], said["keys"]) == (False, {})
    assert "sk-secret" not in ran.out
    assert any(each["what"].startswith("ollama") for each in said["missing"])
    assert said["problems"] == []


def test_without_a_model_it_says_what_is_missing_and_ends_with_1(
    home: Home, tmp_path: Path
) -> None:
    ran = home(
        "doctor",
        COAI_ENGINE__MODEL="qwen2.5-coder-0.5b",
        COAI_MODELS__DIRECTORY=str(tmp_path),
        COAI_LOG__LEVEL="loud",
    )
    assert (ran.code, ran.err) == (1, "")
    assert "No model can serve completions." in ran.out
    assert "Fetch it with `coai models pull qwen2.5-coder-0.5b`." in ran.out
    assert "log.level" in ran.out


async def test_a_backend_that_fails_is_passed_over_and_named(
    empty_home: Path, llama_server: LlamaServer
) -> None:
    listed = {"data": [{"id": "qwen2.5-coder-7b"}]}
    failing = FaultyServer(respond(500, {"error": "out of order"}), {"/v1/models": listed})
    async with failing:
        loaded = load(
            overrides={
                "engine.enabled": "false",
                "endpoints.vllm.enabled": "true",
                "endpoints.vllm.url": f"{failing.base_url}/v1",
                # It refuses, because it wants a key.
                "endpoints.llama_server.enabled": "true",
                "endpoints.llama_server.url": llama_server.base_url,
            },
            environ=NO_ENDPOINTS,
        )
        said: list[str] = []
        found_out = await diagnose(loaded, watch=said.append)
    assert (found_out.serving, found_out.latency) == (None, None)
    (failure,) = found_out.failures
    assert (failure.backend, failure.model) == ("vllm", "qwen2.5-coder-7b")
    assert failure.message
    assert "Asking qwen2.5-coder-7b (vllm)." in said
    assert [fix.missing.partition(":")[0] for fix in found_out.fixes] == [
        "embedded",
        "llama_server",
    ]


@pytest.mark.parametrize(
    ("embedded", "servers", "order", "missing"),
    [
        (EMBEDDED, (), plan(EMBEDDED), []),
        (ABSENT, (), plan(), [Fix("embedded: m is not here.", "Pull it.")]),
        (
            EMBEDDED,
            (),
            plan(rejected=(Rejected(EMBEDDED, "No format.", "Use another."),)),
            [Fix("qwen2.5-coder-0.5b (embedded): No format.", "Use another.")],
        ),
        (
            EMBEDDED,
            (found("vllm", ok=False), found("mine", ok=False)),
            plan(EMBEDDED),
            [
                Fix("vllm: Nothing answers.", "pip install vllm"),
                Fix("mine: Nothing answers.", "Start mine."),
            ],
        ),
        (
            EMBEDDED,
            (found("ollama", "llama3"),),
            plan(EMBEDDED),
            [Fix("ollama: It has no model that completes code.", module.OLLAMA_MODEL)],
        ),
        (
            EMBEDDED,
            (found("ollama", "codellama:7b-code"),),
            plan(EMBEDDED, Deployment("ollama", "codellama:7b-code", fills_in=True)),
            [],
        ),
    ],
)
def test_what_is_missing_comes_with_the_command_that_changes_it(
    monkeypatch: pytest.MonkeyPatch,
    embedded: Deployment,
    servers: tuple[Found, ...],
    order: CompletionPlan,
    missing: list[Fix],
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", "")
    assert [*fixes(embedded, servers, order)] == missing


def test_a_server_that_is_installed_has_only_to_be_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ollama").touch(mode=0o755)
    (tmp_path / "ollama.exe").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [*fixes(EMBEDDED, (found("ollama", ok=False),), plan(EMBEDDED))] == [
        Fix("ollama: Nothing answers.", "Start ollama.")
    ]


def test_an_engine_that_is_not_installed_is_the_first_thing_to_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_found(_name: str) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", not_found)
    assert fixes(ABSENT, (), plan()) == (
        Fix("The embedded engine is not installed.", "pip install xllamacpp"),
    )


def test_of_keys_only_is_said_whether_they_are_set() -> None:
    settings = Settings.model_validate(
        {
            "endpoints": {
                "custom": {
                    "gpu": {"url": "http://gpu.example", "api_key_env": "GPU_KEY"},
                    "other": {"url": "http://other.example"},
                }
            }
        }
    )
    assert keys(settings, {"GPU_KEY": "x"}) == {"GPU_KEY": True}
    assert keys(settings, {"GPU_KEY": ""}) == {"GPU_KEY": False}


@pytest.mark.parametrize(
    ("changes", "allowed", "completions", "why"),
    [
        ({}, False, False, "`routing.allow_cloud` is off"),
        ({"routing": {"allow_cloud": True}}, True, False, "`completion.allow_cloud` is off"),
        (
            {"routing": {"allow_cloud": True}, "completion": {"allow_cloud": True}},
            True,
            True,
            "where no model here can answer",
        ),
        (
            {
                "routing": {"allow_cloud": True},
                "completion": {"allow_cloud": True},
                "privacy": {"mode": True},
            },
            False,
            False,
            "`privacy.mode` is on",
        ),
    ],
)
def test_what_the_cloud_may_be_asked_is_told(
    changes: dict[str, object], *, allowed: bool, completions: bool, why: str
) -> None:
    said = cloud(Settings.model_validate(changes))
    assert (said.allowed, said.completions) == (allowed, completions)
    assert why in said.why


async def test_a_cloud_model_that_serves_is_named_and_not_asked(empty_home: Path) -> None:
    async with FaultyServer(respond(500, {"error": "asked"})) as vendor:
        loaded = load(
            overrides={
                "engine.enabled": "false",
                "routing.allow_cloud": "true",
                "completion.allow_cloud": "true",
                "cloud.anthropic.api_key": "sk-ant-test",
                "cloud.anthropic.url": vendor.base_url,
            },
            environ=NO_ENDPOINTS,
        )
        diagnosis = await diagnose(loaded)
    assert diagnosis.serving is not None
    assert (diagnosis.serving.name, diagnosis.latency) == ("cloud", None)
    assert vendor.connections == 0
    stream = io.StringIO()
    show(diagnosis, Console(file=stream, width=100, markup=False, highlight=False))
    assert "Not measured: that would send something, and cost money." in stream.getvalue()


REPORT = """\
Completions come from qwen2.5-coder-0.5b (embedded).
  Why: embedded is best.
  Measured: 190 ms for a dozen tokens while typing, 1,512 ms for the first time
  llama (vllm) failed: It is busy.
    Wait.
The next edit is predicted by zeta-2 (ollama): Zeta 2.

Found
  embedded  ready      qwen2.5-coder-0.5b  reads 160 and writes 50 tokens a second
  ollama    ready      llama3, phi         http://127.0.0.1/ollama
  mine      not there                      http://127.0.0.1/mine

Who is asked, in this order
  1. qwen2.5-coder-0.5b (embedded): embedded is best.
  not phi (ollama): No format.

Cloud models
  anthropic: no key (ANTHROPIC_API_KEY)
  openai: key in the environment
  other: switched off (`cloud.other.enabled`)
  Nothing is sent to them.

Keys of model servers
  GPU_KEY: set

Not there, and not needed
  mine: Nothing answers.
    Start mine.

Problems in the settings
  command line: log.level: wrong
"""


def test_the_report_for_people() -> None:
    fim = builtin_catalog().families[0].fim
    zeta = next_edit_family("zeta-2")
    assert zeta is not None
    phi = Deployment("ollama", "phi", fills_in=False)
    nothing = Deployment("mine", "", fills_in=False, phase="off")
    loaded = load(environ={}, workspace_roots=())
    problem = Problem("log.level", "wrong", Origin(Layer.COMMAND_LINE))
    diagnosis = Diagnosis(
        loaded=type(loaded)(
            settings=loaded.settings,
            origins=loaded.origins,
            problems=(problem,),
            own=loaded.own,
            folders=(),
        ),
        embedded=EMBEDDED,
        found=(found("ollama", "llama3", "phi"), found("mine", ok=False)),
        plan=plan(
            EMBEDDED, rejected=(Rejected(phi, "No format."), Rejected(nothing, "Nothing answers."))
        ),
        serving=Backend(
            name="embedded",
            model="qwen2.5-coder-0.5b",
            base_url="http://127.0.0.1",
            fim=fim,
            context_tokens=4096,
            speed=None,
            latency_ms=None,
            has_slots=True,
            reads_ahead=True,
        ),
        latency=Latency(1511.7, 190.2),
        failures=(Failure("vllm", "llama", "It is busy.", "Wait."),),
        cloud=Cloud(
            (
                Vendor("anthropic", enabled=True, key="", variable="ANTHROPIC_API_KEY"),
                Vendor("openai", enabled=True, key="environment", variable="OPENAI_API_KEY"),
                Vendor("other", enabled=False, key="", variable="OTHER_KEY"),
            ),
            allowed=False,
            completions=False,
            why="Nothing is sent to them.",
        ),
        keys={"GPU_KEY": True},
        fixes=(Fix("mine: Nothing answers.", "Start mine."),),
        editor=Editor("ollama", "zeta-2", "http://127.0.0.1", zeta, 8192, local=True),
    )
    stream = io.StringIO()
    show(diagnosis, Console(file=stream, width=100, markup=False, highlight=False))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines[0].startswith("COAI 0.")
    assert lines[2:] == REPORT.splitlines()
    assert document(diagnosis)["nextEdit"] == {
        "backend": "ollama",
        "model": "zeta-2",
        "family": "Zeta 2",
        "local": True,
    }
    assert document(diagnosis)["failures"] == [
        {"backend": "vllm", "model": "llama", "message": "It is busy.", "remedy": "Wait."}
    ]
