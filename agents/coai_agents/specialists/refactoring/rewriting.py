"""Refactorings that a model makes: it writes the function anew, and checks decide.

What is asked for and what it must then hold differ by kind; all of them have to parse, to stay in
the function, to keep its parameters, to read no name that is not there and to bring no finding.
None of these checks can say that the function still does the same: that is for its tests, and the
user is told so.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.equivalence.behaviour import same_results
from coai_agents.source import Edit, Span
from coai_agents.specialists.asking import Prompt
from coai_agents.specialists.edits import tokens_within
from coai_agents.specialists.fixing.checking import sound
from coai_agents.specialists.fixing.rewriting import (
    CHARACTERS_A_TOKEN,
    CLOSING,
    FUNCTION_CHARACTERS,
    SPARE_TOKENS,
    taken,
)
from coai_agents.specialists.refactoring.names import Names
from coai_agents.specialists.refactoring.shapes import shapes_of
from coai_agents.specialists.refactoring.signatures import typed_signature
from coai_agents.specialists.refactoring.site import RefusalError, Site, walk
from coai_agents.specialists.refactoring.transforms.renaming import renamed, variable_at
from coai_agents.specialists.refactoring.verifying import verified
from coai_agents.specialists.untrusted import one_line
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.edits import Change
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

VERSION: Final = "1"
"""Raise it when a prompt or a check changes."""

MOST_SAMPLES: Final = 4
MOST_SAMPLES_HERE: Final = 2
"""Samples for what is simple: the second one rarely passes where the first did not."""

_ANSWER: Final = (
    " Keep its name and its parameters. Answer with the whole function in one fenced code block, "
    "and nothing else."
)
_LONG: Final = 40
"""Lines from which on a function asks for a better model."""
_STUB: Final = re.compile(
    r"\b(?:NotImplemented(?:Error|Exception)?|UnsupportedOperationException|unimplemented|todo!)\b|"
    r"not implemented|\bTODO\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ModelKind:
    """A refactoring that a model makes."""

    name: str
    title: str
    task: str
    complexity: float
    """How good a model has to be for a short function, from 0 to 1."""
    lsp: str = "refactor.rewrite"
    families: tuple[str, ...] = ()
    """The languages that it is for; all where none is named."""


MODEL_KINDS: Final = {
    each.name: each
    for each in (
        ModelKind(
            "simplify",
            "Simplify this function",
            "You simplify code. Write the function below in a shorter and clearer way that does "
            "exactly the same." + _ANSWER,
            0.5,
        ),
        ModelKind(
            "types",
            "Add types to this function",
            "You add types. Write the function below with type annotations for its parameters and "
            "its result. Change nothing else." + _ANSWER,
            0.4,
            families=("python", "typescript"),
        ),
        ModelKind(
            "comprehension",
            "Convert the loops of this function",
            "You rewrite loops. Write the function below with comprehensions, map or filter in "
            "place of its loops, so that it does exactly the same." + _ANSWER,
            0.5,
        ),
        ModelKind(
            "async",
            "Convert callbacks to async and await",
            "You modernise code. Write the function below as an async function with await in place "
            "of then and of callbacks, so that it does exactly the same." + _ANSWER,
            0.6,
            families=("javascript",),
        ),
        ModelKind(
            "implement",
            "Implement this function",
            "You write code. Implement the function below as its name, its parameters, its types "
            "and its comments say." + _ANSWER,
            0.6,
        ),
        ModelKind(
            "rename",
            "Rename this variable by its meaning",
            "You name variables. Answer with one better name for the variable that is asked about, "
            "in the style of the code, and nothing else.",
            0.3,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change that a model proposed and that passed the checks."""

    title: str
    change: Change
    model: str


