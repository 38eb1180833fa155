"""Other people's frameworks use COAI: each in an environment of its own, by a real program.

The programs are those that `docs/integrations.md` shows.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integrations.environments import LOCKS, python_of
from tests.server.shared.daemons import User, some_user
from tests.server.test_mcp import SHOP

if TYPE_CHECKING:
    from collections.abc import Generator

PROGRAMS: Final = Path(__file__).with_name("programs")
PAGE: Final = Path(__file__).parents[2] / "docs" / "integrations.md"

FRAMEWORKS: Final = {
    "langgraph": {"progress", "findings"},
    "autogen": {"progress", "findings", "text"},
    "semantic_kernel": {"progress", "findings", "text"},
    # Its adapter hands on text alone.
    "crewai": {"text"},
    "openai_agents": {"progress", "findings", "text"},
}
"""What a framework hands on, beside the list of tools and a workflow's answer."""

TOOLS: Final = {"audit", "explain", "review", "run_workflow", "run_status"}


@pytest.fixture(scope="module")
def user() -> Generator[User]:
    with some_user() as user:
        (user.folder / "shop.py").write_text(SHOP)
        yield user


def environment_of(user: User, python: Path) -> dict[str, str]:
    """Return what a program gets: this checkout's `coai` on its path, and no vendor's key."""
    kept = {name: text for name, text in os.environ.items() if not name.endswith("_API_KEY")}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", "")))
    quiet = {"OTEL_SDK_DISABLED": "true", "CREWAI_DISABLE_TELEMETRY": "true"}
    return {
        **kept,
        **user.environment,
        **quiet,
        "PATH": path,
        "VIRTUAL_ENV": str(python.parents[1]),
    }


def run_program(user: User, python: Path, name: str) -> dict[str, Any]:
    """Return what the last line of a program says."""
    ended = subprocess.run(
        [python, PROGRAMS / name],
        cwd=user.folder,
        env=environment_of(user, python),
        capture_output=True,
        timeout=240,
        check=False,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_lists_tools_audits_and_runs_a_workflow(user: User, name: str) -> None:
    said = run_program(user, python_of(name), f"with_{name}.py")
    names = {re.split(r"[-.]", each)[-1] for each in said["tools"]}
    assert names >= TOOLS, said["tools"]
    assert "findings" in said["review"]
    handed_on = FRAMEWORKS[name]
    if "progress" in handed_on:
        assert "findings: done" in said["progress"]
    if "findings" in handed_on:
        assert [each["rule"] for each in said["findings"]] == ["weak-hash"]
    if "text" in handed_on:
        assert "shop.py:5:12: warning weak-hash" in said["text"]


def test_a_framework_uses_the_daemon_where_one_runs(user: User) -> None:
    # Frameworks start servers with few of the user's variables: no settings are among them.
    user = replace(user, settings={})
    with user.daemon():
        said = run_program(user, python_of("langgraph"), "with_langgraph.py")
        assert [each["rule"] for each in said["findings"]] == ["weak-hash"]
        # It begins anew for the list of tools and for each call.
        assert user.status()["served"] == {"mcp": 3}


@pytest.mark.skipif(
    sys.platform == "win32", reason="a script there is no program by its first line"
)
def test_a_graph_of_langgraph_is_a_step_of_a_workflow(user: User) -> None:
    own = user.home / ".config" / "coai"
    for kind in ("scripts", "ensembles"):
        (own / kind).mkdir(parents=True, exist_ok=True)
    text = (PROGRAMS / "graph_step.py").read_text().split("\n", 1)[1]
    script = own / "scripts" / "graph_step.py"
    script.write_text(f"#!{python_of('langgraph')}\n{text}")
    script.chmod(0o700)
    plan = (PROGRAMS / "graph_workflow.yaml").read_text()
    (own / "ensembles" / "counted.yaml").write_text(plan)
    ended = user.coai("run", "counted", "--input", "one two three four", "--json", "--no-model")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    result = json.loads(ended.stdout)["result"]
    assert result == {"text": "one two three four", "words": 4, "long": True}


def test_the_page_shows_these_very_programs() -> None:
    page = PAGE.read_text()
    shown = re.findall(r"^```(?:python|yaml)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert sorted(shown) == sorted(
        each.read_text() for each in PROGRAMS.iterdir() if each.is_file()
    )
    for lock in LOCKS.glob("*.in"):
        for line in lock.read_text().splitlines():
            assert f"`{line}`" in page, line
