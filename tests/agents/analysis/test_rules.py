"""Every rule's examples: the bad one is found, the good one is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules.matching import RuleSet, rule_set
from coai_agents.analysis.rules.queries import compiled
from coai_agents.analysis.rules.rules import RuleFileError, catalogue, examples, load
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from coai_agents.syntax.grammars import grammar_for

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.analysis.rules.rules import Example

_IDENTIFIERS = {"tsx": "typescriptreact"}


def _found(language: str, text: str) -> list[str]:
    analysis = analyse(Source("untitled:example", text, _IDENTIFIERS.get(language, language)))
    assert analysis.notes == ()
    return [finding.rule for finding in analysis.findings]


_EXAMPLES = [
    pytest.param(language, example, id=f"{language}-{number}-{example.rule}")
    for language in sorted(LANGUAGES)
    for number, example in enumerate(examples(language))
]


@pytest.mark.parametrize(("language", "example"), _EXAMPLES)
def test_a_bad_example_is_found_and_a_good_one_is_not(language: str, example: Example) -> None:
    assert example.rule in _found(language, example.bad)
    assert example.rule not in _found(language, example.good)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_rules_and_examples(language: str) -> None:
    assert load(language).find
    assert examples(language)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_queries_are_those_of_the_grammar(language: str) -> None:
    grammar = grammar_for(_IDENTIFIERS.get(language, language))
    assert grammar is not None
    rules = rule_set(language)
    _, owners = compiled(grammar, rules)
    assert set(owners) == set(rules.queries)


def test_every_security_rule_names_a_weakness() -> None:
    nameless = [
        concept.id
        for concept in catalogue().values()
        if concept.topic == "security" and not concept.cwe
    ]
    assert nameless == []


_CATALOGUE = """
[[rules]]
id = "rule-one"
title = "A rule"
message = "Something is wrong here."
severity = "error"
why = "It can go wrong."
advice = "Do it right."
"""


def _language(folder: Path, language: str = "python") -> Path:
    (folder / language).mkdir(exist_ok=True)
    return folder / language / "language.toml"


@pytest.mark.parametrize(
    ("catalogued", "written", "key"),
    [
        ("", '[[find]]\nrule = "none"\ncall = ["f"]', "find.0"),
        ("", '[[find]]\nrule = "rule-one"', "find.0"),
        ("", '[[find]]\nrule = "rule-one"\ncall = ["a b"]', "find.0.call.0"),
        ("", '[[find]]\nrule = "rule-one"\ncall = ["f"]\nwhen = [{ arg = "0" }]', "find.0.when.0"),
        *(
            ("", f'[[find]]\nrule = "rule-one"\ncall = ["f"]\nfile = {file}', "find.0.file.0")
            for file in (
                "'('",
                "'a.*b'",
                r"'\w+\('",
                "'f\\([^)]*\\)'",
                "['a{2,}', 'b']",
                r"'(\W+)'",
            )
        ),
        ("", '[[find]]\nrule = "rule-one"\nquery = "(x)"\ntext = "("', "find.0.text"),
        ("", '[[find]]\nrule = "rule-one"\ncall = ["f"]\nnot_file = "x"', "find.0"),
        ("", "[[find", "the file"),
        (_CATALOGUE, "", "rules.1"),
        ('[[rules]]\nid = "Bad"', "", "rules.1.id"),
    ],
)
def test_a_file_that_is_wrong_says_where(
    tmp_path: Path, catalogued: str, written: str, key: str
) -> None:
    (tmp_path / "catalogue.toml").write_text(_CATALOGUE + catalogued)
    _language(tmp_path).write_text(written)
    with pytest.raises(RuleFileError) as caught:
        load("python", tmp_path) if written else catalogue(tmp_path)
    assert f": {key}: " in caught.value.message


def test_a_query_that_the_grammar_does_not_know_says_which(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(_CATALOGUE)
    _language(tmp_path).write_text('[[find]]\nrule = "rule-one"\nquery = "(no_such_node) @finding"')
    grammar = grammar_for("python")
    assert grammar is not None
    rules = RuleSet(load("python", tmp_path), catalogue(tmp_path))
    with pytest.raises(RuleFileError, match="rule-one"):
        compiled(grammar, rules)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("first then second", True),
        ("second, and first", False),
        ("first", False),
        ("second first second", True),
        (f"first{' ' * 1_000_000}second", False),
    ],
)
def test_words_of_a_file_are_looked_for_in_their_order(
    tmp_path: Path, text: str, *, counts: bool
) -> None:
    (tmp_path / "catalogue.toml").write_text(_CATALOGUE)
    _language(tmp_path).write_text(
        '[[find]]\nrule = "rule-one"\ncall = ["f"]\nfile = ["first", "sec\\\\s*ond"]\n'
    )
    rules = RuleSet(load("python", tmp_path), catalogue(tmp_path))
    (wanted,) = rules.rules.find
    assert rules.counts(wanted, text) is counts


def test_an_example_of_no_rule_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(_CATALOGUE)
    _language(tmp_path).with_name("flask.examples.toml").write_text('[[examples]]\nrule = "none"')
    with pytest.raises(RuleFileError, match="no rule 'none'"):
        examples("python", tmp_path)
    assert examples("go", tmp_path) == ()


def test_the_files_of_a_folder_follow_the_language_and_what_it_extends(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(_CATALOGUE)
    for language, name, call in (
        ("python", "abc", "c"),
        ("python", "abc.examples", ""),
        ("python", "language", "b"),
        ("below", "web", "a"),
    ):
        extends = 'extends = "below"\n' if name == "language" else ""
        kind, said = ("find", f'call = ["{call}"]') if call else ("examples", 'bad = "x"')
        path = _language(tmp_path, language).with_name(f"{name}.toml")
        path.write_text(f'{extends}[[{kind}]]\nrule = "rule-one"\n{said}\n')
    assert [each.call for each in load("python", tmp_path).find] == [("a",), ("b",), ("c",)]
    assert [each.bad for each in examples("python", tmp_path)] == ["x"]


def test_a_framework_s_file_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(_CATALOGUE)
    _language(tmp_path).with_name("web.toml").write_text('[[find]]\nrule = "none"\ncall = ["f"]')
    with pytest.raises(RuleFileError, match=r"python/web\.toml: find\.0"):
        load("python", tmp_path)


def test_what_has_no_file_has_no_rules(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(_CATALOGUE)
    assert load("python", tmp_path).find == ()
