"""No question about any text in any language fails or answers with places outside of the text."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coai_agents.source import Edit, Source, Span
from coai_agents.syntax import (
    GRAMMARS,
    SyntaxTree,
    completion_extent,
    enclosing_block,
    enclosing_function,
    identifiers_near,
    imports,
    in_comment,
    in_string,
    missing_closers,
    open_brackets,
    outline,
    parse,
)
from tests.agents.syntax.cases import SAMPLES
from tests.support.reference_text import documents, texts


def check_all(tree: SyntaxTree, offset: int, inserted: str) -> None:
    """Ask everything at one place."""
    length = len(tree.source.text)
    for answer in (in_comment(tree, offset), in_string(tree, offset)):
        assert isinstance(answer, bool)
    block = enclosing_block(tree, offset)
    assert block is None or block.end <= length
    function = enclosing_function(tree, offset)
    for found in (*outline(tree), *([function] if function is not None else [])):
        spans = (found.span, found.signature, found.body, found.documentation)
        assert all(span is None or span.end <= length for span in spans)
        assert found.span.covers(found.signature)
    for each in imports(tree):
        assert each.span.end <= length
        assert 0 <= each.lines[0] <= each.lines[1] < tree.source.line_count
    for name in identifiers_near(tree, offset, 50):
        assert name in tree.source.text
    around = open_brackets(tree, offset)
    assert all(bracket.offset < offset for bracket in around)
    assert all(bracket.closed_at is None or bracket.closed_at >= offset for bracket in around)
    assert isinstance(missing_closers(tree, around), str)
    verdict = completion_extent(tree, offset, inserted, budget=10)
    assert verdict is not None
    if verdict.statement is not None:
        assert 0 <= verdict.statement <= len(inserted)
        assert verdict.block is None or verdict.statement <= verdict.block <= len(inserted)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(GRAMMARS)), documents(), texts(), st.floats(0, 1))
def test_random_text(language: str, text: str, inserted: str, where: float) -> None:
    source = Source("file:///x", text, language)
    tree = parse(source, budget=10)
    assert tree is not None
    check_all(tree, round(where * len(source.text)), inserted)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(GRAMMARS)), texts(most=3), st.floats(0, 1), st.integers(0, 30))
def test_code_that_is_being_changed(
    language: str, inserted: str, where: float, removed: int
) -> None:
    source = Source("file:///x", SAMPLES[language], language)
    before = parse(source, budget=10)
    start = round(where * len(source.text))
    end = min(start + removed, len(source.text))
    source = source.apply(Edit(Span(start, end), inserted))
    tree = parse(source, before, budget=10)
    assert tree is not None
    check_all(tree, min(start + len(inserted), len(source.text)), inserted)


HOSTILE = """
import sys
from coai_agents.source import Source
from coai_agents.syntax import parse

for language in sys.argv[1:]:
    for opening in ("${", "$((", "`", "<<", "'", '"', "/*", "<", "%q", "@", "#", "\\\\"):
        for character in "\\U0010ffff\\U000fffff\\uffff\\ud7ff\\u00e4\\u2028\\0\\f\\ufeff":
            for text in (opening + character + "(", opening + character * 3 + opening):
                parse(Source("file:///x", text, language), budget=10)
print("alive")
"""


def test_no_character_ends_the_process() -> None:
    """In a process of its own, because a scanner that reads outside of its tables ends it."""
    child = subprocess.run(
        [sys.executable, "-c", HOSTILE, *GRAMMARS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (child.returncode, child.stdout) == (0, "alive\n"), child.stderr


def test_a_scanner_that_reads_outside_of_its_tables_is_given_letters_instead() -> None:
    """Whether reading there ends the process is chance, so this tells by what it takes for one."""
    tree = parse(Source("file:///x", "\U0010ffff=1\n", "shellscript"))
    assert tree is not None
    assert [node.type for node in tree.root.children] == ["variable_assignment"]


def test_letters_outside_of_ascii_stay_where_they_are_in_a_grammar_that_knows_none() -> None:
    tree = parse(Source("file:///x", "größe=1 # ä\necho \U0001f600\n", "shellscript"))
    assert tree is not None
    assert not tree.root.has_error
    assert [tree.text(node) for node in tree.root.children] == [
        "größe=1",
        "# ä",
        "echo \U0001f600",
    ]
