"""Rules for configuration, templates and languages of which the text is read."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.findings import Notes
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.texts.clauses import all_rules, formats
from coai_agents.analysis.texts.embedded import with_language
from coai_agents.analysis.texts.reading import findings_of_texts
from coai_agents.source import Source

NAMES = {
    "angular": "a.component.html",
    "ansible": "tasks/main.yml",
    "apache": "httpd.conf",
    "appsettings": "appsettings.json",
    "blade": "a.blade.php",
    "c": "a.c",
    "cloudformation": "template.yaml",
    "compose": "compose.yaml",
    "cpp": "a.cpp",
    "dockerfile": "Dockerfile",
    "ejs": "a.ejs",
    "erb": "a.html.erb",
    "freemarker": "a.ftlh",
    "gitlab": ".gitlab-ci.yml",
    "gohtml": "a.gohtml",
    "haml": "a.haml",
    "handlebars": "a.hbs",
    "html": "a.html",
    "jinja": "a.j2",
    "jsp": "a.jsp",
    "kotlin": "a.kt",
    "kubernetes": "pod.yaml",
    "liquid": "a.liquid",
    "mako": "a.mako",
    "nginx": "nginx.conf",
    "npm": "package.json",
    "npmrc": ".npmrc",
    "phpini": "php.ini",
    "pug": "a.pug",
    "razor": "a.cshtml",
    "redis": "redis.conf",
    "rust": "a.rs",
    "scala": "a.scala",
    "shell": "a.sh",
    "slim": "a.slim",
    "spring": "application.properties",
    "sql": "a.sql",
    "sshd": "sshd_config",
    "svelte": "a.svelte",
    "terraform": "main.tf",
    "thymeleaf": "a.html",
    "twig": "a.twig",
    "velocity": "a.vm",
    "vue": "a.vue",
    "workflow": ".github/workflows/ci.yml",
    "xml": "web.config",
}


def _source(name: str, text: str) -> Source:
    head = "AWSTemplateFormatVersion: '2010-09-09'\n" if name == "template.yaml" else ""
    return with_language(Source(f"file:///project/{name}", head + text))


def _by_clauses(name: str, text: str) -> list[str]:
    """Return what the clauses say; of several about one weakness an analysis shows the gravest."""
    found = findings_of_texts(_source(name, text), Notes(), float("inf"))
    return [f"{finding.rule}: {finding.message}" for finding in found]


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
        if file != "cdk"
        for format_ in (clause.formats or rules.formats)[:1]
    ],
)
def test_a_clause_shows_in_its_bad_text_and_not_in_its_good_one(
    name: str, said: str, bad: str, good: str
) -> None:
    assert said in _by_clauses(name, bad)
    assert said not in _by_clauses(name, good)


NOTEBOOK = """{"cells": [
 {"cell_type": "markdown", "source": ["eval(input())"]},
 {"cell_type": "code", "source": ["%pip install a\\n", "x = \\"a\\"\\n", "eval(input())"]}
], "nbformat": 4}
"""
VOLUME = 'resource "aws_ebs_volume" "a" {\n  encrypted = false\n}\n'
VOLUME_JSON = '{"resource": {"aws_ebs_volume": {"a": [{"encrypted": false}]}}}'
VOLUME_YAML = """service: a
resources:
  Resources:
    A:
      Type: AWS::EC2::Volume
      Properties:
        Encrypted: false
