"""A kit for authors of plug-ins: what COAI expects of one, as checks that any test runner can run.

    from coai_agents.testing import check_tool

    async def test_my_tool(tmp_path):
        await check_tool(MyTool(), {"text": "hello"}, workspace=tmp_path)

Each check raises `AssertionError` with what does not hold.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from coai_agents.plugins.finding import GROUPS, PluginError, Plugins
from coai_agents.plugins.working import PluginWorkers, extended
from coai_agents.specialists.asking import Asker
from coai_agents.workflows.definition.known import Known, Signature
from coai_agents.workflows.definition.schema import AgentNode, Plan, ToolNode
from coai_agents.workflows.definition.types import Type, misfit
from coai_agents.workflows.engine.replay import replayed
from coai_agents.workflows.engine.shapes import ready_plan
from coai_agents.workflows.engine.work import Done, StepFailedError, Task
from coai_agents.workflows.journal.records import (
    Event,
    RunRow,
    StepEnd,
    StepFacts,
    Story,
    encoded,
)
from coai_agents.workflows.reports.report import Report
from coai_routing.errors import EgressRefusedError, ProviderError
from coai_routing.privacy.egress import Egress
from coai_routing.request import Capability, Message, ModelRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coai_agents.plugins.finding import Group
    from coai_agents.plugins.interfaces import Plugin
    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Workers

HOSTILE: tuple[Json, ...] = (None, "", "\0", "\ud800", "x" * 100_000, -1, 1e300, [], {}, [[]], True)
"""What a step may be given where a plan's author did not say what it is."""


class _Nobody:
    async def do(self, task: Task) -> Done:
        raise StepFailedError(f"{task.step}: nobody does this here.", again=False)

    def has_effects(self, node: Node) -> bool:
        del node
        return False


async def check_agent(
    agent: Plugin, given: Mapping[str, Json], *, workspace: Path, asker: Asker | None = None
) -> Json:
    """Check an agent with an example; returns what it gave.

    It says what it takes and gives; gives that for the example, in a form that can be kept; and of
    anything else it says that it cannot, by `StepFailedError`. Without an `asker` it has no model.
    """
    _check_signature(agent)
    return await _check_step("coai.agents", agent, given, workspace, asker or Asker())


async def check_tool(tool: Plugin, given: Mapping[str, Json], *, workspace: Path) -> Json:
    """Check a tool with an example, as `check_agent` does; its effect is `none` or `reads`."""
    signature = _check_signature(tool)
    assert signature.effect in ("none", "reads"), "a tool changes nothing: say `none` or `reads`"
    return await _check_step("coai.tools", tool, given, workspace, Asker())


def check_formatter(formatter: Plugin) -> None:
    """Check that a formatter writes runs of every kind, whatever models and files said."""
    for report in _reports():
        said = formatter(report)
        assert isinstance(said, str), f"a formatter returns text, and this is a {type(said)}"
        assert report.story.row.state in said or report.story.row.id in said, (
            "a reader has to see which run it is, or what became of it"
        )


async def check_provider(maker: Plugin) -> None:
    """Check what speaks to a model server that is under way: it answers, and it asks egress.

    A request that may not go there is refused before a byte is sent.
    """
    assert isinstance(maker.base_url, str), "base_url says where the server is"
    provider = maker(Egress(trusted_hosts=frozenset(), allow=True))
    try:
        assert provider.base_url == maker.base_url
        assert (await provider.health()).ok, "the server has to be under way for this check"
        texts: list[str] = []
        reply = None
        async with aclosing(provider.stream(_request())) as deltas:
            async for delta in deltas:
                assert reply is None, "the reply comes last"
                texts.append(delta.text)
                reply = delta.reply
        assert reply is not None, "the last piece has the whole reply"
        assert "".join(texts) == reply.text, "the pieces are the whole reply"
        async with aclosing(provider.stream(_request())) as deltas:
            await anext(deltas)
    finally:
        await provider.aclose()
    await _check_refused(maker)


