"""The architecture agent: imports are resolved as each language does, and circles can be cut."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.git import commits_of
from coai_agents.source import Source
from coai_agents.specialists.answers import Origin
from coai_agents.specialists.architecture.graph import ModuleGraph, module_graph
from coai_agents.specialists.architecture.history import HotSpot, changed_together, hot_spots
from coai_agents.specialists.architecture.report import MOST_NODES, architecture
from coai_agents.specialists.architecture.structure import (
    by_folder,
    circles,
    components,
    hubs,
    layers,
)

if TYPE_CHECKING:
    from pathlib import Path


def graph_of(folder: Path, files: dict[str, str]) -> ModuleGraph:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return module_graph(
        folder, [Source((folder / name).as_uri(), text) for name, text in files.items()]
    )


@pytest.mark.parametrize(
    "files",
    [
        {"p/a.py": "from p import b\n", "p/b.py": "x = 1\n"},
        {"p/a.py": "from .b import x\n", "p/b.py": "x = 1\n"},
        {"src/a.ts": "import { x } from './b';\n", "src/b.ts": "export const x = 1;\n"},
        {"a.js": "const b = require('./b');\n", "b.js": "module.exports = 1;\n"},
        {
            "go.mod": "module example.com/m\n",
            "a/a.go": 'package a\n\nimport "example.com/m/b"\n',
            "b/b.go": "package b\n",
        },
        {
            "src/main/java/x/A.java": "package x;\nimport y.B;\nclass A {}\n",
            "src/main/java/y/B.java": "package y;\nclass B {}\n",
        },
        {"a.rb": "require_relative 'b'\n", "b.rb": "X = 1\n"},
        {"a.c": '#include "b.h"\n', "b.h": "int x;\n"},
        {"src/lib.rs": "use crate::b::f;\n", "src/b.rs": "pub fn f() {}\n"},
        {"a.php": "<?php\nrequire 'b.php';\n", "b.php": "<?php\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_an_import_leads_to_its_file(files: dict[str, str], tmp_path: Path) -> None:
    graph = graph_of(tmp_path, files)
    one, other = [name for name in files if name != "go.mod"]
    assert list(graph.imports[one]) == [other]
    assert not graph.imports[other]
    assert graph.importers()[other] == {one}


def test_what_is_not_among_the_files_is_outside(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"a.py": "import requests\nfrom os import path\n"})
    assert graph.outside["a.py"] == {"requests", "os"}
    text = architecture(graph, {}).report().as_text()
    assert "requests (1)" in text
    assert "os (1)" not in text


CIRCLE = {
    "a.py": "from b import one\n",
    "b.py": "from c import one, two, three\n",
    "c.py": "import a\n",
    "d.py": "from a import x\n",
}


def test_a_circle_is_found_with_its_cheapest_cut(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, CIRCLE)
    (circle,) = circles(graph)
    assert circle.files == ("a.py", "b.py", "c.py")
    assert (circle.cut.importer, circle.cut.imported) == ("a.py", "b.py")
    assert circle.cut.names == {"one"}
    assert circle.cut.left == 0
    assert layers(graph) == [("a.py", "b.py", "c.py"), ("d.py",)]
    assert hubs(graph, 1) == [("a.py", 2, 1)]


def test_an_architecture_says_only_what_is_so(tmp_path: Path) -> None:
    found = architecture(graph_of(tmp_path, CIRCLE), {})
    report = found.report()
    assert {each.origin for each in report.statements} == {Origin.FACT}
    assert "Cheapest cut: a.py imports `one` from b.py; then none is left" in report.as_text()
    assert found.as_json()["circles"][0]["cut"]["names"] == ["one"]


def test_a_drawing_has_no_more_boxes_than_can_be_read(tmp_path: Path) -> None:
    files = {f"p{number}/m.py": "import p0.m\n" for number in range(40)}
    graph = graph_of(tmp_path, files)
    groups, edges = by_folder(graph, MOST_NODES)
    assert len(set(groups.values())) == MOST_NODES
    assert sum(edges.values()) > 0
    drawing = architecture(graph, {}).drawing()
    assert drawing.count("lines") == MOST_NODES


def test_a_file_name_is_no_drawing_of_its_own(tmp_path: Path) -> None:
    name = 'x"];click n0 call f();a["'
    graph = graph_of(tmp_path, {f"{name}/m.py": "", "b/m.py": ""})
    assert "click n0 call f()" not in architecture(graph, {}).drawing()


@given(
    st.dictionaries(
        st.integers(0, 12).map(str), st.sets(st.integers(0, 12).map(str), max_size=4), max_size=12
    )
)
def test_components_are_what_reaches_itself(edges: dict[str, set[str]]) -> None:
    whole = {
        node: edges.get(node, set()) for node in {*edges, *(x for y in edges.values() for x in y)}
    }

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(whole[start])
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                waiting.extend(whole[at])
        return seen

    reach = {node: reached(node) for node in whole}
    for group in components(whole):
        for one in group:
            same = {other for other in whole if other in reach[one] and one in reach[other]}
            assert set(group) == (same | {one})


def test_history_shows_hot_spots_and_hidden_ties(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"a.py": "import b\n", "b.py": "", "c.py": ""})
    commits = [["a.py", "c.py"]] * 6 + [["a.py", "b.py"]] * 8 + [[f"{n}.py" for n in range(99)]]
    assert hot_spots(commits, {"a.py": 4, "c.py": 9}, 5) == [
        HotSpot("a.py", 14, 4),
        HotSpot("c.py", 6, 9),
    ]
    (pair,) = changed_together(commits, graph, 5)
    assert (pair.one, pair.other, pair.commits, pair.share) == ("a.py", "c.py", 6, 1.0)


def test_a_repositorys_history_is_read_by_names_alone(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        command = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run((*command, *arguments), check=True, capture_output=True)

    git("init", "-q")
    for number in range(2):
        (tmp_path / "sub").mkdir(exist_ok=True)
        (tmp_path / "sub" / "\u00fc x.py").write_text(f"x = {number}")
        (tmp_path / "top.py").write_text(f"x = {number}")
        git("add", "-A")
        git("commit", "-qm", "m")
    (tmp_path / ".gitattributes").write_text("*.py diff=evil filter=evil")
    git("config", "diff.evil.textconv", f"touch {tmp_path}/ran; cat")
    git("config", "log.showSignature", "true")
    git("config", "gpg.program", f"{tmp_path}/gpg")
    assert commits_of(tmp_path, 10) == [("sub/\u00fc x.py", "top.py")] * 2
    assert commits_of(tmp_path / "sub", 10) == [("\u00fc x.py",)] * 2
    assert not (tmp_path / "ran").exists()
