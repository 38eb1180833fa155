"""Rules for configuration, templates and languages of which the text is read."""

from __future__ import annotations

import pytest

from coai_agents.analysis.rules.rules import catalogue
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.texts.clauses import all_rules
from coai_agents.source import Source

NAMES = {
    "angular": "a.component.html",
    "blade": "a.blade.php",
    "c": "a.c",
    "cloudformation": "template.yaml",
    "compose": "compose.yaml",
    "cpp": "a.cpp",
    "dockerfile": "Dockerfile",
    "ejs": "a.ejs",
    "erb": "a.html.erb",
    "haml": "a.haml",
    "handlebars": "a.hbs",
    "html": "a.html",
    "jinja": "a.j2",
    "jsp": "a.jsp",
    "kotlin": "a.kt",
    "kubernetes": "pod.yaml",
    "razor": "a.cshtml",
    "rust": "a.rs",
    "scala": "a.scala",
    "shell": "a.sh",
    "slim": "a.slim",
    "sql": "a.sql",
    "svelte": "a.svelte",
    "terraform": "main.tf",
    "thymeleaf": "a.html",
    "twig": "a.twig",
    "vue": "a.vue",
    "workflow": ".github/workflows/ci.yml",
}


def _found(name: str, text: str) -> list[str]:
    head = "AWSTemplateFormatVersion: '2010-09-09'\n" if name == "template.yaml" else ""
    analysis = analyse(Source(f"file:///project/{name}", head + text))
    assert analysis.notes == ()
    return [f"{finding.rule}: {finding.message}" for finding in analysis.findings]


@pytest.mark.parametrize(
    ("name", "said", "bad", "good"),
    [
        pytest.param(
            NAMES[format_],
            f"{clause.rule}: {clause.message or catalogue()[clause.rule].message}",
            clause.bad,
            clause.good,
            id=f"{file}-{number}-{clause.rule}",
        )
        for file, rules in all_rules().items()
        for number, clause in enumerate(rules.find)
        for format_ in (clause.formats or rules.formats)[:1]
    ],
)
def test_a_clause_shows_in_its_bad_text_and_not_in_its_good_one(
    name: str, said: str, bad: str, good: str
) -> None:
    assert said in _found(name, bad)
    assert said not in _found(name, good)
