"""Plug-ins of an installed package: found, checked, used, and not loaded where they must not."""

from __future__ import annotations

import subprocess
import sys
from contextlib import aclosing
from importlib import invalidate_caches
from typing import TYPE_CHECKING

import pytest

from coai_agents.plugins.finding import PluginError, Plugins
from coai_agents.runs import Extras, Hook, Outcome, Report, open_runner
from coai_agents.testing import check_agent, check_formatter, check_package, check_tool
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import NUMBER, TEXT
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.errors import PlanError
from coai_agents.workflows.journal.records import StepEnd
from tests.agents.plugins.package import MODULE, NAME, SOURCE, install

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from coai_agents.plugins.interfaces import Help
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Task

PLAN = """
name: greeting
nodes:
  - {kind: agent, name: hello, specialist: greeter, given: {name: input}}
  - {kind: tool, name: count, tool: lines, given: {path: "'a.py'"}}
  - {kind: tool, name: text, tool: read, given: {path: "'a.py'"}}
"""


def on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have a folder on the path of modules, where packages are found."""
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    invalidate_caches()


@pytest.fixture
def installed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    folder = install(tmp_path_factory.mktemp("site"))
    on_path(monkeypatch, folder)
    yield folder
    sys.modules.pop(MODULE, None)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.py").write_text("one = 1\ntwo = 2\n")
    return folder


async def test_a_plan_uses_what_a_package_offers(installed: Path, workspace: Path) -> None:
    assert MODULE not in sys.modules
    async with open_runner(
        workspace, models=False, own=workspace / "own", journal=workspace.parent / "runs"
    ) as runner:
        assert MODULE not in sys.modules, "nothing is loaded before it is used"
        outcome = await runner.run(runner.plan(PLAN), "you")
        assert outcome.result == {
            "hello": "Hello, you.",
            "count": 2,
            "text": "one = 1\ntwo = 2\n",
        }, "a name of ours stays ours"
        report = await runner.report(outcome.run)
        assert not isinstance(report, str)
        ends = report.replay.ends
        assert ends["count"].facts.paths == ("a.py",), "its privacy rules hold from then on"
        assert await runner.report(outcome.run, "short") == "greeting: done\n"
        with pytest.raises(PlanError, match="name"):
            runner.plan(PLAN.replace("{name: input}", "{nam: input}"))


async def test_the_kit_passes_what_is_right(installed: Path, workspace: Path) -> None:
    assert check_package(NAME) == [
        ("coai.agents", "greeter"),
        ("coai.tools", "lines"),
        ("coai.tools", "read"),
        ("coai.formatters", "short"),
    ]
    plugins = Plugins()
    greeter = plugins.get("coai.agents", "greeter")
    assert await check_agent(greeter, {"name": "me"}, workspace=workspace) == "Hello, me."
    lines = plugins.get("coai.tools", "lines")
    assert await check_tool(lines, {"path": "a.py"}, workspace=workspace) == 2
    check_formatter(plugins.get("coai.formatters", "short"))


class Wrong:
    """Something that does not hold, each in its own way."""

    def __init__(self, signature: Signature, gives: object) -> None:
        self.signature = signature
        self._gives = gives

    async def do(self, given: Mapping[str, Json], helping: Help) -> Json:
        return self._gives(given) if callable(self._gives) else self._gives


TAKES = {"x": TEXT}


def _adds(given: Mapping[str, Json]) -> Json:
    return given["x"] + "!"


WRONG = [
    ("does not say", Wrong(Signature(TAKES, NUMBER, summary="s"), "no number")),
    ("TypeError", Wrong(Signature(TAKES, TEXT, summary="s"), _adds)),
    ("among what it takes", Wrong(Signature(TAKES, TEXT, ("y",), summary="s"), "z")),
    ("summary", Wrong(Signature(TAKES, TEXT), "z")),
    ("changes nothing", Wrong(Signature(TAKES, TEXT, effect="runs", summary="s"), "z")),
]


@pytest.mark.parametrize(("said", "tool"), WRONG)
async def test_the_kit_says_what_is_wrong(said: str, tool: Wrong, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=said):
        await check_tool(tool, {"x": "y"}, workspace=tmp_path)


def test_a_formatter_that_breaks_on_what_models_said() -> None:
    def breaks(report: Report) -> str:
        return f"{report.story.row.state}: {report.result.upper()}"

    def gives_bytes(report: Report) -> bytes:
        return b""

    with pytest.raises(AttributeError):
        check_formatter(breaks)
    with pytest.raises(AssertionError, match="text"):
        check_formatter(gives_bytes)


def test_nothing_is_loaded_from_a_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = workspace / "ran"
    install(workspace, SOURCE + f"\nopen({str(ran)!r}, 'w')\n")
    on_path(monkeypatch, workspace)
    plugins = Plugins(workspace)
    assert "greeter" in plugins.names("coai.agents")
    with pytest.raises(PluginError, match="lies in the workspace"):
        plugins.get("coai.agents", "greeter")
    assert not ran.exists()


def test_one_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "raise RuntimeError('on import')")
    on_path(monkeypatch, tmp_path)
    with pytest.raises(PluginError, match=r"coai-greetings 1.0 cannot be loaded: RuntimeError"):
        Plugins().get("coai.agents", "greeter")


def test_a_daemon_loads_none(tmp_path: Path) -> None:
    install(tmp_path, "raise SystemExit(9)")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import coai_server.serve, "
        "coai_agents.workflows.workers.workers as w; from pathlib import Path; "
        "w.known_of(w.Places(Path('none'))); "
        "print([n for n in sys.modules if 'greetings' in n or 'coai_agents.plugins' in n])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n", ran.stderr


async def test_hooks_and_streams(workspace: Path) -> None:
    heard: list[str] = []

    class Listening(Hook):
        def run_began(self, run: str, plan: Plan) -> None:
            heard.append(f"run {plan.name}")

        def node_began(self, task: Task) -> None:
            heard.append(f"+{task.step}/{task.attempt}")

        def node_ended(self, task: Task, end: object, seconds: float) -> None:
            heard.append(f"-{task.step}: {type(end).__name__}")

        def run_ended(self, run: str, plan: Plan, state: str, seconds: float) -> None:
            heard.append(state)

    class Fragile:
        signature = Signature({"x": TEXT}, TEXT, summary="fails once")

        async def do(self, given: Mapping[str, Json], helping: Help) -> Done:
            if helping.task.attempt == 1:
                raise StepFailedError("not yet")
            return Done(f"{given['x']}!", notes=("at last",))

    extras = Extras(agents={"fragile": Fragile()}, hooks=[Listening()])
    async with open_runner(
        workspace, extras=extras, models=False, own=workspace, journal=workspace.parent / "runs"
    ) as runner:
        plan = runner.plan(
            {
                "name": "p",
                "nodes": [
                    {
                        "kind": "agent",
                        "name": "a",
                        "specialist": "fragile",
                        "given": {"x": "input"},
                        "retries": {"attempts": 2, "backoff": 0},
                    }
                ],
            }
        )
        async with aclosing(runner.stream(plan, "go")) as happened:
            told = [each async for each in happened]
        assert isinstance(told[-1], Outcome)
        assert told[-1].result == "go!"
        assert [each.step for each in told if isinstance(each, StepEnd)] == ["a"]
        assert heard == ["run p", "+a/1", "-a: StepFailedError", "+a/2", "-a: Done", "done"]
        heard.clear()
        async with aclosing(runner.stream(plan, "go")) as happened:
            await anext(happened)
        rows = await runner.engine.journal.runs()
        assert rows[0].state == "paused", "whoever leaves early pauses it"
        assert heard[-1] == "stopped"
