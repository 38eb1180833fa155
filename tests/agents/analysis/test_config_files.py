"""Configuration and templates: which file is what, and what a value's surroundings decide."""

from __future__ import annotations

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.texts.clauses import output_of
from coai_agents.analysis.texts.contexts import places_in
from coai_agents.analysis.texts.formats import format_of
from coai_agents.source import Source


def _rules(name: str, text: str) -> set[str]:
    return {each.rule for each in analyse(Source(f"file:///project/{name}", text)).findings}


@pytest.mark.parametrize(
    ("name", "text", "format_"),
    [
        ("ci/.gitlab-ci.yml", "a: { script: [make] }", "gitlab"),
        ("src/main/resources/application-dev.yml", "a: 1", "spring"),
        ("config/application.properties", "a=1", "spring"),
        ("appsettings.Development.json", "{}", "appsettings"),
        ("Web.Release.config", "<configuration/>", "xml"),
        ("app/src/main/AndroidManifest.xml", "<manifest/>", "xml"),
        ("etc/nginx/sites-available/shop", "server {}", "nginx"),
        ("etc/ssh/sshd_config", "Port 22", "sshd"),
        ("roles/db/tasks/main.yml", "- name: a\n  command: ls\n", "ansible"),
        ("site.yml", "- hosts: all\n  tasks: []\n", "ansible"),
        ("layout.tmpl", '{{ define "a" }}{{ .Name }}{{ end }}', "gohtml"),
        ("page.html", "{{ range .Items }}{{ end }}", "gohtml"),
        ("page.html", "{{ user.name }}", "jinja"),
        ("notes.yml", "- a\n- b\n", ""),
    ],
)
def test_a_file_is_known_by_its_name_or_by_what_it_says(name: str, text: str, format_: str) -> None:
    assert format_of(Source(f"file:///project/{name}", text)) == format_


@pytest.mark.parametrize(
    ("text", "contexts"),
    [
        ("<p>{{ a }}</p>", ["text"]),
        ("<p title='{{ a }}' id={{ b }}>", ["attribute", "unquoted"]),
        ('<a href="{{ a }}"><a href="/x/{{ b }}">', ["url", "attribute"]),
        ("<a href=/x/{{ a }}>", ["unquoted"]),
        ("<b onclick=\"go('{{ a }}', {{ b }})\">", ["handler", "handler-code"]),
        ('<p style="color: {{ a }}">', ["style"]),
        (
            "<script>var a = '{{ a }}', b = {{ b }};</script>{{ c }}",
            ["script-string", "script", "text"],
        ),
        ("<script>// it's {{ a }}\nf('{{ b }}')</script>", ["script-string"]),
        ('<script type="text/template"><p>{{ a }}</p></script>', ["text"]),
        ('<p {% if a == ">" %}class="{{ a }}"{% endif %}>{{ b }}</p>', ["attribute", "text"]),
        ("<script>var a = 'x\n</script><p>{{ a }}", ["text"]),
        ("<!-- <p id={{ a }}> --><p>{{ b }}", ["text"]),
        ("if a <b and c = {{ d }}", []),
    ],
)
def test_a_value_is_known_by_what_it_stands_in(text: str, contexts: list[str]) -> None:
    output = output_of("jinja")
    assert output is not None
    assert [each.context for each in places_in(text, output)] == contexts


@pytest.mark.parametrize(
    ("name", "text", "rule", "line"),
    [
        ("a.html.erb", "<% q = params[:q] %>\n<p>\n<%== q %>\n", "xss", 3),
        ("a.html.erb", '<%= link_to "a", params[:u] %>', "xss", 1),
        ("a.html.erb", "<%= render inline: params[:t] %>", "template-injection", 1),
        ("a.haml", "- @users.each do |u|\n  %p\n    = raw(params[:a])\n", "xss", 3),
        ("a.slim", "p\n  == params[:a]\n", "xss", 2),
        ("a.jsp", '<%\nString a = request.getParameter("a");\n%>\n<b><%= a %></b>', "xss", 4),
        (
            "a.jsp",
            '<% String a = request.getParameter("a");\nst.executeQuery("SELECT " + a); %>',
            "sql-injection",
            2,
        ),
    ],
)
def test_a_program_in_a_template_is_followed(name: str, text: str, rule: str, line: int) -> None:
    found = analyse(Source(f"file:///project/{name}", text)).findings
    assert (rule, line) in {(f.rule, text[: f.span.start].count("\n") + 1) for f in found}


def test_one_value_put_in_unescaped_is_one_finding() -> None:
    found = analyse(Source("file:///project/a.html.erb", "<%= params[:a].html_safe %>")).findings
    assert [each.rule for each in found] == ["xss"]


PASS_ROLE = '"Statement": [{"Effect": "Allow", "Action": ["iam:PassRole"]'
ADMIN = '{ Effect = "Allow", Action = "*", Resource = "*" }'


@pytest.mark.parametrize(
    ("policy", "wrong"),
    [
        (f"policy = jsonencode({{ Statement = [{ADMIN}] }})", True),
        (f"policy = jsonencode({{ Statement = {ADMIN} }})", True),
        (f"policy = jsonencode({{ Statement = [{ADMIN.replace('Allow', 'Deny')}] }})", False),
        (
            f'policy = <<EOT\n{{{PASS_ROLE}, "Resource": ["*"]}}]}}\nEOT',
            True,
        ),
        (
            f'policy = <<EOT\n{{{PASS_ROLE}, "Resource": ["arn:aws:iam::1:role/a"]}}]}}\nEOT',
            False,
        ),
        ('policy = jsonencode({ Statement = { Effect = "Allow", NotAction = "iam:*" } })', True),
    ],
)
def test_a_policy_is_read_however_terraform_writes_it(policy: str, wrong: bool) -> None:
    text = f'resource "aws_iam_policy" "a" {{\n  {policy}\n}}\n'
    assert ("cloud-wildcard-permission" in _rules("main.tf", text)) is wrong


CHART = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{{{ include "a" . }}}}
  {{{{- with .Values.labels }}}}
  labels: {{{{- toYaml . | nindent 4 }}}}
  {{{{- end }}}}
spec:
  template:
    spec:
      containers:
        - name: {{{{ .Chart.Name }}}}
          image: "{{{{ .Values.image }}}}:{{{{ .Values.tag | default "1" }}}}"
          securityContext:
            {}
"""


@pytest.mark.parametrize(
    ("context", "found"),
    [
        ("privileged: true", {"container-privileged"}),
        ("privileged: {{ .Values.privileged }}", set[str]()),
        ("{{- toYaml .Values.securityContext | nindent 12 }}", set[str]()),
    ],
)
def test_a_chart_is_read_around_its_actions(context: str, found: set[str]) -> None:
    source = Source("file:///project/templates/a.yaml", CHART.format(context))
    analysis = analyse(source)
    assert {each.rule for each in analysis.findings} == found
    assert analysis.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><configuration>&b;</configuration>',
        "<configuration>",
        "<a>" * 70,
    ],
)
def test_xml_that_is_not_read_says_so(text: str) -> None:
    notes = analyse(Source("file:///project/web.config", text)).notes
    assert any("not all of it was read" in each for each in notes)


def test_an_attribute_is_shown_where_it_is() -> None:
    text = '<configuration>\n <!-- é -->\n <compilation\n  debug="true"/>\n</configuration>'
    (found,) = analyse(Source("file:///project/web.config", text)).findings
    assert text[found.span.start : found.span.end] == "debug"
