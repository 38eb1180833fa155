# ruff: noqa: E501 - each program of the tables is one line
"""What becomes of constants and of containers' items: what an engine may rely on."""

from __future__ import annotations

import pytest

from coai_agents.analysis.dataflow.folding import MAX_NUMBER, MAX_TEXT, fold
from coai_agents.analysis.dataflow.ir import UNKNOWN
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_HANDLER = "const cp = require('child_process');\napp.get('/', (req, res) => {\n  const v = req.query.v;\n  %s\n});\n"
_PYTHON = "import os\nfrom flask import request\ndef f():\n    v = request.args['v']\n    %s\n"


@pytest.mark.parametrize(
    ("operator", "operands", "constant"),
    [
        ("+", (1, 2), 3),
        ("+", ("a", "b"), "ab"),
        ("+", ("a" * MAX_TEXT, "b"), UNKNOWN),
        ("+", ("a", 1), UNKNOWN),
        ("*", (MAX_NUMBER, 2), UNKNOWN),
        ("*", (1.5, 2), 3.0),
        ("*", (1e308, 1e308), float("inf")),
        ("/", (1, 0), UNKNOWN),
        ("%", (7, 4), 3),
        ("<", (1, "a"), UNKNOWN),
        ("===", ("a", "a"), True),
        ("in", ("a", "abc"), True),
        ("not in", ("a", "abc"), False),
        ("in", (1, "abc"), UNKNOWN),
        ("!", ("",), True),
        ("u-", (2,), -2),
        ("u+", (2,), 2),
        ("u-", ("a",), UNKNOWN),
        ("~", (2,), UNKNOWN),
        ("?", (1, 2), UNKNOWN),
        ("+", (1, 2, 3), UNKNOWN),
    ],
)
def test_operators_on_constants(
    operator: str, operands: tuple[object, ...], constant: object
) -> None:
    assert fold(operator, operands) == constant


def _reaches(text: str, language: str) -> bool:
    found = analyse(Source("untitled:x", text, language)).findings
    return any(each.rule == "command-injection" and each.path for each in found)


@pytest.mark.parametrize(
    ("body", "reached"),
    [
        ("const a = ['x']; a.push(v); cp.exec(a[1]);", True),
        ("const a = ['x']; a.push(v); cp.exec(a[0]);", False),
        ("const a = [v, 'x']; a.shift(); cp.exec(a[0]);", False),
        ("const a = ['x']; a.unshift(v); cp.exec(a[0]);", True),
        ("const a = [v]; cp.exec(a.pop());", True),
        ("const m = new Map(); m.set('a', v); m.set('b', 'x'); cp.exec(m.get('b'));", False),
        ("const m = new Map(); m.set('a', v); cp.exec(m.get('a'));", True),
        ("const m = new Map(); m.set('a', v); m.delete('a'); cp.exec(m.get('a'));", False),
        ("const o = { a: v, b: 'x' }; cp.exec(o.b);", False),
        ("const o = { ...{ a: v } }; cp.exec(o.a);", True),
        ("if (2 * 3 > 7) { cp.exec(v); }", False),
        ("if (2 * 4 > 7) { cp.exec(v); }", True),
    ],
)
def test_an_item_is_told_from_the_others(body: str, *, reached: bool) -> None:
    assert _reaches(_HANDLER % body, "javascript") is reached


@pytest.mark.parametrize(
    ("body", "reached"),
    [
        ("a = ['x', v]; os.system(a[-1])", True),
        ("a = [v, 'x']; os.system(a[-1])", False),
        ("a = ['x']; a.insert(0, v); os.system(a[0])", True),
        ("a = ['x']; a.insert(0, v); os.system(a[1])", False),
        ("a = {'b': v}; os.system(a.get('c', 'x'))", False),
        ("a = {'b': v}; os.system(a.get('b', 'x'))", True),
        ("a = {'b': 'x'}; os.system(a.get('c', v))", True),
        ("a = {}; a.update({'b': v}); os.system(a['b'])", True),
        ("a = {'b': v, 'c': 'x'}; a.pop('b'); os.system(a['c'])", False),
        ("a = {'b': v}; os.system(a[unknown])", True),
        ("a = []; a.append(v); a.clear(); os.system(a[0])", False),
        ("a = ['x'] * 3; a[1] = v; os.system(a[1])", True),
    ],
)
def test_so_in_python(body: str, *, reached: bool) -> None:
    assert _reaches(_PYTHON % body, "python") is reached
