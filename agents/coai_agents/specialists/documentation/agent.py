"""The documentation agent: what is documented, asked for, checked, and proposed as an edit.

A model is asked for one line for each slot of the skeleton and for nothing else. Code is never
part of what it writes: the edit is a comment that this module puts where it belongs, and is given
up if a token outside of comments would change.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, Field, create_model

from coai_agents.source import Span
from coai_agents.specialists.answers import Origin
from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.documentation.checking import Problem, whole
from coai_agents.specialists.documentation.comment import DocComment
from coai_agents.specialists.documentation.convention import Convention, convention_of
from coai_agents.specialists.documentation.placing import placed
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import Signature, signature_of
from coai_agents.specialists.documentation.skeleton import skeleton
from coai_agents.specialists.documentation.writing import written
from coai_agents.specialists.edits import change, code_tokens, tokens_within
from coai_agents.specialists.targets import PARSE_SECONDS
from coai_agents.specialists.untrusted import one_line
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.source import Edit
    from coai_agents.specialists.asking import Asker
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

SLOT_CHARACTERS: Final = 140
"""More than this is no line any more."""

SLOT_TOKENS: Final = 36
"""What a line of that length takes, with the JSON around it."""

CODE_CHARACTERS: Final = 6_000
"""Of a function's code; what it does is said at its beginning, or nowhere."""

_TASK: Final = (
    "You write documentation. For the function below, give one short plain sentence for each key. "
    "`summary` says what the function does, in the imperative. Every other key is a parameter, "
    "the returned value or an exception: say what it means, not its type. No code, no Markdown."
)

_NO_PROSE: Final = re.compile(
    r"[`{}<>]{2,}|\"\"\"|\*/|://|www\.|!\[|\]\s*[(\[:]|^\W*$|"
    r"^..?$|^(?:string|todo|tbd|n/?a)\.?$",
    re.IGNORECASE,
)
"""An answer that says nothing, would end the comment that it stands in, or has a picture or a link:
comments are shown as Markdown by whoever shows them."""


@dataclass(frozen=True, slots=True)
class Documented:
    """Documentation proposed for one function."""

    name: str
    edit: Edit
    comment: DocComment
    convention: Convention
    origin: Origin
    """`CHECKED` where a model wrote a part of it, `FACT` where it is the skeleton alone."""
    by: str = ""


@dataclass(frozen=True, slots=True)
class _Work:
    """One function that is to be documented."""

    tree: SyntaxTree
    definition: Definition
    signature: Signature
    convention: Convention
    existing: DocComment
    """What is documented already; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Undocumented:
    """A function that is left as it is, and why."""

    name: str
    why: str


def file_convention(tree: SyntaxTree) -> Convention | None:
    """Return the convention of a file's documentation; None where the language has none here."""
    known = (each.documentation for each in outline(tree))
    texts = (tree.source.slice(span) for span in known if span is not None)
    return convention_of(tree.source.language, texts)


def undocumented(tree: SyntaxTree) -> list[Definition]:
    """Return the public functions of a file that have no documentation."""
    return [
        each
        for each in outline(tree)
        if each.kind in FUNCTIONS and each.documentation is None and is_public(tree, each)
    ]


async def document(
    tree: SyntaxTree, definition: Definition, convention: Convention, asker: Asker
) -> Documented | Undocumented:
    """Propose documentation for a function; what is documented already keeps its words."""
    return (await document_all(tree, [definition], convention, asker))[0]


async def document_all(
    tree: SyntaxTree, definitions: Sequence[Definition], convention: Convention, asker: Asker
) -> list[Documented | Undocumented]:
    """Propose documentation for functions of one file, in their order.

    That no code changes is looked at for all of them together: for each by itself, a file of
    thousands would be parsed thousands of times.
    """
    proposed: list[Documented | Undocumented] = []
    for each in definitions:
        # Who serves several at once goes on meanwhile, also where no model is asked.
        await asyncio.sleep(0)
        proposed.append(await _proposed(tree, each, convention, asker))
    documented = [each for each in proposed if isinstance(each, Documented)]
    changing = await asyncio.to_thread(_changing_code, tree, documented)
    return [
        Undocumented(each.name, "Its code would have changed.")
        if isinstance(each, Documented) and id(each) in changing
        else each
        for each in proposed
    ]


async def _proposed(
    tree: SyntaxTree, definition: Definition, convention: Convention, asker: Asker
) -> Documented | Undocumented:
    signature = signature_of(tree, definition)
    name = definition.qualified_name
    if signature is None:
        return Undocumented(name, "Its parameters could not be found.")
    existing = DocComment()
    if definition.documentation is not None:
        existing = read(tree.source.slice(definition.documentation))
    work = _Work(tree, definition, signature, convention, existing)
    comment = skeleton(signature, convention, existing)
    model, why = "", asker.absent or ""
    if asker.absent is None:
        try:
            comment, model = await _filled(work, comment, asker)
        except NobodyError as error:
            why = str(error)
    origin = Origin.CHECKED if model else Origin.FACT
    return _placed(work, comment, origin, model or why)


