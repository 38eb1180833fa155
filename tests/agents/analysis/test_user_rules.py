"""Rules of the user's own: what they find, what is wrong with others, and their fixes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings.findings import Notes, Severity
from coai_agents.analysis.rules import user_rules
from coai_agents.analysis.rules.rule_pages import languages_of, rule_page, write
from coai_agents.analysis.rules.rules import concept_of, own_concepts
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.fixers import applied
from coai_agents.fixes.user_fixes import user_fixes_for
from coai_agents.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Finding

PRINT = """\
id: no-print
language: Python
severity: warning
message: Log $A instead of printing it.
note: Use the logger.
url: https://example.org/no-print
rule:
  pattern: print($A)
fix: log.info($A)
metadata:
  cwe: CWE-532
  owasp: ["A09:2021 - Security Logging"]
  examples:
    valid: ["log.info(1)"]
    invalid: ["print(1)"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    user_rules.use(())


def have(folder: Path, *documents: str) -> list[str]:
    """Have rules; return what is wrong with them, without the folder's name."""
    for number, document in enumerate(documents):
        (folder / f"rule{number}.yml").write_text(document, encoding="utf-8")
    user_rules.use((str(folder),))
    return [str(each).replace(str(folder), "").lstrip("/\\") for each in user_rules.problems()]


def found(text: str, language: str = "python", uri: str = "file:///w/a.py") -> list[Finding]:
    analysis = analyse(Source(uri, text, language))
    return [each for each in analysis.findings if each.origin == user_rules.ORIGIN]


def test_a_rule_finds_what_it_is_about_with_all_that_it_says(folder: Path) -> None:
    assert have(folder, PRINT) == []
    (finding,) = found("x = 'é𝄞'\nprint(x)\n")
    assert finding.rule == "no-print"
    assert (finding.span.start, finding.span.end) == (9, 17)
    assert finding.message == "Log x instead of printing it."
    assert (finding.severity, finding.cwe) == (Severity.WARNING, (532,))
    concept = own_concepts()["no-print"]
    assert (concept.topic, concept.owasp, concept.languages) == (
        "security",
        ("A09:2021",),
        ("python",),
    )
    assert found("print(1)", "javascript") == []


@pytest.mark.parametrize(
    ("rule", "text", "count"),
    [
        ("{kind: lambda}", "f = lambda: 1", 1),
        ("{regex: '^secret', kind: identifier}", "secret1 = other", 1),
        ("{pattern: foo($A), inside: {kind: class_definition, stopBy: end}}", "foo(1)", 0),
        (
            "{pattern: foo($A), inside: {kind: class_definition, stopBy: end}}",
            "class A:\n  foo(1)\n",
            1,
        ),
        ("{kind: call, has: {pattern: bar}}", "bar()\nfoo()", 1),
        ("{all: [{pattern: foo($A)}, {not: {pattern: foo(1)}}]}", "foo(1)\nfoo(2)", 1),
        ("{any: [{pattern: foo()}, {pattern: bar()}]}", "foo()\nbar()\nbaz()", 2),
        ("{matches: call-of-foo}", "foo(3)", 1),
    ],
)
def test_rules_are_handed_to_ast_grep_as_they_are(
    folder: Path, rule: str, text: str, count: int
) -> None:
    utils = "utils: {call-of-foo: {pattern: foo($B)}}"
    assert have(folder, f"id: it\nlanguage: py\nrule: {rule}\n{utils}\n") == []
    assert len(found(text)) == count


WRONG = [
    ("id: x\nlanguage: python\n", "rule0.yml:1: rule: Field required."),
    ("id: x\nlanguage: klingon\nrule: {kind: call}\n", "rule0.yml:2: language: there is no"),
    ("\nid: x\nlanguage: py\nrule:\n  kind: nokind\n", "rule0.yml:5: ast-grep refuses the rule: "),
    ("id: x\nlanguage: py\nrule:\n  any:\n    - kindx: a\n", "rule0.yml:5: ast-grep refuses"),
    ("id: x\nlanguage: py\nrule: {regex: (, kind: call}\n", "rule0.yml:3: ast-grep refuses"),
    ("id: x\nlanguage: py\nrule: {kind: call}\nseverity: bad\n", "rule0.yml:4: severity: "),
    ("id: x\nlanguage: py\nrule: {kind: call}\nrules: 1\n", "rule0.yml:4: rules: Extra inputs"),
    ("id: x\nlanguage: py\nrule: {kind: call}\nrewriters: []\n", "rule0.yml:4: rewriters: "),
    ("id: weak-hash\nlanguage: py\nrule: {kind: call}\n", "rule0.yml:1: id: 'weak-hash' is a"),
    (
        "id: x\nlanguage: py\nrule: {kind: call}\nmetadata:\n  cwe: [1, nope]\n",
        "rule0.yml:5: metadata.cwe: 'nope' is no weakness",
    ),
    (
        "id: x\nlanguage: py\nrule: {kind: call}\nmetadata: {owasp: A99:1900}\n",
        "rule0.yml:4: metadata.owasp: 'A99:1900' is no category",
    ),
    ("id: x\nlanguage: py\nrule: {kind: call}\nfiles: [{}]\n", "rule0.yml:4: files.0: "),
    ("- 1\n", "rule0.yml:1: A rule is a table of fields."),
    ("id: [x\n", "rule0.yml:2: This is not YAML: "),
    ("id: none\nvalid: [a]\n", "rule0.yml:1: There is no rule none to be tested."),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_a_wrong_rule_is_named_with_its_file_and_line_and_others_work(
    folder: Path, text: str, problem: str
) -> None:
    (said,) = have(folder, text, PRINT)
    assert said.startswith(problem)
    assert "backtrace" not in said
    assert [each.rule for each in found("print(1)")] == ["no-print"]


def test_a_wrong_rule_leaves_the_others_of_its_file(folder: Path) -> None:
    problems = have(folder, f"id: x\n---\n{PRINT}---\n---\n{PRINT}")
    assert [problem.split(": ", 1)[1][:20] for problem in problems] == [
        "language: Field requ",
        "There is a rule no-p",
    ]
    assert len(found("print(1)")) == 1


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "big.yml").write_text("#" * 300_000, encoding="utf-8")
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "not-a-rule.txt").write_text("id: x", encoding="utf-8")
    one, other = have(folder)
    assert "more than 256 KB" in one
    assert "cannot be read" in other


