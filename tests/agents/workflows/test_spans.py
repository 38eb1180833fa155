"""Spans of runs, as a collector gets them: decoded by the official protobufs, or by a real one.

A real collector is `otelcol` on the path, with `otlp` as receiver and `debug` as exporter, or the
one of `tests/support/collector`.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.hooks import Hook
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import Usage
from coai_agents.workflows.reports.spans import RunSpans
from coai_agents.workflows.workers.tools import TOOLS
from coai_routing.records import span_names as names
from coai_routing.records.telemetry import Telemetry
from coai_routing.router.calls import Call
from tests.agents.workflows.support import Scripted, plan_of
from tests.support.databases import free_port
from tests.support.otel_collector import collector_program

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task

CANARY = "canary-of-the-prompt"
PLAN = f"""
    - {{kind: tool, name: code, tool: read, given: {{path: input}}}}
    - {{kind: agent, name: view, role: critic, prompt: {CANARY}, given: {{code: code}},
       retries: {{attempts: 2, backoff: 0}}}}
    - {{kind: human, name: ask, question: {CANARY}, depends_on: [view]}}
    - {{kind: agent, name: end, prompt: {CANARY}, depends_on: [ask]}}
"""
CALL = Call(
    capability="code_analysis",
    alias="local.fast",
    endpoint="embedded",
    model="tiny",
    local=True,
    prompt_tokens=10,
    cached_tokens=4,
    output_tokens=2,
    cost_usd=0.0,
    first_ms=1.0,
    total_ms=2.0,
    outcome="answered",
)


class Breaking(Hook):
    def node_began(self, task: Task) -> None:
        raise RuntimeError("a hook of somebody's")


async def two_legs(folder: Path, url: str) -> str:
    """Carry a run out in two parts, as two processes do; returns its name."""

    def does(telemetry: Telemetry) -> Scripted:
        def one(task: Task) -> Json:
            if task.node.kind == "agent":
                telemetry.note(CALL)
            if task.step == "view" and task.attempt == 1:
                raise StepFailedError(CANARY, usage=Usage(1, 5, 5, 0.1))
            return Done(CANARY, Usage(1, 10, 2, 0.5), "tiny", paths=(f"{CANARY}.py",))

        return Scripted(one)

    run = ""
    for part in range(2):
        telemetry = Telemetry(url, version="1")
        journal = Journal(folder / "runs.sqlite3")
        engine = Engine(journal, does(telemetry), hooks=[RunSpans(telemetry), Breaking()])
        if not part:
            plan = plan_of(PLAN, Known(roles=frozenset({"critic"}), tools=TOOLS))
            outcome = await engine.start(plan, CANARY)
            run = outcome.run
            assert outcome.state == "waiting"
            await engine.answer(run, "ask", CANARY)
        else:
            assert (await engine.resume(run)).state == "done"
        await journal.aclose()
        telemetry.close()
    return run


@contextmanager
def collector() -> Generator[tuple[str, list[Any]]]:
    """Take spans; yield the address and what arrives, decoded."""
    arrived: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append(ExportTraceServiceRequest.FromString(content))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces", arrived
        finally:
            server.shutdown()
            thread.join()


def told(span: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
    }


async def test_a_run_is_one_trace_of_a_workflow_agents_tools_and_calls(tmp_path: Path) -> None:
    with collector() as (url, arrived):
        run = await two_legs(tmp_path, url)
    scopes = [scope for request in arrived for each in request.resource_spans
              for scope in each.scope_spans]  # fmt: skip
    assert {scope.schema_url for scope in scopes} == {names.CONVENTIONS}
    spans = [span for scope in scopes for span in scope.spans]
    assert sorted(span.name for span in spans) == [
        "chat local.fast",
        "chat local.fast",
        "chat local.fast",
        "execute_tool read",
        "invoke_agent critic",
        "invoke_agent critic",
        "invoke_agent end",
        "invoke_workflow test",
        "invoke_workflow test",
    ]
    assert len({span.trace_id for span in spans}) == 1, "also of two processes"
    assert {told(span)[names.CONVERSATION] for span in spans} == {run}
    root = {span.span_id for span in spans if span.name.startswith("invoke_workflow")}
    steps = {span.span_id for span in spans if span.name.startswith(("invoke_agent", "execute"))}
    for span in spans:
        if span.name.startswith("chat"):
            assert span.parent_span_id in steps, "a call is within its agent"
        elif span.span_id not in root:
            assert {span.parent_span_id} == root
    failed = [told(span) for span in spans if span.status.code == span.status.STATUS_CODE_ERROR]
    assert [(each[names.AGENT], each[names.ERROR]) for each in failed] == [
        ("critic", "StepFailedError")
    ]
    cost = sum(told(span).get(names.COST, 0) for span in spans if span.span_id in steps)
    assert cost == pytest.approx(1.6)
    assert not any(CANARY.encode() in request.SerializeToString() for request in arrived)


def _command(program: Path, config: str) -> list[str]:
    whole = program.name == "otelcol"
    return [str(program), *(["--config"] if whole else []), config]


@pytest.fixture
def real_collector(tmp_path: Path) -> Generator[tuple[str, Callable[[], str]]]:
    """Run a real collector; yields its address, and what ends it and returns what it said."""
    program = collector_program()
    port, ready, said = free_port(), Flag(), list[str]()
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{debug: {{verbosity: detailed}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}
"""
    )
    process = subprocess.Popen(
        _command(program, f"file:{config}"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
        text=True,
    )

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if "Everything is ready" in line:
                ready.set()
        ready.set()

    reader = Thread(target=read)
    reader.start()

    def ended() -> str:
        process.terminate()
        process.wait(timeout=60)
        reader.join()
        return "".join(said)

    assert ready.wait(60)
    yield f"http://127.0.0.1:{port}/v1/traces", ended
    ended()
    assert process.stderr is not None
    process.stderr.close()


async def test_a_real_collector_takes_them(
    tmp_path: Path, real_collector: tuple[str, Callable[[], str]]
) -> None:
    url, ended = real_collector
    run = await two_legs(tmp_path, url)
    log = ended()
    found = set(re.findall(r"Name +: (.+)", log))
    assert {"invoke_workflow test", "invoke_agent critic", "execute_tool read"} <= found, log
    assert f"{names.CONVERSATION}: Str({run})" in log
    assert names.CONVENTIONS in log
    assert CANARY not in log
