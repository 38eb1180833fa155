"""Whoever does steps of runs that came from elsewhere, with this machine's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.application.shared.hands import Hands
from coai_agents.workflows.definition.schema import AgentNode, ToolNode
from coai_agents.workflows.engine.work import StepFailedError, Task
from coai_agents.workflows.workers.workers import Places

if TYPE_CHECKING:
    from pathlib import Path

READ = ToolNode(kind="tool", name="a", tool="read")
SAYS = AgentNode(kind="agent", name="a", prompt="p")


async def test_a_folder_that_is_not_here_is_said_at_each_step(tmp_path: Path) -> None:
    hands = Hands(Places(tmp_path))
    workers = await hands({"workspace": str(tmp_path / "none")})
    with pytest.raises(StepFailedError, match="no folder") as failed:
        await workers.do(Task("r", "a", 1, READ, {"path": "x"}))
    assert not failed.value.again
    assert not workers.has_effects(READ)
    await hands.aclose()


async def test_runs_that_say_the_same_share_models(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("words")
    (tmp_path / "profiles.toml").write_text('[profiles.mine]\nalias = "local.code"\n')
    hands = Hands(Places(tmp_path))
    facts = {"workspace": str(tmp_path), "models": False}
    workers = await hands(facts)
    assert await hands({**facts, "paths": ["y"]}) is workers
    assert await hands({**facts, "alias": "other"}) is not workers
    assert (await workers.do(Task("r", "a", 1, READ, {"path": "x"}))).output == "words"
    with pytest.raises(StepFailedError, match="No model is asked"):
        await workers.do(Task("r", "a", 1, SAYS, {}))
    names = [hands.model_of(each) for each in ("mine", "quick", None, "gone")]
    assert names == ["local.code", "quick", "default", "gone"]
    await hands.aclose()
