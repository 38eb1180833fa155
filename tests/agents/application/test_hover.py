"""Hover facts as a door asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.application.analyse import analyse
from coai_agents.application.hover import hover_facts
from coai_agents.source import Source
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from pathlib import Path

CODE = (
    "import requests\n\n\ndef fetch(url):\n"
    '    """Fetch a page.\n\n    It is not kept.\n    """\n'
    "    return requests.get(url, timeout=9, verify=False)\n\n\nx = 1\n"
)


@pytest.mark.parametrize(
    ("at", "rules", "name", "said"),
    [
        ("fetch(url)", [], "fetch", ["def fetch(url)", "Fetch a page.", "1 error"]),
        ("verify", ["tls-verification-off"], None, ["Severity: error", "CWE-295"]),
        ("x = 1", [], "x", ["x"]),
        ("import", [], None, []),
    ],
)
def test_what_is_known_of_a_place(
    tmp_path: Path, at: str, rules: list[str], name: str | None, said: list[str]
) -> None:
    path = tmp_path / "a.py"
    path.write_text(CODE, encoding="utf-8")
    source = Source(path.as_uri(), path.read_text("utf-8"))
    facts = hover_facts(source, CODE.index(at), analyse(source), parse(source))
    assert [each.rule for each in facts.findings] == rules
    assert (None if facts.symbol is None else facts.symbol.name) == name
    assert all(each in "\n".join(facts.sections) for each in said)
    assert bool(facts.span) is bool(facts.sections)


def test_who_has_not_looked_does_not_say_that_nothing_is_there() -> None:
    source = Source("untitled:x", CODE, "python")
    place = CODE.index("fetch(url)")
    (unseen,) = hover_facts(source, place, None, parse(source)).sections
    assert "found" not in unseen
    assert hover_facts(source, place, None, None).sections == []