async def proposed(kind: ModelKind, site: Site, path: str, asker: Asker) -> Proposed:
    """Return the first answer that passes; raises `RefusalError`, or `NobodyError`."""
    if kind.families and not {site.family, site.source.language} & set(kind.families):
        raise RefusalError("There is no such thing in this language.")
    if site.tree.has_error:
        raise RefusalError("The file does not parse as it is.")
    if kind.name == "rename":
        return await _named(kind, site, path, asker)
    function = site.definition()
    if function is None or function.body is None:
        raise RefusalError("There is no function here.")
    if len(function.span) > FUNCTION_CHARACTERS:
        raise RefusalError("The function is too long to be written anew.")
    if kind.name == "implement" and not is_stub(site.tree, function):
        raise RefusalError("The function is implemented already.")
    prompt = _prompt(kind, site.source, function, path)
    most = MOST_SAMPLES if prompt.complexity > 0.5 else MOST_SAMPLES_HERE  # noqa: PLR2004 - half way
    before = await asyncio.to_thread(analyse, site.source)
    seen: set[str] = set()
    async for said in asker.samples(prompt, most):
        if said.text in seen:
            continue
        seen.add(said.text)
        edits = _edits(kind, site.tree, function, said.text)
        if not edits:
            continue
        changed = await asyncio.to_thread(sound, site.source, edits, before)
        if changed is not None and await asyncio.to_thread(_holds, kind, site, function, changed):
            return Proposed(kind.title, changed, said.model)
    raise RefusalError("No answer of the model passed the checks.")


def is_stub(tree: SyntaxTree, function: Definition) -> bool:
    """Say whether a function has a body that does nothing yet."""
    assert function.body is not None
    body = tree.source.slice(function.body)
    tokens = [text for _, text in tokens_within(tree, function.body) if text not in "{}();:"]
    words = [each for each in tokens if each.strip()]
    empty = ("pass", "...", "return", "null", "None", "nil", "end", "0", "false", "False", "")
    if all(each in empty for each in words):
        return True
    return bool(_STUB.search(body)) and len(words) <= 12  # noqa: PLR2004 - `throw new Error("...")` and what is around it


def _prompt(kind: ModelKind, source: Source, function: Definition, path: str) -> Prompt:
    code = source.slice(function.full_span)
    lines = code.count("\n") + 1
    comments = f"```{source.language}\n{code}\n```"
    room = 2 if kind.name == "implement" else 1
    return Prompt(
        Capability.CODE_ANALYSIS,
        kind.task,
        comments,
        max_tokens=round(len(code) / CHARACTERS_A_TOKEN) * room + SPARE_TOKENS,
        stop=(CLOSING,),
        complexity=min(1.0, kind.complexity + (0.2 if lines > _LONG else 0.0)),
        paths=(path,) if path else (),
    )


def _edits(kind: ModelKind, tree: SyntaxTree, function: Definition, answer: str) -> Sequence[Edit]:
    if kind.name == "types":
        edit = typed_signature(tree, function, answer)
        return () if edit is None else (edit,)
    edit = taken(tree, function, answer)
    if edit is None:
        return ()
    if kind.name == "async":
        head = tree.source.slice(function.signature)
        if not re.match(r"(?:export\s+|static\s+)*async\b", head):
            at = re.match(r"(?:export\s+(?:default\s+)?|static\s+|public\s+|private\s+)*", head)
            start = function.span.start + (at.end() if at else 0)
            return (Edit(Span(start, start), "async "), edit)
    return (edit,)


def _holds(kind: ModelKind, site: Site, before: Definition, changed: Change) -> bool:
    """Say whether a change is what its kind promises."""
    tree = parse(changed.after)
    if tree is None:
        return False
    after = next(
        (
            e
            for e in outline(tree)
            if e.kind in FUNCTIONS and e.qualified_name == before.qualified_name
        ),
        None,
    )
    if after is None or after.body is None or before.body is None or not _known(site, tree):
        return False
    check = _CHECKS.get(kind.name)
    if check is not None and not check(site.tree, before, tree, after):
        return False
    # What cannot be proven may be disproven by what it gives.
    return kind.name == "implement" or same_results(site.source, changed.after)


def _known(site: Site, tree: SyntaxTree) -> bool:
    """Say whether the new text reads no name that the file does not know and nobody would."""
    if site.family == "python":
        # `sound` has looked, with what Python itself defines.
        return True
    old = {each.name for each in site.names.uses}
    new = {each.name for each in Names(tree).uses if each.binding is None}
    return new <= old | _COMMON.get(site.family, frozenset())


