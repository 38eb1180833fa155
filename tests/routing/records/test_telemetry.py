"""Spans and metrics: what they say of a call, and that they say nothing of what was asked."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import NoAnswerError
from coai_routing.records import span_names
from coai_routing.records import telemetry as module
from coai_routing.records.prometheus import render
from coai_routing.records.spending import FREE, SpendingLedger, read_totals
from coai_routing.records.telemetry import Telemetry, TelemetryError, attributes
from coai_routing.router.calls import Call
from coai_routing.settings.schema import Settings
from coai_routing.wiring.assembly import open_routing
from tests.support.cloud_server import cloud_server
from tests.support.routing import question

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CANARY = "canary_in_the_question"
CALL = Call(
    capability="code_analysis",
    alias="cloud.fast",
    endpoint="openai",
    model='m"1',
    local=False,
    prompt_tokens=10,
    cached_tokens=4,
    output_tokens=2,
    cost_usd=0.5,
    first_ms=100.0,
    total_ms=400.0,
    outcome="answered",
)


@contextmanager
def collector() -> Generator[tuple[str, bytearray]]:
    """Run what takes spans; yield its address and every byte that arrives."""
    received = bytearray()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.extend(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
        finally:
            server.shutdown()
            thread.join()


def settings(url: str, cloud: str, **more: Any) -> Settings:  # noqa: ANN401 - any part
    """Return settings whose `telemetry.url` is the collector's, with a vendor that answers."""
    return Settings.model_validate(
        {
            "telemetry": {"enabled": True, "url": url},
            "routing": {"allow_cloud": True},
            "cloud": {"openai": {"url": f"{cloud}/v1", "api_key": "sk-canary_of_the_key"},
                      "anthropic": {"enabled": False}},
            **more,
        }
    )  # fmt: skip


async def test_a_span_tells_of_a_call_and_nothing_of_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "canary_state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "canary_cache"))
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "canary_of=the_environment")
    with collector() as (url, received), cloud_server() as cloud:
        cloud.answer = "canary_answer"
        wanted = settings(url, cloud.url)
        routing = await open_routing(lambda: wanted)
        asked = question(f"what does {CANARY} do?", paths=("src/canary_path.py",))
        assert (await routing.router.answer(asked)).text == "canary_answer"
        with pytest.raises(NoAnswerError):
            await routing.router.answer(question(f"{CANARY} jane.roe@engines.io"))
        await routing.aclose()
    for said in (b"gen_ai.usage.input_tokens", b"gen_ai.response.model", b"coai.cost_usd",
                 b"code_analysis", b"openai", b"chat cloud."):  # fmt: skip
        assert said in received
    for secret in (b"canary", b"jane", str(tmp_path).encode(), sys.executable.encode()):
        assert secret not in received


@pytest.mark.parametrize(
    ("change", "present", "absent"),
    [
        ({}, {span_names.FIRST_MS: 100.0, span_names.CACHED_TOKENS: 4}, {span_names.ERROR}),
        (
            {"outcome": "cut_off", "first_ms": None},
            {span_names.ERROR: "cut_off"},
            {span_names.FIRST_MS},
        ),
    ],
)
def test_what_a_span_says(
    change: dict[str, Any], present: dict[str, Any], absent: set[str]
) -> None:
    told = attributes(replace(CALL, **change))
    assert present.items() <= told.items()
    assert not absent & told.keys()


def test_a_failure_is_an_error_of_its_span() -> None:
    with collector() as (url, received):
        spans = Telemetry(url, version="1")
        spans.note(replace(CALL, outcome="ProviderTimeoutError"))
        spans.close()
    assert b"ProviderTimeoutError" in received


async def test_without_the_sdk_the_router_works_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(TelemetryError):
        Telemetry("http://127.0.0.1:1", version="1")
    wanted = settings("http://127.0.0.1:1", "http://127.0.0.1:1")
    routing = await open_routing(lambda: wanted)
    assert routing.telemetry is None
    await routing.aclose()
    assert "coai[telemetry]" in caplog.text


def test_nothing_of_it_is_imported_while_it_is_off(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from coai_routing.wiring.assembly import open_routing; "
        "from coai_routing.settings.schema import Settings; s = Settings(); "
        "asyncio.run(open_routing(lambda: s)); "
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    command = [sys.executable, "-c", program]
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert ran.stdout == "[]\n"


def test_metrics_are_prometheus_text_of_what_the_books_hold(tmp_path: Path) -> None:
    books = SpendingLedger(tmp_path / "books.sqlite3", now=lambda: datetime(2026, 1, 2, tzinfo=UTC))
    for _ in range(2):
        books.settle_now(FREE, CALL)
    books.close()
    text = render(read_totals(books.path))
    labels = (
        'capability="code_analysis",alias="cloud.fast",endpoint="openai",'
        'model="m\\"1",outcome="answered"'
    )
    assert f"coai_calls_total{{{labels}}} 2\n" in text
    assert f"coai_cost_usd_total{{{labels}}} 1\n" in text
    assert f"coai_call_seconds_total{{{labels}}} 0.8\n" in text
    assert text.count("# TYPE") == 7
    assert render(read_totals(tmp_path / "none.sqlite3")).count("\n") == 14
