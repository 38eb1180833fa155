"""Every language's file fits its grammar, wrong ones are named, nothing is loaded early."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coai_agents.syntax import GRAMMARS, LanguageFileError, grammar_for
from coai_agents.syntax import grammars as grammars_module
from coai_agents.syntax.grammars import import_query, load_grammar
from coai_agents.syntax.language import FOLDER, load_spec
from tests.agents.syntax.cases import SAMPLES, tree_of

if TYPE_CHECKING:
    from pathlib import Path

VALID = """
[grammar]
module = "tree_sitter_python"

[lexical]

[nodes]
comments = ["comment"]
strings = ["string"]
identifiers = ["identifier"]
blocks = ["block"]
containers = ["module"]

[[brackets]]
open = ["("]
close = ")"

[[definitions]]
nodes = ["function_definition"]
kind = "function"
name = ["name"]

[imports]
query = "(import_statement) @import"
"""


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_every_language_parses_its_sample_without_an_error(language: str) -> None:
    grammar = grammar_for(language)
    assert grammar is not None
    assert import_query(grammar).capture_count > 0
    tree = tree_of(language, SAMPLES[language])
    assert not tree.has_error, tree.sexp()


def test_every_file_belongs_to_a_language_or_to_another_file() -> None:
    names = {path.stem for path in FOLDER.glob("*.toml")}
    assert names - set(GRAMMARS.values()) == {"ecmascript"}


@pytest.mark.parametrize("language", ["", "plaintext", "haskell", "objective-c", "vue"])
def test_other_languages_have_no_grammar(language: str) -> None:
    assert grammar_for(language) is None


def test_a_grammar_is_loaded_once() -> None:
    assert grammar_for("python") is grammar_for("python")
    assert grammar_for("javascript") is grammar_for("javascriptreact")


def test_nothing_native_is_imported_before_the_first_parse() -> None:
    program = (
        "import sys, coai_agents.syntax as s\n"
        "from coai_agents.source import Source\n"
        "early = [name for name in sys.modules if name.startswith('tree_sitter')]\n"
        "assert s.parse(Source('file:///a.go', 'package a', 'go')) is not None\n"
        "late = sorted(name for name in sys.modules if name.startswith('tree_sitter_'))\n"
        "print(early, [name for name in late if '.' not in name])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] ['tree_sitter_go']\n"


def test_a_grammar_that_cannot_be_imported_is_said_and_done_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter_ruby", None)
    grammars_module._installed.cache_clear()  # pyright: ignore[reportPrivateUsage] - loaded by other tests
    with caplog.at_level(logging.WARNING):
        assert grammar_for("ruby") is None
    assert "no syntax for ruby" in caplog.text
    grammars_module._installed.cache_clear()  # pyright: ignore[reportPrivateUsage] - nothing may stay


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["comment"]', '["remark"]', r"nodes.comments: the grammar has no node 'remark'"),
        ('open = ["("]', 'open = ["(("]', r"brackets.0.open: the grammar has no node '\(\('"),
        ('close = ")"', 'close = "end"', r"brackets.0.close: the grammar has no node 'end'"),
        ('["function_definition"]', '["fn"]', r"definitions.0.nodes: the grammar has no node 'fn'"),
        (
            'name = ["name"]',
            'name = ["nam"]',
            r"definitions.0.name: the grammar has no field 'nam'",
        ),
        (
            'name = ["name"]',
            'value = "worth"',
            r"definitions.0.value: the grammar has no field 'worth'",
        ),
        ('kind = "function"', 'kind = "fun"', r"definitions.0.kind: Input should be"),
        ("[lexical]", "[lexical]\nindent = 4", r"lexical.indent: Extra inputs"),
        ("[lexical]", "", r"lexical: Field required"),
        ("[lexical]", "[lexical", r"the file: it is not TOML"),
        ("[grammar]", "extends = 3\n[grammar]", r"extends: it must be a file's name"),
        ("[grammar]", 'extends = "none"\n[grammar]', r"none.toml: the file: it cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in VALID
    tmp_path.joinpath("mine.toml").write_text(VALID.replace(old, new), encoding="utf-8")
    with pytest.raises(LanguageFileError, match=message) as caught:
        load_grammar(load_spec("mine", tmp_path))
    assert "reinstall" in caught.value.remedy
    assert ".toml: " in caught.value.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("(nothing) @import", "mine.toml: imports.query: Invalid node type"),
        ("(import_statement) @thing", "mine.toml: imports.query: @thing means nothing here"),
    ],
)
def test_a_wrong_query_is_named(tmp_path: Path, query: str, message: str) -> None:
    text = VALID.replace("(import_statement) @import", query)
    tmp_path.joinpath("mine.toml").write_text(text, encoding="utf-8")
    grammar = load_grammar(load_spec("mine", tmp_path))
    with pytest.raises(LanguageFileError, match=message):
        import_query(grammar)


def test_a_file_adds_to_the_one_it_extends(tmp_path: Path) -> None:
    tmp_path.joinpath("under.toml").write_text(VALID, encoding="utf-8")
    over = """
extends = "under"
[grammar]
function = "language"
[nodes]
blocks = ["class_definition"]
[imports]
separator = "/"
"""
    tmp_path.joinpath("over.toml").write_text(over, encoding="utf-8")
    spec = load_spec("over", tmp_path)
    assert spec.nodes.blocks == ("block", "class_definition")
    assert spec.nodes.comments == ("comment",)
    assert spec.grammar.module == "tree_sitter_python"
    assert spec.imports.separator == "/"
    assert spec.imports.query == "(import_statement) @import"