async def _check_refused(maker: Plugin) -> None:
    asked: list[str] = []

    class Refusing(Egress):
        def check(self, request: ModelRequest | None, base_url: str, *, provider: str) -> None:
            del request
            asked.append(base_url)
            raise EgressRefusedError("refused", provider=provider, remedy="")

    provider = maker(Refusing())
    try:
        await provider.chat(_request())
    except ProviderError:
        pass
    else:
        raise AssertionError("a request that may not go there was answered")
    finally:
        await provider.aclose()
    assert asked, "`egress.check` is called last before bytes go out"


def check_package(package: str) -> list[tuple[Group, str]]:
    """Check that all that an installed package offers can be loaded; returns it.

    Names are lower-case words with `-` or `_`, so that plans can say them.
    """
    plugins = Plugins()
    mine: list[tuple[Group, str]] = []
    for group in GROUPS:
        for name in plugins.names(group):
            if plugins.package(group, name).partition(" ")[0] != package:
                continue
            assert name.replace("-", "_").isidentifier(), f"{name} is no name"
            try:
                plugin = plugins.get(group, name)
            except PluginError as error:
                raise AssertionError(error.message) from error
            assert callable(plugin) or hasattr(plugin, "do"), f"{name} of {group} does nothing"
            mine.append((group, name))
    assert mine, f"{package} offers nothing, or is not installed"
    return mine


def _check_signature(plugin: Plugin) -> Signature:
    signature: Any = plugin.signature
    assert isinstance(signature, Signature), "`signature` says what it takes and gives"
    for name, kind in signature.takes.items():
        assert isinstance(kind, Type), f"{name} has no type"
    assert set(signature.needed) <= set(signature.takes), "what is needed is among what it takes"
    assert signature.summary, "a summary says in a line what it does"
    return signature


async def _check_step(
    group: Group, plugin: Plugin, given: Mapping[str, Json], workspace: Path, asker: Asker
) -> Json:
    signature: Signature = plugin.signature
    for name, value in given.items():
        if name in signature.takes:
            wrong = misfit(value, signature.takes[name], name)
            assert not wrong, f"the example does not fit the signature: {wrong}"
    nobody: Workers = _Nobody()
    plugins = Plugins(None, {group: {"mine": plugin}})
    workers = PluginWorkers(nobody, plugins, asker, workspace)
    node: Node = (
        AgentNode(kind="agent", name="a", specialist="mine")
        if group == "coai.agents"
        else ToolNode(kind="tool", name="a", tool="mine")
    )
    assert "mine" in extended(Known(), plugins).specialists or group == "coai.tools"
    done = await workers.do(Task("run", "a", 1, node, dict(given)))
    encoded(done.output)
    wrong = misfit(done.output, signature.gives)
    assert not wrong, f"it gives what it does not say: {wrong}"
    for value in HOSTILE:
        odd = dict.fromkeys(signature.takes, value)
        try:
            async with asyncio.timeout(30):
                encoded((await workers.do(Task("run", "a", 1, node, odd))).output)
        except StepFailedError:
            continue
        except Exception as error:
            shown = repr(value)[:60]
            raise AssertionError(
                f"of {shown} it says {type(error).__name__}, where StepFailedError was expected"
            ) from error
    return done.output


def _request() -> ModelRequest:
    return ModelRequest(
        capability=Capability.CODE_ANALYSIS,
        messages=(Message(role="user", content="Say yes."),),
        max_tokens=8,
    )


def _reports() -> list[Report]:
    text = Plan(name="a plan", nodes=(AgentNode(kind="agent", name="a", prompt="p"),)).as_json()
    reports: list[Report] = []
    for state in ("done", "failed", "waiting", "cancelled"):
        row = RunRow(1, "f00d", "a plan", state, "2030-01-01T00:00:00", "2030-01-01T00:00:00")
        for output in ("words", "```\n<script>|`\x1b[31m", {"a": [1, None]}, None):
            end = StepEnd("a", "done", output, facts=StepFacts(model="m`|", notes=("n",)), seq=1)
            events = (Event(0, "created"), Event(1, "ended", "a"), Event(2, "finished", "", {}))
            story = Story(row, text, "in", events, (end,))
            reports.append(Report(story, ready_plan(text), replayed(story)))
    return reports