_COMMON: Final = {
    "javascript": frozenset(
        [
            "Array",
            "Object",
            "Map",
            "Set",
            "WeakMap",
            "Promise",
            "Math",
            "JSON",
            "Number",
            "String",
            "Boolean",
            "Date",
            "RegExp",
            "Error",
            "TypeError",
            "RangeError",
            "Symbol",
            "console",
            "undefined",
            "parseInt",
            "parseFloat",
            "isNaN",
            "setTimeout",
        ]
    ),
    "java": frozenset(
        ["Math", "String", "Integer", "System", "List", "Map", "Arrays", "Collections", "Objects"]
    ),
    "go": frozenset(
        [
            "append",
            "len",
            "cap",
            "make",
            "new",
            "panic",
            "copy",
            "delete",
            "min",
            "max",
            "error",
            "true",
            "false",
            "nil",
        ]
    ),
    "ruby": frozenset(["puts", "raise", "lambda", "proc", "loop", "format"]),
    "csharp": frozenset(["Math", "String", "Console", "Enumerable", "Array"]),
}


def _shorter(old: SyntaxTree, before: Definition, new: SyntaxTree, after: Definition) -> bool:
    return len(tokens_within(new, after.span)) < len(tokens_within(old, before.span))


def _fewer_loops(old: SyntaxTree, before: Definition, new: SyntaxTree, after: Definition) -> bool:
    return _count(new, after, "loops") < _count(old, before, "loops")


def _implemented(old: SyntaxTree, before: Definition, new: SyntaxTree, after: Definition) -> bool:
    del old, before
    return not is_stub(new, after)


def _awaits(old: SyntaxTree, before: Definition, new: SyntaxTree, after: Definition) -> bool:
    text = new.source.slice(after.span)
    then = r"\.then\s*\("
    return "await " in text and len(re.findall(then, text)) <= len(
        re.findall(then, old.source.slice(before.span))
    )


_CHECKS: Final[dict[str, Callable[[SyntaxTree, Definition, SyntaxTree, Definition], bool]]] = {
    "simplify": _shorter,
    "comprehension": _fewer_loops,
    "implement": _implemented,
    "async": _awaits,
}


def _count(tree: SyntaxTree, function: Definition, what: str) -> int:
    shapes = shapes_of(tree.source.language)
    kinds: frozenset[str] = frozenset() if shapes is None else getattr(shapes, what)
    start = tree.source.byte_offset(function.span.start)
    end = tree.source.byte_offset(function.span.end)
    return sum(
        each.type in kinds and start <= each.start_byte and each.end_byte <= end
        for each in walk(tree.root)
    )


async def _named(kind: ModelKind, site: Site, path: str, asker: Asker) -> Proposed:
    """Ask for a name, and rename by scope: a model names, the program writes."""
    binding, function = variable_at(site), site.definition()
    if function is None:
        raise RefusalError("There is no function here.")
    # What cannot be renamed is not asked about.
    renamed(site, binding, f"{binding.name.removeprefix('$')}_")
    code = site.source.slice(function.span)[:FUNCTION_CHARACTERS]
    about = f"```{site.source.language}\n{code}\n```\n\nThe variable: {binding.name}"
    prompt = Prompt(
        Capability.CODE_ANALYSIS,
        kind.task,
        about,
        max_tokens=16,
        stop=("\n",),
        complexity=kind.complexity,
        paths=(path,) if path else (),
    )
    async for said in asker.samples(prompt, MOST_SAMPLES):
        words = re.findall(r"[^\W\d]\w*", one_line(said.text, 60))
        if len(words) != 1 or words[0] in site.names.words:
            continue
        try:
            offer = renamed(site, binding, words[0])
        except RefusalError:
            continue
        change, _ = verified(site, offer)
        if change is not None:
            return Proposed(offer.title, change, said.model)
    raise RefusalError("No name of the model's was a new one that fits.")
