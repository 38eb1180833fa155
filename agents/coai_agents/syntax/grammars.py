"""Grammars, each loaded when its language is first met.

Nothing native is imported with this module: an editor's first answer must not wait for it.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from coai_agents.syntax.language import GRAMMARS, LanguageFileError, load_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tree_sitter import Language, Query

    from coai_agents.syntax.language import Definitions, LanguageSpec

_log: Final = logging.getLogger(__name__)

_IMPORT_CAPTURES: Final = frozenset({"import", "module", "name", "alias", "star", "call"})


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """A language's parser tables, what is known of its nodes, and its compiled queries."""

    spec: LanguageSpec
    language: Language
    definitions: Mapping[str, Definitions]
    """What is known of the nodes that define something."""
    definition_query: Query
    identifier_query: Query
    comments: frozenset[str]
    strings: frozenset[str]
    interpolations: frozenset[str]
    blocks: frozenset[str]
    containers: frozenset[str]
    continued: frozenset[str]
    leading: frozenset[str]
    wrappers: frozenset[str]
    transparent: frozenset[str]
    closers: Mapping[str, str]
    """The closing bracket of each opening one."""
    closing: frozenset[str]
    block_closing: frozenset[str]
    """The closing brackets that end a block."""
    no_brackets_in: Mapping[str, frozenset[str]]
    """For each closing bracket, the nodes in which it and its opening ones are none."""


def grammar_for(language: str) -> Grammar | None:
    """Return the grammar of an LSP language identifier, loading it on first use.

    Loading takes tens of milliseconds, so call it for a document's language when it is opened,
    not when its first completion waits. None if there is no grammar for the language or its wheel
    cannot be imported, which is logged; everything but syntax then works.
    """
    name = GRAMMARS.get(language)
    return None if name is None else _installed(name)


@cache
def _installed(name: str) -> Grammar | None:
    try:
        return load_grammar(load_spec(name))
    except ImportError as error:
        _log.warning("no syntax for %s: its grammar cannot be imported (%s)", name, error)
        return None


def load_grammar(spec: LanguageSpec) -> Grammar:
    """Load a language's grammar and check what its file says against it.

    Raises ImportError if the grammar's wheel is missing or broken, LanguageFileError for kinds of
    nodes, brackets and queries that the grammar does not have.
    """
    from tree_sitter import Language  # noqa: PLC0415 - native code, loaded on first use

    module = importlib.import_module(spec.grammar.module)
    pointer: object = getattr(module, spec.grammar.function)()
    language = Language(pointer)
    nodes = spec.nodes
    for key, kinds in nodes:
        _check(spec, language, f"nodes.{key}", kinds, named=True)
    for number, pair in enumerate(spec.brackets):
        _check(spec, language, f"brackets.{number}.open", pair.open, named=False)
        _check(spec, language, f"brackets.{number}.close", (pair.close,), named=False)
        _check(spec, language, f"brackets.{number}.except_in", pair.except_in, named=True)
    for number, rule in enumerate(spec.definitions):
        _check_definitions(spec, language, f"definitions.{number}", rule)
    definitions = {kind: rule for rule in spec.definitions for kind in rule.nodes}
    return Grammar(
        spec=spec,
        language=language,
        definitions=definitions,
        definition_query=_any_of(language, definitions, "definition"),
        identifier_query=_any_of(language, nodes.identifiers, "identifier"),
        comments=frozenset(nodes.comments),
        strings=frozenset(nodes.strings),
        interpolations=frozenset(nodes.interpolations),
        blocks=frozenset(nodes.blocks),
        containers=frozenset(nodes.containers),
        continued=frozenset(nodes.continued),
        leading=frozenset(nodes.leading),
        wrappers=frozenset(nodes.wrappers),
        transparent=frozenset(nodes.transparent),
        closers={opening: pair.close for pair in spec.brackets for opening in pair.open},
        closing=frozenset(pair.close for pair in spec.brackets),
        block_closing=frozenset(pair.close for pair in spec.brackets if pair.block),
        no_brackets_in={pair.close: frozenset(pair.except_in) for pair in spec.brackets},
    )


def _check(
    spec: LanguageSpec, language: Language, key: str, kinds: Iterable[str], *, named: bool
) -> None:
    for kind in kinds:
        if language.id_for_node_kind(kind, named) is None:
            raise LanguageFileError(spec.file, key, f"the grammar has no node {kind!r}")


def _check_definitions(spec: LanguageSpec, language: Language, key: str, rule: Definitions) -> None:
    _check(spec, language, f"{key}.nodes", rule.nodes, named=True)
    _check(spec, language, f"{key}.names", rule.names, named=True)
    _check(spec, language, f"{key}.kinds", rule.kinds, named=True)
    fields = [step.rstrip("?*") for step in rule.name if step != "0"]
    for part, names in (("name", fields), ("value", [rule.value] if rule.value else [])):
        for name in names:
            if language.field_id_for_name(name) is None:
                raise LanguageFileError(
                    spec.file, f"{key}.{part}", f"the grammar has no field {name!r}"
                )


def _any_of(language: Language, kinds: Iterable[str], capture: str) -> Query:
    from tree_sitter import Query  # noqa: PLC0415 - native code, loaded on first use

    names = " ".join(f"({kind})" for kind in kinds)
    return Query(language, f"[{names}] @{capture}")


@cache
def import_query(grammar: Grammar) -> Query:
    """Return the compiled query for imports.

    It is compiled when first wanted, because that takes up to 40 ms (C++ and TypeScript on a
    slow machine) and no keystroke needs it. Raises LanguageFileError if it is wrong.
    """
    from tree_sitter import Query, QueryError  # noqa: PLC0415 - native code, loaded on first use

    spec = grammar.spec
    try:
        query = Query(grammar.language, spec.imports.query)
    except QueryError as error:
        raise LanguageFileError(spec.file, "imports.query", str(error)) from error
    for index in range(query.capture_count):
        if (name := query.capture_name(index)) not in _IMPORT_CAPTURES:
            raise LanguageFileError(spec.file, "imports.query", f"@{name} means nothing here")
    return query
