"""The examples of docs/workflows.md and docs/conversations.md are executed, and say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import load_text
from coai_agents.workflows.library import Library
from coai_agents.workflows.workers.profiles import builtin_profiles
from coai_agents.workflows.workers.roles import roles
from coai_agents.workflows.workers.specialists import SPECIALISTS
from coai_agents.workflows.workers.tools import TOOLS

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "workflows.md").read_text(encoding="utf-8")
TALKS = (DOCS / "conversations.md").read_text(encoding="utf-8")
KNOWN = Known(
    profiles=frozenset(builtin_profiles()),
    roles=frozenset(roles()),
    specialists=SPECIALISTS,
    tools=TOOLS,
    scripts=frozenset(),
)


def blocks(language: str, text: str = TEXT + TALKS) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("yaml"))))
def test_every_plan_of_the_page_loads(number: int) -> None:
    assert load_text(blocks("yaml")[number], KNOWN, "docs/workflows.md").nodes


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_every_program_of_the_page_runs(number: int) -> None:
    exec(blocks("python")[number], {})


def test_what_the_page_lists_is_what_there_is() -> None:
    library = Library(KNOWN)
    (shown,) = blocks("console", TEXT)
    listed = [line.split()[0] for line in shown.splitlines()[1:]]
    assert listed == list(library.entries())
    for name in listed:
        assert library.plan(name).description in shown
    for name in (*TOOLS, *SPECIALISTS):
        assert f"`{name}`" in TEXT, name
