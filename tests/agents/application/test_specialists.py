"""The specialists as a door asks them; without a model, so that all of it are facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.application.ask import about, ask, defining
from coai_agents.application.document import document
from coai_agents.application.explain import architecture, explain
from coai_agents.fixes.verifier import applied
from coai_agents.source import Source
from coai_agents.specialists.asking import Asker
from coai_agents.specialists.documentation.agent import Documented
from coai_agents.specialists.targets import Target, TargetError

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "first.py": "import second\n\n\ndef first_one(n):\n    return second.other(n)\n",
    "second.py": "import first\n\n\ndef other(n):\n    return eval(n)\n",
    "notes.txt": "first_one is said here.\n",
}


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Source]:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {name: Source((tmp_path / name).as_uri(), text) for name, text in FILES.items()}


async def test_a_place_is_explained_with_what_was_found_there(sources: dict[str, Source]) -> None:
    report = await explain(sources["second.py"], Target("second.py", 5, 5), Asker())
    said = report.as_text()
    assert "dangerous-eval" in said
    assert any("other" in each.text for each in report.statements)
    with pytest.raises(TargetError):
        await explain(sources["second.py"], Target("second.py", symbol="gone"), Asker())


async def test_a_question_finds_what_it_names(sources: dict[str, Source]) -> None:
    question = "What does `first_one` do?"
    found = defining(question, sources.items())
    assert [each.path for each in found] == ["first.py"]
    report = await ask(question, found, Asker())
    assert report.statements
    assert "first_one" in report.as_text()
    assert defining("What is this?", sources.items()) == []
    assert about(sources["notes.txt"], Target("notes.txt")).located is None


async def test_functions_are_documented_by_checked_edits(sources: dict[str, Source]) -> None:
    answers = await document(sources["first.py"], Target("first.py"), Asker())
    assert answers is not None
    (done,) = answers
    assert isinstance(done, Documented)
    assert '"""' in applied(sources["first.py"], [done.edit]).text
    with pytest.raises(TargetError):
        await document(sources["notes.txt"], Target("notes.txt"), Asker())


def test_circles_of_a_folder_are_named(sources: dict[str, Source], tmp_path: Path) -> None:
    found = architecture(tmp_path, list(sources.values())[:2])
    assert len(found.circles) == 1
    assert found.notes[0].startswith("There is no history: ")
