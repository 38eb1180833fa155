"""A notebook's cell sees the cells above it, of its own language and notebook."""

from __future__ import annotations

import pytest

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.prompt.budget import Budget
from coai_agents.completion.prompt.notebook import cells_above
from coai_agents.completion.prompt.prompt_session import freeze
from coai_agents.source import Source
from tests.support.scripted import FIM

NOTEBOOK = "vscode-notebook-cell:/work/a.ipynb#"


def cell(name: str, text: str, language: str = "python", notebook: str = NOTEBOOK) -> Source:
    return Source(notebook + name, text, language)


CELLS = (
    cell("W0", "import os\r\nx = 1\r\n"),
    cell("W1", "# Title", "markdown"),
    cell("V0", "other = 1", notebook="vscode-notebook-cell:/work/b.ipynb#"),
    Source("file:///work/a.ipynb", "{}", "json"),
    cell("W2", "y = 2"),
    cell("W3", ""),
    cell("W4", "z = 3"),
)


@pytest.mark.parametrize(
    ("number", "above"),
    [
        (0, ""),
        (1, ""),
        (2, ""),
        (3, ""),
        (4, "import os\nx = 1\n\n"),
        (6, "import os\nx = 1\n\ny = 2\n\n"),
    ],
)
def test_the_cells_above_are_those_that_were_opened_before(number: int, above: str) -> None:
    assert cells_above(CELLS[number], CELLS) == above


@pytest.mark.parametrize(("room", "shown"), [(100, "a = 1\nb = 2\n"), (11, "b = 2\n"), (0, "")])
def test_a_prompt_shows_as_much_of_them_as_there_is_room_for(room: int, shown: str) -> None:
    cursor = Cursor(NOTEBOOK + "W1", "c = ", "")
    budget = Budget(prefix=4, suffix=0, context=room)
    session = freeze(cursor, backend="x", budget=budget, above="a = 1\nb = 2\n")
    assert session.above == shown
    prompt = session.prompt(FIM, session.tail(cursor) or "")
    assert f"{FIM.prefix}{shown}c = {FIM.suffix}" in prompt