def _placed(work: _Work, comment: DocComment, origin: Origin, by: str) -> Documented | Undocumented:
    """Place documentation, and look whether it is true of the signature."""
    name = work.definition.qualified_name
    edit = placed(work.tree, work.definition, comment, work.convention)
    if edit is None:
        return Undocumented(name, "There is no place for documentation.")
    problems = problems_of(comment, work.convention, work.signature)
    if problems:
        return Undocumented(name, " ".join(each.sentence() for each in problems))
    return Documented(name, edit, comment, work.convention, origin, by)


def _changing_code(tree: SyntaxTree, proposed: Sequence[Documented]) -> set[int]:
    """Return the identities of those whose edits would change a token outside of comments.

    Where all of them together change none, none does; else each half is looked at. Where that
    cannot be told in time, all of them may.
    """
    if not proposed:
        return set()
    before = tokens_within(tree, Span(0, len(tree.source.text)))
    changing: set[int] = set()
    waiting = [list(proposed)]
    while waiting:
        some = waiting.pop()
        after = change(tree.source, [each.edit for each in some]).after
        tokens = code_tokens(after, budget=PARSE_SECONDS)
        if tokens == before:
            continue
        if tokens is None or len(some) == 1:
            changing.update(map(id, some))
        else:
            half = len(some) // 2
            waiting += [some[:half], some[half:]]
    return changing


def problems_of(comment: DocComment, convention: Convention, signature: Signature) -> list[Problem]:
    """Return what is wrong with documentation as it reads once it is written down."""
    again = read(written(comment, convention, indent="", name=signature.name))
    if convention in (Convention.GODOC, Convention.RUSTDOC):
        again = replace(again, raises=comment.raises)
    return whole(signature, again)


# ---------------------------------------------------------------------- slots


async def _filled(work: _Work, comment: DocComment, asker: Asker) -> tuple[DocComment, str]:
    """Fill the slots that nobody has filled yet; return the model too, or nothing if none was."""
    slots = list(_open_slots(work, comment))
    if not slots:
        return comment, ""
    code = work.tree.source.slice(work.definition.span)[:CODE_CHARACTERS]
    prompt = Prompt(
        Capability.DOCUMENTATION,
        _TASK,
        f"{code}\n\nKeys: {', '.join(slots)}",
        max_tokens=SLOT_TOKENS * (len(slots) + 1),
    )
    value, said = await asker.fill(prompt, _form(slots))
    texts = {key: _sentence(text) for key, text in value.model_dump(by_alias=True).items()}
    filled = _fitting(work, comment, {key: text for key, text in texts.items() if text})
    return _with(comment, filled), said.model if filled else ""


def _fitting(work: _Work, comment: DocComment, filled: dict[str, str]) -> dict[str, str]:
    """Return those of a model's words that say what they are for and nothing else.

    A summary in which `@param x` stands would be read as a parameter that is not there.
    """
    if not problems_of(_with(comment, filled), work.convention, work.signature):
        return filled
    return {
        key: text
        for key, text in filled.items()
        if not problems_of(_with(comment, {key: text}), work.convention, work.signature)
    }


def _open_slots(work: _Work, comment: DocComment) -> Iterable[str]:
    existing = work.existing
    said = {each.name for each in existing.parameters if each.text}
    raised = {each.name for each in existing.raises if each.text}
    if not existing.summary:
        yield "summary"
    yield from (each.name for each in comment.parameters if each.name not in said)
    if comment.returns is not None and existing.returns is None:
        yield "returns"
    if comment.yields is not None and existing.yields is None:
        yield "yields"
    yield from (f"raises {name}" for name in work.signature.raises if name not in raised)


def _form(slots: list[str]) -> type[BaseModel]:
    """Return a flat form with one string for each slot."""
    fields: dict[str, Any] = {
        f"slot_{number}": (Annotated[str, Field(alias=slot)], ...)
        for number, slot in enumerate(dict.fromkeys(slots))
    }
    return create_model("Lines", **fields)


def _sentence(text: str) -> str:
    """Return a model's words as a sentence, or nothing where they are no prose."""
    line = one_line(text, SLOT_CHARACTERS).strip("\"' ")
    if _NO_PROSE.search(line):
        return ""
    line = line.replace('"""', "").replace("*/", "").replace("\\", "/")
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _with(comment: DocComment, filled: dict[str, str]) -> DocComment:
    returns, yields = comment.returns, comment.yields
    if returns is not None and "returns" in filled:
        returns = replace(returns, text=filled["returns"])
    if yields is not None and "yields" in filled:
        yields = replace(yields, text=filled["yields"])
    return replace(
        comment,
        summary=filled.get("summary", comment.summary),
        parameters=tuple(
            replace(each, text=filled.get(each.name, each.text)) for each in comment.parameters
        ),
        returns=returns,
        yields=yields,
        raises=tuple(
            replace(each, text=filled.get(f"raises {each.name}", each.text))
            for each in comment.raises
        ),
    )


def is_public(tree: SyntaxTree, definition: Definition) -> bool:
    """Say whether a function is one that others call, as far as its language's words tell."""
    language, name = tree.source.language, definition.name
    if language == "go":
        return name[:1].isupper()
    if name.startswith(("_", "#")):
        return False
    head = tree.source.slice(definition.signature)
    if language == "rust":
        return bool(re.search(r"\bpub\b", head))
    if language in ("csharp", "java"):
        return bool(re.search(r"\b(public|protected)\b", head))
    return not re.search(r"^\s*(?:private|protected)\b", head)
