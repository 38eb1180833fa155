"""What the syntax tree adds to a completion: comments are recognised, blocks end where they end."""

from __future__ import annotations

import builtins
import keyword
from typing import TYPE_CHECKING, Final

from coai_agents.completion.stop.fitting import LONGEST_LINE, Ground, Soundness
from coai_agents.completion.stop.nesting import PLAIN, read
from coai_agents.source import Edit, Source, Span
from coai_agents.syntax.block_extent import completion_extent
from coai_agents.syntax.grammars import grammar_for
from coai_agents.syntax.places import error_within, in_comment, in_string
from coai_agents.syntax.python_flaws import syntax_flaw
from coai_agents.syntax.store import SyntaxStore
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.in_flight import WholeBlock
    from coai_agents.completion.stop.fitting import Judge
    from coai_agents.syntax.tree import SyntaxTree

PROSE: Final = frozenset(
    {
        *("asciidoc", "bibtex", "git-commit", "latex", "markdown", "mdx", "org", "plaintext"),
        *("quarto", "restructuredtext", "rmd", "tex", "text", "typst"),
    }
)
"""Languages, by LSP's identifiers, whose documents are text that people read."""

BACKTICKS: Final = frozenset(
    {
        *("go", "javascript", "javascriptreact", "typescript", "typescriptreact", "vue", "svelte"),
        *("shellscript", "php", "ruby", "perl", "sql", "mysql", "r", "haskell", "elixir", "scala"),
        *("html", "astro", "julia", "lisp", "clojure", "kotlin", "swift", "fsharp", "powershell"),
    }
)
"""Languages in which a backtick means something, outside of comments and strings."""

MARKUP: Final = frozenset(
    {
        *("astro", "blade", "erb", "handlebars", "html", "jinja-html", "svelte", "svg", "twig"),
        *("vue", "xhtml", "xml", "xsl"),
    }
)
"""Languages in which `<` and `>` are brackets."""

_BUILTINS: Final = frozenset(dir(builtins)) | frozenset(keyword.kwlist)
"""Names of Python."""

_COMPILED: Final = 30_000
"""Characters up to which a file of Python is compiled, which takes 3 ms then."""

_REUSED: Final = 60_000
"""Characters from which on a tree with errors is made from the one before, too, which is quicker
but sees them in other places than a fresh parse does."""


class SyntaxTrees:
    """Answers completion's questions from the trees of the open documents."""

    def __init__(self, store: SyntaxStore | None = None) -> None:
        self.store = store or SyntaxStore()

    def in_comment(self, source: Source, offset: int) -> bool:
        """Say whether what is typed at an offset becomes part of a comment."""
        tree = self.store.tree(source)
        return tree is not None and in_comment(tree, offset)

    def whole_block(self, source: Source, cursor: Cursor) -> WholeBlock | None:
        """Return what finds the end of the statement that a suggestion begins.

        None where there is no tree, or where the suggestion is for a later state of the document
        than the snapshot shows.
        """
        if "\r" in source.text or not source.text.startswith(cursor.prefix):
            return None
        tree = self.store.tree(source)
        if tree is None:
            return None

        def end(text: str) -> int | None:
            verdict = completion_extent(tree, len(cursor.prefix), text)
            return None if verdict is None else verdict.statement

        return end

    def ground(self, source: Source, cursor: Cursor) -> Ground:
        """Return what is known of the place that a suggestion is for."""
        tree = self._tree(source, cursor)
        grammar = grammar_for(source.language)
        lexical = PLAIN if grammar is None else grammar.spec.lexical
        offset = len(cursor.prefix)
        line = read(cursor.around.line_prefix[-LONGEST_LINE:], lexical)
        if tree is None:
            in_text = line.in_string
        else:
            in_text = in_comment(tree, offset) or in_string(tree, offset)
        ends_with_line = line.in_string and line.open[-1].quote in lexical.quotes
        judge = None if tree is None else _judge(tree, offset)
        return Ground(
            lexical=lexical,
            judge=judge,
            stands=None if judge is None else _stands(cursor, source.language, judge),
            in_text=in_text,
            in_lines_of_text=in_text and not ends_with_line,
            mid_line=_mid_line(cursor),
            prose=source.language in PROSE,
            backticks=source.language in BACKTICKS,
            markup=source.language in MARKUP,
            builtins=_BUILTINS if source.language == "python" else frozenset(),
        )

    def _tree(self, source: Source, cursor: Cursor) -> SyntaxTree | None:
        """Return the tree of the cursor's text, which has other line ends than the snapshot."""
        size = len(cursor.prefix) + len(cursor.suffix)
        if len(source.text) == size and "\r" not in source.text:
            return self.store.tree(source)
        return parse(Source(source.uri, cursor.prefix + cursor.suffix, source.language))

    def forget(self, uri: str) -> None:
        """Drop a closed document's tree."""
        self.store.forget(uri)


def _mid_line(cursor: Cursor) -> bool:
    around = cursor.around
    return any(map(str.isalnum, around.line_prefix[-LONGEST_LINE:])) or not around.at_line_end


def _judge(tree: SyntaxTree, offset: int) -> Judge:
    """Return what says how the document parses with a text at an offset."""
    source = tree.source
    line = source.line_start(source.line_at(offset))
    after = source.line_end(source.line_at(offset)) - offset

    def judge(text: str) -> Soundness | None:
        with_text = source.apply(Edit(Span(offset, offset), text))
        # Most of what fits parses, which a parse of what changed tells in a tenth of the time.
        parsed = parse(with_text, tree)
        if len(source.text) <= _REUSED and (parsed is None or parsed.has_error):
            # On a busy machine a fresh parse may not end in time.
            parsed = parse(with_text) or parsed
        if parsed is None:
            return None
        first = with_text.byte_offset(line)
        last = with_text.byte_offset(offset + len(text) + after)
        return Soundness(_errors(parsed.root), clean=not error_within(parsed.root, first, last))

    return judge


def _stands(cursor: Cursor, language: str, judge: Judge) -> Callable[[str], bool]:
    """Return what says whether the document is without a fault with a text at the cursor."""

    def stands(text: str) -> bool:
        if language == "python" and len(cursor.prefix) + len(cursor.suffix) <= _COMPILED:
            return syntax_flaw(cursor.prefix + text + cursor.suffix) is None
        sound = judge(text)
        return sound is None or not sound.errors

    return stands


def _errors(node: Node) -> int:
    """Return how many errors there are, and places at which something is missing."""
    if not node.has_error:
        return 0
    own = 1 if node.is_error or node.is_missing else 0
    return own + sum(_errors(child) for child in node.children)
