"""Kotlin and Scala share Java's rules, in their own spellings."""

from __future__ import annotations

import pytest

from coai_agents.analysis.rules.properties import as_properties
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_KOTLIN = [
    'val v = q.getParameter("v"); EACH',
    'val v = q.getParameter("v") ?: "a"; EACH',
    'val v = if (n > 1) q.getParameter("v") else "a"; EACH',
    'val v = when (n) { 1 -> "a"; else -> { log(n); q.getParameter("v") } }; EACH',
    'val v = try { q.getParameter("v") } catch (e: Exception) { "a" }; EACH',
    'val (w, v) = listOf("a", q.getParameter("v")); EACH',
    'q.getParameter("v")?.let { v -> EACH }',
    'q.getParameter("v").also { val v = it; EACH }',
    'with(q) { val v = getParameter("v"); EACH }',
    "val v = q.queryString; EACH",
    'for (v in q.getParameterValues("v")) { EACH }',
    'val v by lazy { q.getParameter("v") }; EACH',
]
_SCALA = [
    'val v = q.getParameter("v"); EACH',
    'val v = Option(q.getParameter("v")).getOrElse("a"); EACH',
    'val v = if (n > 1) q.getParameter("v") else "a"; EACH',
    'val v = n match { case 1 => "a"; case _ => { log(n); q.getParameter("v") } }; EACH',
    'val v = try { q.getParameter("v") } catch { case e: Exception => "a" }; EACH',
    'val (w, v) = ("a", q.getParameter("v")); EACH',
    'for (v <- Option(q.getParameter("v"))) { EACH }',
    'Option(q.getParameter("v")) match { case Some(v) => EACH; case None => () }',
    "val v = q.getQueryString; EACH",
]
_RUNS = 'Runtime.getRuntime().exec("ls " + v)'
_PROVES = {
    "kotlin": [
        f'if (v in listOf("a", "b")) {_RUNS}',
        'Runtime.getRuntime().exec("ls " + v.toInt())',
    ],
    "scala": [
        f'if (List("a", "b").contains(v)) {_RUNS}',
        'Runtime.getRuntime().exec("ls " + v.toInt)',
    ],
}
_AROUND = {
    "kotlin": "fun f(q: HttpServletRequest, n: Int) {{ {} }}",
    "scala": "class A {{ def f(q: HttpServletRequest, n: Int): Unit = {{ {} }} }}",
}
_SPELLED = [("kotlin", each) for each in _KOTLIN] + [("scala", each) for each in _SCALA]


def _rules(language: str, text: str) -> list[str]:
    analysis = analyse(Source("untitled:x", _AROUND[language].format(text), language))
    assert analysis.notes == ()
    return [each.rule for each in analysis.findings]


@pytest.mark.parametrize(("language", "spelled"), _SPELLED)
def test_a_value_is_followed_however_it_is_written(language: str, spelled: str) -> None:
    assert "command-injection" in _rules(language, spelled.replace("EACH", _RUNS))


@pytest.mark.parametrize(("language", "spelled"), _SPELLED)
def test_what_is_proven_is_silent_however_it_is_written(language: str, spelled: str) -> None:
    for proof in _PROVES[language]:
        assert "command-injection" not in _rules(language, spelled.replace("EACH", proof))


def test_a_setter_is_an_assignment_and_a_getter_a_member() -> None:
    table = {
        "find": [{"rule": "a", "call": ["*.setOn"], "when": [{"arg": "0", "is": False}]}],
        "sources": [{"label": "l", "call": ["R.getURL", "R.getBody().read"]}],
    }
    shared = as_properties(table, {"a"})
    assert shared["find"][1]["assign"] == ["*.on", "*.isOn"]
    assert shared["find"][1]["when"] == [{"arg": "value", "is": False}]
    assert shared["sources"][0]["member"] == ["R.url"]
    assert "R.body.read" in shared["sources"][0]["call"]
    assert as_properties(table, set())["find"] == []
