"""Parsing: incrementally as from nothing, in time, with offsets that are those of the text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coai_agents.source import Edit, Source, Span
from coai_agents.syntax import MAX_BYTES, SyntaxStore, SyntaxTree, parse
from tests.agents.syntax.cases import SAMPLES, tree_of
from tests.support.reference_text import documents, texts

INCREMENTAL = ["python", "javascript", "typescriptreact", "go", "rust", "ruby", "cpp", "php"]

TOKENS = st.sampled_from(
    [
        *("x", "if", " ", "\n", "    ", "\t", "(", ")", "{", "}", "[", "]", ",", ";", ":", "="),
        *('"', "'", "`", "#", "//", "1", ".", "é", "😀", "\r\n", "return x\n", "def f():\n"),
    ]
)


# What tree-sitter makes of a text with errors depends on the way there, and even for text without
# any a grammar may be ambiguous in odd places (Python's `a /*b[0]`); about one edit in 30,000 made
# of such tokens is of that kind, so the same examples are tried each time.
@pytest.mark.parametrize("language", INCREMENTAL)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_tree_that_follows_edits_is_that_of_a_fresh_parse(
    language: str, data: st.DataObject
) -> None:
    source = Source("file:///x", SAMPLES[language], language)
    tree = parse(source)
    for _ in range(data.draw(st.integers(1, 4))):
        # Several edits between two parses, as when an editor sends several changes at once.
        for _ in range(data.draw(st.integers(1, 2))):
            start = data.draw(st.integers(0, len(source.text)))
            end = min(len(source.text), start + data.draw(st.sampled_from([0, 0, 1, 3, 40])))
            inserted = "".join(data.draw(st.lists(TOKENS, max_size=3)))
            source = source.apply(Edit(Span(start, end), inserted))
        tree = parse(source, tree)
        fresh = parse(source)
        assert tree is not None
        assert fresh is not None
        assert tree.has_error == fresh.has_error
        if not fresh.has_error:
            assert tree.sexp() == fresh.sexp()


@pytest.mark.parametrize("language", INCREMENTAL)
def test_a_file_typed_character_by_character_ends_as_if_opened(language: str) -> None:
    text = SAMPLES[language]
    source = Source("file:///x", "", language)
    tree = parse(source)
    for end in range(1, len(text) + 1):
        source = source.apply(Edit(Span(end - 1, end - 1), text[end - 1]))
        tree = parse(source, tree)
    assert tree is not None
    assert tree.sexp() == tree_of(language, text).sexp()


def test_an_incremental_parse_keeps_rows_and_columns_right() -> None:
    source = Source("file:///x", "a = 'é'\r\nb = 2\n", "python")
    tree = parse(source)
    source = source.apply(Edit(Span(7, 7), "\r\nc = 'ç'"))
    tree = parse(source, tree)
    fresh = parse(source)
    assert tree is not None
    assert fresh is not None
    assert [node.start_point for node in tree.root.children] == [
        node.start_point for node in fresh.root.children
    ]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["python", "javascript", "shellscript"]), documents(), texts())
def test_offsets_of_nodes_are_those_of_the_text(language: str, text: str, inserted: str) -> None:
    source = Source("file:///x", text, language)
    before = parse(source)
    middle = len(source.text) // 2
    source = source.apply(Edit(Span(middle, middle), inserted))
    tree = parse(source, before)
    assert tree is not None
    encoded = source.text.encode()
    nodes = [tree.root]
    while nodes:
        node = nodes.pop()
        nodes += node.children
        start, end = tree.start(node), tree.end(node)
        whole = encoded[node.start_byte : node.end_byte].decode()
        assert source.text[start : start + len(whole)] == whole
        assert source.text[start:end] == whole.rstrip("\r\n")
        assert tree.text(node) == tree.source.slice(tree.span(node))


def test_the_tree_of_the_same_snapshot_is_not_made_again() -> None:
    source = Source("file:///x", "a = 1\n", "python")
    tree = parse(source)
    assert parse(source, tree) is tree


def test_a_tree_of_another_document_or_language_is_no_help_and_no_harm() -> None:
    other = tree_of("python", "b = 2\n")
    for language, text in (("python", "a = 1\n"), ("javascript", "a = 1;\n")):
        source = Source("file:///x", text, language)
        tree = parse(source, other)
        fresh = parse(source)
        assert tree is not None
        assert fresh is not None
        assert tree.sexp() == fresh.sexp()


@pytest.mark.parametrize("text", ["", "\ud800", "a = '\udfff'\n", "\x00", "\ufeffa = 1\n"])
def test_odd_texts_are_parsed(text: str) -> None:
    tree = tree_of("python", text)
    assert tree.root.end_byte <= len(tree.source.text.encode())
    assert tree.leaf_before(0) is not None
    assert tree.leaf_after(len(tree.source.text)) is not None


def test_a_language_without_a_grammar_has_no_tree() -> None:
    assert parse(Source("file:///x", "main = 1", "haskell")) is None


@pytest.mark.parametrize("character", ["a", "é"])
def test_what_is_too_long_is_not_parsed(character: str) -> None:
    text = character * (MAX_BYTES // len(character.encode()) + 1)
    assert parse(Source("file:///x", text, "python")) is None


def test_a_parse_stops_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    minified = "var a=[" + ",".join(["function(b){return b+1}"] * 30_000) + "];"
    source = Source("file:///x.js", minified, "javascript")
    looks = itertools.count()
    monkeypatch.setattr("coai_agents.syntax.tree.perf_counter", lambda: float(next(looks)))
    assert parse(source, budget=20) is None
    given_up = next(looks)
    assert parse(source, budget=float("inf")) is not None
    whole = next(looks) - given_up
    # One look is the last of those that the budget has, and one finds that it is over.
    assert given_up <= 22 < whole


# --------------------------------------------------------------------------- store


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_store_returns_the_tree_of_each_snapshot() -> None:
    store = SyntaxStore()
    first = Source("file:///a.py", "a = 1\n", "python", 1)
    tree = store.tree(first)
    assert tree is not None
    assert store.tree(first) is tree
    assert store.tree(Source("file:///a.py", "a = 1\n", "python", 1)) is tree, "the same text"
    second = first.apply(Edit(Span(4, 5), "2"), version=2)
    newer = store.tree(second)
    assert newer is not None
    assert newer.source is second
    older = store.tree(first)
    assert older is not None
    assert older.source.text == "a = 1\n"


def test_the_same_version_of_a_document_opened_anew_is_parsed_anew() -> None:
    store = SyntaxStore()
    store.tree(Source("file:///a.py", "a = 1\n", "python", 1))
    tree = store.tree(Source("file:///a.py", "b = (\n", "python", 1))
    assert tree is not None
    assert tree.has_error
    tree = store.tree(Source("file:///a.py", "b = (\n", "javascript", 1))
    assert tree is not None
    assert tree.grammar.spec.file == "javascript.toml"


def test_the_store_forgets_documents_that_are_closed_or_too_many() -> None:
    store = SyntaxStore(capacity=2)
    trees: dict[str, SyntaxTree | None] = {}
    sources = {name: Source(f"file:///{name}.py", name, "python", 1) for name in "abc"}
    for name, source in sources.items():
        trees[name] = store.tree(source)
    assert store.tree(sources["c"]) is trees["c"]
    assert store.tree(sources["b"]) is trees["b"]
    assert store.tree(sources["a"]) is not trees["a"], "the one unused for longest went"
    store.forget("file:///b.py")
    store.forget("file:///never-opened.py")
    assert store.tree(sources["b"]) is not trees["b"]


def test_a_document_that_takes_too_long_is_left_alone_for_a_while() -> None:
    clock = Clock()
    store = SyntaxStore(budget=0.0, clock=clock)
    source = Source("file:///a.py", "a = 1\n" * 2_000, "python", 1)
    assert store.tree(source) is None
    assert store.tree(source) is None, "no time has passed"
    tree = store.tree(source, budget=60)
    assert tree is not None, "who can wait gets it"
    typed = source.apply(Edit(Span(0, 0), "b"), version=2)
    clock.now += 3_600
    assert store.tree(typed) is None
    assert store.tree(source) is tree, "an earlier tree is not lost"
    assert store.tree(Source("file:///b", "x", "haskell")) is None
