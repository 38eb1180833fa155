"""`coai rules` with rules of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.rules import user_rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

RULE = (
    "id: no-print\nlanguage: Python\nmessage: Log it instead.\nnote: Use the logger.\n"
    "rule: {pattern: print($A)}\nmetadata: {examples: {invalid: ['print(1)']}}\n"
)


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with one rule and a test of it that does not hold."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "print.yml").write_text(RULE, encoding="utf-8")
    yield folder
    user_rules.use(())


def test_own_rules_are_listed_and_explained(coai: InProcess, rules: Path) -> None:
    listed = coai("rules", "list", "--json", "--rules", str(rules)).document
    assert listed[-1]["id"] == "no-print"
    assert listed[-1]["languages"] == ["python"]
    page = coai("rules", "explain", "no-print", "--rules", str(rules)).out
    assert page.startswith("# Log it instead\n")
    assert "**Instead:** Use the logger." in page
    assert "no-print" not in coai("rules", "list").out


def test_own_rules_are_tried_on_their_snippets(coai: InProcess, rules: Path) -> None:
    good = coai("rules", "test", "--rules", str(rules))
    assert good.code == 0
    (rules / "test.yml").write_text("id: no-print\nvalid: ['print(2)']\n", encoding="utf-8")
    bad = coai("rules", "test", "--rules", str(rules))
    assert bad.code == 1
    assert "no-print, valid snippet 0: it is found" in bad.out


def test_a_wrong_rule_is_told_and_fails_the_test(coai: InProcess, rules: Path) -> None:
    (rules / "wrong.yml").write_text("id: wrong\nlanguage: Python\n", encoding="utf-8")
    assert "wrong.yml:1: rule: Field required." in coai("rules", "list", "--rules", str(rules)).err
    assert coai("rules", "test", "--rules", str(rules)).code == 1


def test_rules_that_come_with_the_code_count_where_the_user_trusts_it(
    coai: InProcess, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "work"
    (here / ".coai").mkdir(parents=True)
    rules.rename(here / ".coai" / "rules")
    monkeypatch.chdir(here)
    assert "no-print" not in coai("rules", "list").out
    monkeypatch.setenv("COAI_STATIC__TRUSTED_WORKSPACES", f'["{tmp_path.as_posix()}"]')
    assert "no-print" in coai("rules", "list").out
