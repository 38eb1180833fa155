"""Syntax: what the parser knows of a snapshot, for whoever completes, explains or checks code.

Nothing native is imported before the first parse. A language without a grammar has no tree, and
whoever asks for one does without.
"""

from __future__ import annotations

from coai_agents.syntax.block_extent import ExtentVerdict, completion_extent
from coai_agents.syntax.brackets import OpenBracket, missing_closers, open_brackets
from coai_agents.syntax.definitions import (
    CLASSES,
    FUNCTIONS,
    Definition,
    definitions,
    enclosing_function,
    outline,
)
from coai_agents.syntax.grammars import Grammar, grammar_for
from coai_agents.syntax.identifiers import identifiers_near
from coai_agents.syntax.imports import Import, imports
from coai_agents.syntax.language import GRAMMARS, Kind, LanguageFileError
from coai_agents.syntax.places import enclosing_block, in_comment, in_string
from coai_agents.syntax.store import SyntaxStore
from coai_agents.syntax.tree import BUDGET, MAX_BYTES, SyntaxTree, parse

__all__ = [
    "BUDGET",
    "CLASSES",
    "FUNCTIONS",
    "GRAMMARS",
    "MAX_BYTES",
    "Definition",
    "ExtentVerdict",
    "Grammar",
    "Import",
    "Kind",
    "LanguageFileError",
    "OpenBracket",
    "SyntaxStore",
    "SyntaxTree",
    "completion_extent",
    "definitions",
    "enclosing_block",
    "enclosing_function",
    "grammar_for",
    "identifiers_near",
    "imports",
    "in_comment",
    "in_string",
    "missing_closers",
    "open_brackets",
    "outline",
    "parse",
]
