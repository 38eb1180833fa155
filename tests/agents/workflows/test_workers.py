"""Who does steps: what models are asked by profile, which files count as seen, what scripts may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from coai_agents.specialists.asking import Asker, Prompt, Said
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import Usage
from coai_agents.workflows.workers.proposals import files_in, refusal
from coai_agents.workflows.workers.scripts import run_script
from coai_agents.workflows.workers.workers import LocalWorkers, Places, known_of
from coai_routing.request import Usage as Tokens
from tests.agents.workflows.support import plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.workflows.engine.engine import Outcome


class Recording(Asker):
    """Answers, and keeps what it was asked and with which wishes."""

    def __init__(self) -> None:
        super().__init__(why_none="")
        self.asked: list[tuple[Prompt, float, dict[str, Any]]] = []
        self.wishes: dict[str, Any] = {}

    def wishing(self, **changes: Any) -> Recording:  # type: ignore[override] # noqa: ANN401 - as of the real one
        other = Recording()
        other.asked, other.wishes = self.asked, {**self.wishes, **changes}
        return other

    async def say(self, prompt: Prompt, *, temperature: float = 0.0) -> Said:
        self.asked.append((prompt, temperature, self.wishes))
        usage = Tokens(prompt_tokens=10, output_tokens=5)
        return Said("said", "a model", local=False, usage=usage, cost_usd=0.25)


async def ran(folder: Path, nodes: str, **keys: Any) -> tuple[Outcome, Recording, Usage]:  # noqa: ANN401 - of a plan
    """Carry a plan out in a folder with a file, and profiles of the user's."""
    own = folder / "own"
    own.mkdir(exist_ok=True)
    (own / "profiles.toml").write_text(
        '[profiles.quick]\ntier = "fast"\ntemperature = 0.5\nmax_tokens = 7\nmost_usd = 0.1\n'
        '[profiles.mine]\nalias = "local.code"\nsystem = "Be kind."\n'
    )
    (folder / "a.py").write_text("import os\n\n\ndef total():\n    return 1\n")
    asker, places = Recording(), Places(own)
    journal = Journal(folder / "runs.sqlite3")
    engine = Engine(journal, LocalWorkers(asker, places, folder))
    outcome = await engine.start(plan_of(nodes, known_of(places), **keys), "a.py")
    story = await journal.story(outcome.run)
    used = sum((end.facts.usage for end in story.steps), Usage())
    await engine.aclose()
    await journal.aclose()
    return outcome, asker, used


async def test_a_profile_says_what_is_wanted_of_a_model(tmp_path: Path) -> None:
    _, asker, used = await ran(
        tmp_path,
        """
        - {kind: agent, name: a, prompt: Say it., profile: quick}
        - {kind: agent, name: b, prompt: Say it., profile: mine, depends_on: [a], sensitive: true}
        """,
        budget="{usd: 0.3}",
    )
    (quick, warm, wishes), (mine, cold, others) = asker.asked
    assert (quick.max_tokens, warm, wishes["tier"], wishes["most_usd"]) == (7, 0.5, "fast", 0.1)
    assert (mine.system, cold, others["alias"]) == ("Be kind.\n\nSay it.", 0.0, "local.code")
    assert (wishes["here"], others["here"]) == (False, True)
    assert others["most_usd"] == pytest.approx(0.05), "what the budget leaves"
    assert (used.calls, used.tokens, used.usd) == (2, 30, 0.5)


async def test_files_that_were_looked_at_keep_their_rules_for_the_rest_of_the_run(
    tmp_path: Path,
) -> None:
    _, asker, _ = await ran(
        tmp_path,
        """
        - {kind: agent, name: before, prompt: p}
        - {kind: tool, name: names, tool: files, depends_on: [before]}
        - {kind: agent, name: named, prompt: p, given: {names: names}}
        - {kind: tool, name: hits, tool: search, given: {text: "'total'"}, depends_on: [named]}
        - {kind: agent, name: after, prompt: p, given: {hits: hits}}
        - {kind: agent, name: later, prompt: p, given: {after: after}}
        """,
    )
    seen = [prompt.paths for prompt, _, _ in asker.asked]
    assert seen == [(), (), ("a.py",), ("a.py",)], "also what was made of it by another model"


@pytest.mark.parametrize("path", ["../other.py", "/etc/hostname", "none.py", "link.py"])
async def test_nothing_outside_of_the_workspace_is_read(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "other.py").write_text("secret = 1\n")
    (folder / "link.py").symlink_to(tmp_path / "other.py")
    outcome, _, _ = await ran(
        folder, f"- {{kind: tool, name: a, tool: read, given: {{path: \"'{path}'\"}}}}"
    )
    assert outcome.state == "failed"
    assert "secret" not in outcome.error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\nexit 3\n", "code 3"),
        ("#!/bin/sh\necho no\n", "no JSON"),
        ("#!/bin/sh\nexec sleep 60\n", "longer than 0.3 s"),
        ("#!/bin/sh\nyes yes yes yes\n", "more than 4,000,000 bytes"),
        ("no program\n", "cannot be started"),
    ],
)
async def test_scripts_are_bounded(tmp_path: Path, text: str, said: str) -> None:
    script = tmp_path / "script"
    script.write_text(text)
    script.chmod(0o700)
    seconds = 0.3 if "sleep" in text else 30
    with pytest.raises(StepFailedError, match=said):
        await run_script(script, {"x": 1}, key="run/step/1", seconds=seconds)


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("src/a.py", True),
        ("a.github.py", True),
        ("", False),
        ("/etc/passwd", False),
        ("../a.py", False),
        ("a/../../b.py", False),
        ("C:/a.py", False),
        ("a\\..\\b.py", False),
        (".git/config", False),
        (".GIT/config", False),
        ("sub/.git./hooks/x", False),
        (".github/workflows/ci.yml", False),
        (".vscode/settings.json", False),
        (".coai/rules/x.yml", False),
        (".gitlab-ci.yml", False),
        ("Jenkinsfile", False),
        (".env", False),
    ],
)
def test_models_may_only_propose_what_is_not_obeyed_unasked(path: str, *, good: bool) -> None:
    assert (refusal(path) == "") is good


def test_files_are_taken_out_of_what_a_model_wrote() -> None:
    words = (
        "First.\n```python path: src/a.py\nx = 1\n```\nThen\n"
        "~~~~ path:b.md\n# b\n```\nc\n```\n~~~~\n"
        "```python\nno file\n```\n```path: unclosed.py\nx"
    )
    assert list(files_in(words)) == [("src/a.py", "x = 1\n"), ("b.md", "# b\n```\nc\n```\n")]