@pytest.mark.parametrize(
    ("globs", "path", "seen"),
    [
        ("files: ['src/**']", "/w/src/a.py", True),
        ("files: ['src/**']", "/w/tests/a.py", False),
        ("files: ['./src/**/*.py']", "/w/src/b/a.py", True),
        ("ignores: ['**/*_test.py']", "/w/a_test.py", False),
        ("ignores: ['**/*_test.py']", "/w/a.py", True),
        ("severity: 'off'", "/w/a.py", False),
    ],
)
def test_files_and_ignores_say_where_a_rule_looks(
    folder: Path, globs: str, path: str, seen: bool
) -> None:
    assert have(folder, f"id: it\nlanguage: py\nrule: {{kind: call}}\n{globs}\n") == []
    assert bool(found("foo()", uri=f"file://{path}")) is seen


def test_rules_are_read_again_when_a_file_has_changed_and_forgotten_when_there_are_none(
    folder: Path,
) -> None:
    have(folder, PRINT)
    have(folder, PRINT.replace("no-print", "never-print"))
    assert [each.rule for each in found("print(1)")] == ["never-print"]
    user_rules.use(())
    assert found("print(1)") == []
    assert own_concepts() == {}
    user_rules.use((str(folder / "none"), str(folder / "rule0.yml")))
    assert len(user_rules.all_rules()) == 1


