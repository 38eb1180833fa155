"""Facts are read from a folder's files, hold while their place does, and are never sensitive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.memory.facts import checked, facts_for, gathered, user_s
from coai_agents.memory.keeping import Keeper, may_be_kept
from coai_agents.memory.store import Episode, Hunk, Memory
from coai_agents.source import Source
from coai_routing.privacy.sensitivity import SensitivityRules

if TYPE_CHECKING:
    from pathlib import Path

NUMPY = '"""Do it.\n\n    Parameters\n    ----------\n    x : int\n        What.\n    """'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "a.py": (
            'class Basket:\n    """Holds what is bought. And more."""\n\n\n'
            f"def f(x):\n    {NUMPY}\n"
        ),
        "b.py": 'def g(x):\n    """Do it.\n\n    Args:\n        x: What.\n    """\n',
        "c.py": f"def h(x):\n    {NUMPY}\n",
        "pyproject.toml": "[tool.ruff]\nline-length = 88\n\n[tool.pytest.ini_options]\n",
        "package.json": '{\n  "scripts": {\n    "test": "vitest run"\n  }\n}\n',
        "docs/adr/0001-use-sqlite.md": "# 1. Use SQLite\n\nStatus: accepted\n",
        "docs/glossary.md": "# Words\n\n- **Lane**: one road of a board, from left to right\n",
    }
    for name, text in files.items():
        path = tmp_path / "w" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "w"


def sources(folder: Path) -> list[Source]:
    return [
        Source(path.as_uri(), path.read_text("utf-8"), "python")
        for path in sorted(folder.glob("*.py"))
    ]


def test_facts_name_the_place_that_they_were_read_from(folder: Path) -> None:
    found = {
        (each.kind, each.text): f"{each.path}:{each.line}"
        for each in gathered(folder, sources(folder))
    }
    assert found == {
        ("convention", "Docstrings are written in the numpy convention."): "a.py:6",
        ("convention", "Lines of Python have at most 88 characters."): "pyproject.toml:2",
        ("convention", "Tests run by pytest."): "pyproject.toml:4",
        ("convention", "`npm run test` runs `vitest run`."): "package.json:3",
        ("decision", "Use SQLite (accepted)."): "docs/adr/0001-use-sqlite.md:1",
        ("glossary", "Lane: one road of a board, from left to right"): "docs/glossary.md:3",
        ("glossary", "Basket: Holds what is bought."): "a.py:1",
    }


@pytest.mark.parametrize("name", ["pyproject.toml", "package.json", "docs/glossary.md"])
@pytest.mark.parametrize("content", ["", "\0\xff", "[" * 100_000, '{"scripts": 3}', "[tool"])
def test_a_broken_file_gives_no_fact_and_no_error(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content, "utf-8")
    assert all(each.path != name for each in gathered(folder, sources(folder)))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("price = 1\n", 1),
        ("# new\n\nprice = 1\n", 3),
        ("  price = 1\n", 1),
        ("price = 2\n", None),
        ("", None),
        # Two places, and neither of them is where it was.
        ("#\nprice = 1\nprice = 1\n", None),
    ],
)
def test_a_fact_holds_while_its_place_says_the_same(
    folder: Path, text: str, line: int | None
) -> None:
    path = folder / "p.py"
    path.write_text("price = 1\n", "utf-8")
    fact = user_s(folder, "decision", "Prices are integers.", "p.py", 1)
    path.write_text(text, "utf-8")
    now = checked(fact, folder)
    assert (None if now is None else now.line) == line


def test_what_does_not_hold_is_dropped_when_it_is_used(folder: Path) -> None:
    memory = Memory(folder.parent / "memory.sqlite3")
    memory.add_facts(gathered(folder, sources(folder)))
    memory.add_facts([user_s(folder, "decision", "A basket is never empty.")])
    question = "what is a basket?"
    assert {each.path for each in facts_for(memory, folder, question)} == {"a.py", ""}
    (folder / "a.py").write_text("class Other: ...\n", "utf-8")
    assert {each.path for each in facts_for(memory, folder, question)} == {""}
    assert "Basket: Holds what is bought." not in {each.text for each in memory.facts()}


KEY = "AKIA" + "QYLPMN5HFIQR7XYA"


@pytest.mark.parametrize(
    ("texts", "path", "kept"),
    [
        (["x = 1"], "a.py", True),
        ([f"key = '{KEY}'"], "a.py", False),
        (["iban = 'DE89370400440532013000'"], "a.py", False),
        (["x = 1"], ".env", False),
        (["x = 1"], "secret/a.py", False),
        (["about the merger"], "a.py", False),
    ],
)
def test_what_is_sensitive_is_not_remembered(texts: list[str], path: str, *, kept: bool) -> None:
    rules = SensitivityRules(privacy_mode=True, patterns=("merger",), private_files=("secret/",))
    assert may_be_kept(texts, path, rules) is kept


def test_nothing_sensitive_reaches_the_disk(folder: Path) -> None:
    memory = Memory(folder.parent / "memory.sqlite3")
    keeper = Keeper(memory, SensitivityRules())
    secret = Episode(
        str(folder), "a.py", "python", "k", "t", (Hunk("a", f"k = '{KEY}'"),), "a rule", "user"
    )
    assert not keeper.episode(secret)
    facts = [user_s(folder, "decision", f"The key is {KEY}."), user_s(folder, "decision", "Fine.")]
    assert [each.text for each in keeper.facts(facts)] == ["Fine."]
    assert KEY.encode() not in memory.path.read_bytes()
