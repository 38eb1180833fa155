"""Documentation that no longer fits its code, found without a model, and what would mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.documentation.checking import Misfit, Problem, stale
from coai_agents.specialists.documentation.comment import Described
from coai_agents.specialists.documentation.placing import placed
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import function_node, signature_of
from coai_agents.specialists.documentation.walking import own_nodes
from coai_agents.syntax.definitions import FUNCTIONS, outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Edit
    from coai_agents.specialists.documentation.comment import DocComment
    from coai_agents.specialists.documentation.convention import Convention
    from coai_agents.specialists.documentation.signature import Signature
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree


HABIT: Final = 0.8
"""The share of a file's functions that must document everything before one that does not counts."""


_ENTRY: Final = re.compile(
    r"(?:[@:\\](?:param(?:eter)?|arg(?:ument)?|keyword|type|raises?|except(?:ion)?|throws?)\b.*"
    r"|<(?:param|exception)\s[^<>]*"
    r"|^[\s*/#!>-]*[`*]*)$",
    re.MULTILINE,
)
"""What stands before a name in its line where the line is the entry of that name."""


@dataclass(frozen=True, slots=True)
class Stale:
    """One place where documentation and code have parted."""

    definition: Definition
    where: Span
    """The name in the documentation, or all of the documentation where a name is missing."""
    problem: Problem


def stale_documentation(tree: SyntaxTree) -> Iterator[Stale]:
    """Yield what no longer fits, function by function.

    Many a file documents only what does not go without saying. Where that is its habit, what is
    left out is no fault; it is one where the rest of the file documents everything.
    """
    functions = list(_documented(tree))
    for function in functions:
        signature, comment = function.signature, function.comment
        if signature is None or not (comment.parameters or comment.raises):
            continue
        others = [each for each in functions if each is not function]
        calls, words = _spoken_of(tree, function.definition) if comment.raises else ((), ())
        for problem in stale(signature, comment, calls=calls, words=words):
            if not _is_habit(problem, others):
                where = _place(tree, function.documentation, problem)
                yield Stale(function.definition, where, problem)


@dataclass(frozen=True)
class _Function:
    tree: SyntaxTree
    definition: Definition
    documentation: Span
    comment: DocComment

    @cached_property
    def signature(self) -> Signature | None:
        # Most say nothing of parameters and exceptions: they are not read any further.
        return signature_of(self.tree, self.definition)

    @property
    def names_all_parameters(self) -> bool | None:
        documented = {each.name for each in self.comment.parameters}
        if not documented or self.signature is None:
            return None
        wanted = {each.name for each in self.signature.parameters if not each.rest}
        return wanted <= documented if documented & wanted and len(wanted) > 1 else None

    @property
    def names_all_exceptions(self) -> bool | None:
        if self.signature is None:
            return None
        documented = {each.name.rpartition(".")[2] for each in self.comment.raises}
        return set(self.signature.raises) <= documented if self.signature.raises else None


def _documented(tree: SyntaxTree) -> Iterator[_Function]:
    for definition in outline(tree):
        if definition.kind not in FUNCTIONS or definition.documentation is None:
            continue
        if not _is_declared_only(tree, definition):
            text = tree.source.slice(definition.documentation)
            yield _Function(tree, definition, definition.documentation, read(text))


def _is_declared_only(tree: SyntaxTree, definition: Definition) -> bool:
    """Say whether a function has no code of its own: what it raises is somebody else's."""
    if definition.body is None or definition.documentation is None:
        return definition.body is None
    code = tree.source.slice(definition.body)
    if definition.body.covers(definition.documentation):
        code = code.replace(tree.source.slice(definition.documentation), "")
    return code.strip() in {"", "...", "pass", "{}", "{ }"}


def _is_habit(problem: Problem, others: list[_Function]) -> bool:
    if problem.kind is Misfit.MISSING_PARAMETER:
        kept = [each.names_all_parameters for each in others]
    elif problem.kind is Misfit.INVENTED_EXCEPTION and problem.instead:
        kept = [each.names_all_exceptions for each in others]
    else:
        return False
    known = [each for each in kept if each is not None]
    return sum(known) < HABIT * len(known)


def mended(tree: SyntaxTree, found: Stale, convention: Convention) -> Edit | None:
    """Return the edit that makes documentation fit again; every word of it that fits is kept."""
    documentation = found.definition.documentation
    signature = signature_of(tree, found.definition)
    if documentation is None or signature is None:
        return None
    comment = _without(read(tree.source.slice(documentation)), found.problem, signature.names)
    return placed(tree, found.definition, comment, convention)


def _without(comment: DocComment, problem: Problem, names: tuple[str, ...]) -> DocComment:
    """Return documentation in which one problem is solved."""
    if problem.kind is Misfit.INVENTED_EXCEPTION:
        raises = (
            replace(each, name=problem.instead) if each.name.endswith(problem.name) else each
            for each in comment.raises
            if problem.instead or not each.name.endswith(problem.name)
        )
        return replace(comment, raises=tuple(raises))
    parameters = [
        replace(each, name=problem.instead) if each.name == problem.name else each
        for each in comment.parameters
        if problem.instead or each.name != problem.name or problem.kind is Misfit.MISSING_PARAMETER
    ]
    if problem.kind is Misfit.MISSING_PARAMETER:
        parameters.append(Described(problem.name, f"The {problem.name.replace('_', ' ')}."))
    order = {name: number for number, name in enumerate(names)}
    parameters.sort(key=lambda each: order.get(each.name, len(order)))
    return replace(comment, parameters=tuple(parameters))


def _spoken_of(tree: SyntaxTree, definition: Definition) -> tuple[set[str], set[str]]:
    """Return the names that a function's body calls, and all the words in it."""
    function = function_node(tree, definition)
    calls: set[str] = set()
    words: set[str] = set()
    for node in () if function is None else own_nodes(tree, function):
        if node.type in tree.grammar.spec.nodes.identifiers or node.type.endswith("identifier"):
            words.add(tree.text(node))
        callee = None
        if "call" in node.type or node.type in {"method_invocation", "new_expression"}:
            callee = next(
                (
                    inner
                    for field in ("function", "method", "name", "constructor")
                    if (inner := node.child_by_field_name(field)) is not None
                ),
                None,
            )
        if callee is not None:
            calls.add(tree.text(callee).replace("::", ".").rpartition(".")[2])
    return calls, words


def _place(tree: SyntaxTree, documentation: Span, problem: Problem) -> Span:
    if problem.kind in (Misfit.MISSING_PARAMETER, Misfit.MISSING_EXCEPTION):
        return documentation
    named = list(places_of_name(tree.source.slice(documentation), problem.name))
    if not named:
        return documentation
    first, last = named[0]
    return Span(documentation.start + first, documentation.start + last)


def places_of_name(text: str, name: str) -> list[tuple[int, int]]:
    """Return where a comment names a parameter or an exception; else where it has the word."""
    found = [match.span() for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    entries = [
        (first, last)
        for first, last in found
        if _ENTRY.search(text, text.rfind("\n", 0, first) + 1, first)
    ]
    return entries or found[:1]
