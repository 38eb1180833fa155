"""Threat models: flows, boundaries, the table and the diagram, and the words of a model."""

from __future__ import annotations

import re

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from coai_agents.specialists.asking import Asker
from coai_agents.specialists.security.threats.drawing import MOST_NODES, as_markdown, mermaid
from coai_agents.specialists.security.threats.model import (
    STRIDE,
    Flow,
    Place,
    ThreatModel,
    elements,
    flows_of,
)
from coai_agents.specialists.security.threats.wording import worded
from coai_agents.specialists.security.triage.following import follow
from coai_agents.syntax.tree import parse


def model_of(text: str, language: str = "python", path: str = "web/app.py") -> ThreatModel:
    source = Source(f"file:///w/{path}", text, language)
    tree = parse(source)
    assert tree is not None
    return ThreatModel(tuple(flows_of(source, path, follow(tree), analyse(source).findings)), 1)


HEAD = "import html, os, shlex, subprocess, sys\nfrom flask import redirect, request\n\n\n"

FLOWS = (
    # Code, its flows as `actor asset open|guarded`.
    ("def f(c):\n    c.execute('select ' + request.args['q'])\n", "remote database open"),
    ("def f(c):\n    c.execute('select ?', (request.args['q'],))\n", ""),
    ("def f():\n    os.system('ls ' + request.args['q'])\n", "remote system open"),
    (
        "def f():\n    os.system('ls ' + shlex.quote(request.args['q']))\n",
        "remote system guarded",
    ),
    ("def f():\n    return redirect(request.args['q'])\n", "remote browser open"),
    ("open(sys.argv[1])\n", "local files open"),
    ("def f(name):\n    return name\n", ""),
)


@pytest.mark.parametrize(("code", "flows"), FLOWS)
def test_flows_are_what_the_engine_sees(code: str, flows: str) -> None:
    found = {
        f"{each.actor} {each.asset} {'guarded' if each.guarded else 'open'}"
        for each in model_of(HEAD + code).flows
    }
    assert found == ({flows} if flows else set())


def test_a_comment_guards_nothing() -> None:
    code = "def f():\n    os.system('ls ' + request.args['q'])  # nosec: reviewed, safe\n"
    assert model_of(HEAD + code).open


def test_the_document_has_all_parts() -> None:
    model = model_of(
        f"{HEAD}def f(c):\n    c.execute('select ' + request.args['q'])\n"
        "    os.system('ls ' + shlex.quote(request.args['q']))\n"
    )
    text = as_markdown(model)
    assert "- Whoever sends requests, by the request (request.args): `web/app.py:" in text
    assert "- Database: `web/app.py:6`" in text
    assert "| Whoever sends requests | The program | 1 | 1 |" in text
    assert "| Whoever sends requests | Database |  | x |  | x |  |  | `web/app.py:6` | 0 |" in text
    assert "remote -- 1 open --> p0" in text
    assert "p0 -. 1 guarded .-> system" in text
    document = model.as_json()
    assert {each["asset"] for each in document["flows"]} == {"database", "system"}
    assert document["stride"][0]["threats"] == ["Tampering", "Information disclosure"]


@pytest.mark.parametrize("folders", [1, 3, 40])
def test_a_diagram_has_at_most_15_nodes(folders: int) -> None:
    assets, actors = elements().assets, list(elements().actors)
    entry = Place("a.py", 1)
    flows = [
        Flow(
            actors[number % len(actors)],
            "x",
            entry,
            assets[number % len(assets)].id,
            "r",
            Place(f"f{number % folders}/deep/er{number}/a.py", 1),
            guarded=number % 2 == 0,
        )
        for number in range(200)
    ]
    drawn = mermaid(ThreatModel(tuple(flows), 1))
    nodes = re.findall(r"^    (\w+)[(\[]", drawn, re.MULTILINE)
    assert len(nodes) == len(set(nodes)) <= MOST_NODES
    for one, other in re.findall(r"^    (\w+) -[^\n]*> (\w+)$", drawn, re.MULTILINE):
        assert {one, other} <= set(nodes)


def test_names_of_files_are_no_syntax_of_the_diagram() -> None:
    hostile = 'a"]; click p0 "javascript:x"\u202e'
    flow = Flow(
        "remote", "x", Place("a", 1), "files", "r", Place(f"{hostile}/a.py", 1), guarded=False
    )
    drawn = mermaid(ThreatModel((flow,), 1))
    assert "click p0 " in drawn
    assert '"]; ' not in drawn
    assert "\u202e" not in drawn
    assert "\u202e" not in as_markdown(ThreatModel((flow,), 1))


async def test_without_a_model_there_are_the_facts() -> None:
    model = model_of(f"{HEAD}def f(c):\n    c.execute('select ' + request.args['q'])\n")
    said, why = await worded(model, Asker(why_none="None is here."))
    assert (said, why) == ([], "None is here.")


def test_every_asset_has_threats_and_every_category_at_most_one_asset() -> None:
    known = elements()
    categories = [each for asset in known.assets for each in asset.categories]
    assert len(categories) == len(set(categories))
    assert all(set(asset.stride) <= set(STRIDE) for asset in known.assets)