def test_a_fix_is_offered_if_it_passes_as_all_others(folder: Path) -> None:
    have(folder, PRINT, "id: worse\nlanguage: py\nrule: {pattern: old($A)}\nfix: old($A, (\n")
    source = Source(
        "file:///w/a.py", "if x:\n    print(1, 2)\n    print(y)\n    old(1)\n", "python"
    )
    before = analyse(source)
    fixes = user_fixes_for(source, before.findings, before)
    (fix,) = fixes
    assert fix.rule == "no-print"
    assert "    log.info(y)\n" in applied(source, fix.edits).text


def test_a_fix_keeps_several_arguments_indentation_and_transformed_texts(folder: Path) -> None:
    several = (
        "id: several\nlanguage: py\nrule: {pattern: 'foo($$$ARGS)'}\nfix:\n"
        "  template: |-\n    a($$$ARGS)\n    b($UNKNOWN)\n"
    )
    changed = (
        "id: changed\nlanguage: py\nrule: {pattern: bar($A)}\nfix: bar($BIG)\n"
        "transform: {BIG: {convert: {source: $A, toCase: upperCase}}}\n"
    )
    assert have(folder, several, changed) == []
    text = "if x:\n    foo(1, 2)\n    foo()\n    bar(name)\n"
    source = Source("file:///w/a.py", text, "python")
    first, second, third = analyse(source).findings
    assert user_rules.proposals(source, third)[0][0].text == "bar(NAME)"
    assert user_rules.proposals(source, first)[0][0].text == "a(1, 2)\n    b($UNKNOWN)"
    assert user_rules.proposals(source, second)[0][0].text == "a()\n    b($UNKNOWN)"


def test_suppressing_comments_count_for_them_too(folder: Path) -> None:
    have(folder, PRINT)
    assert found("print(1)  # coai: ignore[no-print] wanted here\n") == []
    assert len(found("print(1)  # coai: ignore[other]\n")) == 1


def test_snippets_are_tried_also_those_of_test_files(folder: Path) -> None:
    tests = 'id: no-print\nvalid: ["print(1)", "x"]\ninvalid: ["y", "print(2)"]\n'
    assert have(folder, PRINT, tests) == []
    (rule,) = user_rules.all_rules()
    assert list(user_rules.failures(rule)) == [
        "no-print, invalid snippet 1: it is not found",
        "no-print, valid snippet 1: it is found",
    ]


def test_what_is_too_large_or_too_late_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(folder, PRINT)
    notes = Notes()
    source = Source("file:///w/a.py", "print(1)\n", "python")
    assert user_rules.findings(source, notes, deadline=0) == []
    assert "not all of your own rules" in notes[0]
    monkeypatch.setattr(user_rules, "MOST_CHARACTERS", 3)
    assert user_rules.findings(source, notes, deadline=1e9) == []
    assert "too large for your own rules" in notes[1]


def test_another_process_knows_them_by_a_document(folder: Path) -> None:
    have(folder, PRINT, "id: x\n")
    document = user_rules.to_document()
    assert document["problems"][0]["line"] == 1
    user_rules.use(())
    user_rules.know_document(document)
    assert own_concepts()["no-print"].url == "https://example.org/no-print"
    assert concept_of("unheard-of").title == "unheard-of"


def test_pages_tell_of_own_rules_and_of_ours(folder: Path) -> None:
    have(folder, PRINT)
    page = rule_page("no-print")
    assert "Log $A instead of printing it" in page
    assert "**Instead:** Use the logger." in page
    assert "rule0.yml" in page
    assert "https://example.org/no-print" in page
    ours = rule_page("sql-injection")
    assert "CWE-89" in ours
    assert "```python" in ours
    assert "coai: ignore[sql-injection]" in ours
    assert languages_of("secret-found") == ("any",)
    pages = folder / "pages"
    write(pages, ["no-print", "../../evil", "sql-injection"])
    write(pages, ["no-print"])
    assert sorted(each.name for each in pages.iterdir()) == ["no-print.md", "sql-injection.md"]
    write(folder / "rule0.yml", ["no-print"])
