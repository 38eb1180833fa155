"""No question about any text in any language fails or answers with places outside of the text."""

from __future__ import annotations

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