"""
SCRIPT = "document.body.innerHTML = location.hash"


@pytest.mark.parametrize(
    ("name", "text", "rule", "shown"),
    [
        ("a.vue", f'<script lang="ts">\n{SCRIPT}\n</script>', "xss", "location.hash"),
        ("a.html", f"<p>é</p><script>{SCRIPT}</script>", "xss", "location.hash"),
        ("a.ipynb", NOTEBOOK, "code-injection", "input()"),
        ("tool", "#!/usr/bin/env python3\neval(input())\n", "code-injection", "input()"),
        ("tool", "#!/bin/bash\neval $1\n", "shell-eval", "eval"),
        ("Rakefile", "eval(params[:a])\n", "code-injection", "params[:a]"),
        ("a.phtml", "<?php echo $_GET['a'];", "xss", "$_GET"),
        ("a.php5", "<?php echo $_GET['a'];", "xss", "$_GET"),
        ("a.inc", "<?php echo $_GET['a'];", "xss", "$_GET"),
        ("Guardfile", "eval(params[:a])\n", "code-injection", "params[:a]"),
        ("a.jbuilder", "eval(params[:a])\n", "code-injection", "params[:a]"),
        (".bashrc", "eval $1\n", "shell-eval", "eval"),
        ("a.zsh", "eval $1\n", "shell-eval", "eval"),
        ("a.rhtml", "<%= raw params[:a] %>", "xss", "raw"),
        ("a.hcl", VOLUME, "cloud-unencrypted", "false"),
        ("main.tf.json", VOLUME_JSON, "cloud-unencrypted", "false"),
        ("serverless.yml", VOLUME_YAML, "cloud-unencrypted", "false"),
    ],
)
def test_code_within_other_files_is_found_where_it_is(
    name: str, text: str, rule: str, shown: str
) -> None:
    analysis = analyse(Source(f"file:///project/{name}", text))
    found = {f.rule: text[f.span.start : f.span.end] for f in analysis.findings}
    assert shown in found.get(rule, ""), found


def test_a_script_of_another_type_is_no_code() -> None:
    text = f'<script type="text/template">{SCRIPT}</script>'
    assert analyse(Source("file:///project/a.html", text)).findings == ()


@pytest.mark.parametrize("name", ["a.lua", "a.swift", "a.ps1", "a.aspx", "Jenkinsfile"])
def test_a_file_that_is_not_read_says_so(name: str) -> None:
    assert any("not read" in note for note in analyse(Source(f"file:///p/{name}", "a")).notes)


@pytest.mark.parametrize("format_", sorted(NAMES))
@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        '"' * 30_001,
        "{{" * 30_000,
        "a: &a [*a]\n" * 5_000,
        "<a " * 30_000,
        "\0\ufffd\u2028" * 999,
    ],
)
def test_hostile_texts_end_in_an_answer(format_: str, text: str) -> None:
    analyse(Source(f"file:///p/{NAMES[format_]}", text), budget=0.2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.j2", "{{ a }}<a " + "x" * 200_000),
        ("a.j2", "{{ a }}<script>" + "/* " * 60_000),
        ("a.j2", '<a href="' + "{{x}}" * 40_000 + '">'),
        ("a.j2", "{#" * 100_000),
        ("a.html", "<!--" * 50_000),
        ("a.html", "<script>" * 20_000),
        ("a.cshtml", "<a " * 30_000),
        ("a.blade.php", "<script>" * 20_000),
        ("a.hbs", "{{!--" * 40_000),
        ("a.ftl", "${a}" + "<#--" * 50_000),
        ("a.erb", "<%= a %>" + "<%" * 100_000),
        ("a.jsp", "<%= a %>" + "<%--" * 50_000),
        ("a.slim", "= " + " " * 200_000),
        ("a.slim", "/*" * 100_000),
        ("a.rs", 'r#"' * 60_000),
        ("a.tf", "a " * 100_000),
        ("a.tf", "a" * 200_000),
        ("a.tf", " " * 200_000 + "x"),
        ("a.tf", 'resource "a" "b" {\n' + "a=[{" * 50_000),
        ("application.properties", "k=v" + " " * 200_000 + "x"),
        ("a.conf", "\n" * 100_000),
        ("a.yaml", "kind: Pod\napiVersion: v1\na: " + "{{a}}" * 40_000),
        ("web.config", "<a " + " ".join(f"a{n}=''" for n in range(20_000)) + "/>"),
    ],
)
def test_what_never_ends_is_read_once(name: str, text: str) -> None:
    analyse(Source(f"file:///p/{name}", text), budget=0.2)


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("Dockerfile", "FROM \nRUN curl http://a | sh\n", ""),
        ("sshd_config", "PermitRootLogin yes\na:\n  b: c\n", "sign-in"),
        ("sshd_config", "PermitRootLogin yes\r\n", "sign-in"),
        ("web.config", '<!DOCTYPE a SYSTEM "a.dtd"><a><compilation debug="true"/></a>', "debug"),
        ("a.jsp", '<%= escape(a) + request.getParameter("b") %>', "xss"),
        ("a.jsp", '<%= unescape(request.getParameter("b")) %>', "xss"),
        ("a.j2", "<script>a = 1 /* b </script><p>{{ c | safe }}</p>", "template"),
    ],
)
def test_no_word_beside_it_hides_a_finding(name: str, text: str, rule: str) -> None:
    analysis = analyse(Source(f"file:///p/{name}", text))
    assert not any("failed" in note for note in analysis.notes)
    assert any(rule in finding.rule for finding in analysis.findings), analysis


def test_a_document_type_that_declares_entities_is_not_read() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bb">]><a><compilation debug="true"/></a>'
    analysis = analyse(Source("file:///p/web.config", bomb))
    assert any("not all of it was read" in note for note in analysis.notes)


def test_aliases_are_not_expanded() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 90)
    )
    assert analyse(Source("file:///p/compose.yaml", f"{bomb}services: *a89\n")).notes == ()


def test_there_are_rules_for_every_format_with_a_name() -> None:
    assert set(NAMES) - formats() <= {"html"}
