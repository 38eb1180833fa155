"""Every template, pattern and conversation ends on the embedded model alone, and can be read.

What a model of half a billion parameters says is not judged here: that each run ends, says what
became of every step, and leaves a report that a person can read, is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from coai_agents.workflows.definition.schema import AgentNode, Plan
from coai_agents.workflows.library import BUILTIN
from coai_agents.workflows.patterns.patterns import (
    Stage,
    parallel,
    pipeline,
    reflective,
    supervisor,
)
from coai_agents.workflows.patterns.tasks import Task, tasks
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.settings.schema import Settings
from coai_routing.wiring.configured import data_directory, open_store
from tests.server.cli.conftest import Home

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json

pytestmark = pytest.mark.model

CODE: Final = '''"""Prices."""

import hashlib


def total(prices):
    return sum(prices)


def name(text):
    return hashlib.md5(text).hexdigest()
'''

MOST_SECONDS: Final = 900
"""For one run on a busy machine."""

PROFILES: Final = "".join(
    f'[profiles.{name}]\ncapability = "code_analysis"\nmax_tokens = {tokens}\ntimeout = 300\n'
    for name, tokens in (
        *(("default", 40), ("quick", 40), ("careful", 60)),
        *(("creative", 40), ("security", 40), ("writer", 40)),
    )
)
"""A short answer is an answer, too."""

INPUTS: Final[dict[str, str]] = {
    "brainstorming": "How do we name this product?",
    "bug-fix": "shop.py",
    "change-review": "HEAD",
    "code-review": "shop.py",
    "documentation": "shop.py",
    "feature-development": json.dumps({"wish": "Add a mean of prices.", "files": ["shop.py"]}),
    "infrastructure": json.dumps({"wish": "A Dockerfile.", "files": ["shop.py"]}),
    "panel": "Is one repository enough for us?",
    "refactoring": json.dumps({"file": "shop.py", "goal": "shorter names"}),
}


def _agent(name: str, output: Json = None) -> AgentNode:
    return AgentNode(name=name, prompt="Answer in one short sentence.", output=output)


PATTERNS: Final[dict[str, Plan]] = {
    "pipeline": pipeline(
        "p", [Stage(_agent("one"), check="length(one) > 0"), Stage(_agent("two"))]
    ),
    "parallel": parallel("p", [_agent("one"), _agent("two")], "judge"),
    "reflective": reflective("p", "Name a colour and say why.", rounds=2),
    "supervisor": supervisor("p", {"names": _agent("one"), "numbers": _agent("two")}, rounds=1),
    "tasks": tasks("p", [Task(_agent("one"), priority=1), Task(_agent("two"), after=("one",))]),
}


def test_there_is_an_input_for_every_template() -> None:
    assert set(INPUTS) == {path.stem for path in BUILTIN.glob("*.yaml")}


@pytest.fixture(scope="module")
def here(home: Home) -> Home:
    """Give a home with the real model, a repository with a change, and short answers."""
    store = open_store(Settings(), builtin_catalog())
    if not store.status(Settings().engine.model).present and "CI" not in os.environ:
        pytest.skip("the weights are not here: run `coai models pull`")
    folder = home.folder / "work"
    folder.mkdir(exist_ok=True)
    environment = {
        **home.environment,
        "COAI_ENGINE__MODEL": Settings().engine.model,
        "COAI_MODELS__DIRECTORY": str(data_directory()),
        "COAI_ENGINE__THREADS": "2",
    }
    config = Path(environment["XDG_CONFIG_HOME"], "coai")
    config.mkdir(parents=True, exist_ok=True)
    (config / "profiles.toml").write_text(PROFILES)
    (folder / "shop.py").write_text(CODE)
    git = ("git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "Begin")):
        subprocess.run([*git, *arguments], check=True)
    (folder / "shop.py").write_text(CODE.replace("sum(prices)", "sum(prices) + 1"))
    return Home(folder, environment)


def ended(home: Home, *arguments: str) -> dict[str, Json]:
    """Carry a plan out; see that it ended and that a person can read what became of it."""
    process = home.popen("run", *arguments, "--json")
    out, err = process.communicate(timeout=MOST_SECONDS)
    assert process.returncode in (0, 1), err
    found = json.loads(out)
    assert found["state"] in ("done", "failed"), found["state"]
    assert found["left_the_machine"] == []
    assert any(step["model"] for step in found["steps"]) or found["steps"], err
    if found["state"] == "failed":
        assert found["error"], "a run that failed says why"
    shown = home("runs", "show", found["run"]).out
    assert shown.startswith(f"# {found['name']}: {found['state']}")
    assert "```mermaid" in shown
    for step in found["steps"]:
        assert f"| `{step['step']}` |" in shown
        assert step["state"] != "failed" or step["error"]
    assert not re.search(r"Traceback|object at 0x", shown)
    return found


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_every_template_and_conversation_ends(here: Home, name: str) -> None:
    found = ended(here, name, "--input", INPUTS[name])
    if name in ("panel", "brainstorming") and found["state"] == "done":
        assert found["result"]["said"]
        assert found["result"]["text"]
    if name == "code-review":
        assert found["state"] == "done"
        assert "hash" in found["result"]["text"], "what was found without a model is said"


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_every_pattern_ends(here: Home, name: str) -> None:
    file = here.folder / f"{name}.json"
    file.write_text(PATTERNS[name].as_json())
    ended(here, str(file), "--input", "a colour")
