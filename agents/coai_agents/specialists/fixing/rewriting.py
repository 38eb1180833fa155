"""Whole functions written anew by a model; all but the body stays as the file has it.

A small model mistranscribes what it quotes, so it is asked for the function as a whole, and of its
answer only the body is taken. Name, parameters, annotations and documentation are the old ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Source, Span
from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.specialists.fixing.candidates import Candidate
from coai_agents.specialists.untrusted import from_model
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.specialists.asking import Asker
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

VERSION: Final = "1"
"""Raise it when the prompt or the check changes."""

TASK: Final = (
    "You repair code. The function below has a bug. Write the whole corrected function with the "
    "same name and the same parameters, without its documentation, in one fenced code block, and "
    "nothing else."
)

FUNCTION_CHARACTERS: Final = 8_000
"""Longer functions are not rewritten: small models lose parts of them."""
WRONG_CHARACTERS: Final = 1_500
CHARACTERS_A_TOKEN: Final = 2.5
SPARE_TOKENS: Final = 96
CLOSING: Final = "\n```\n"
"""Ends the code block, which has its language behind its first fence; prose that follows is cut."""

_FENCED: Final = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)


def prompt_for(
    tree: SyntaxTree, function: Definition, wrong: str, path: str, task: str = TASK
) -> Prompt:
    """Return what a model is asked: the function, and what is wrong where that is known."""
    code = _dedented(tree.source, function.span)
    about = f"```{tree.source.language}\n{code}\n```"
    if wrong:
        about += f"\n\nWhat is wrong:\n{wrong[-WRONG_CHARACTERS:]}"
    return Prompt(
        Capability.CODE_ANALYSIS,
        task,
        about,
        max_tokens=round(len(code) / CHARACTERS_A_TOKEN) + SPARE_TOKENS,
        stop=(CLOSING,),
        complexity=0.6,
        paths=(path,) if path else (),
    )


async def rewritten(
    tree: SyntaxTree,
    function: Definition,
    wrong: str,
    asker: Asker,
    *,
    most: int,
    path: str = "",
    task: str = TASK,
) -> AsyncGenerator[Candidate]:
    """Yield a model's versions of a function, each another one; raises `NobodyError`."""
    if function.body is None or len(function.span) > FUNCTION_CHARACTERS:
        raise NobodyError(f"{function.qualified_name} is too long to be rewritten.")
    seen: set[str] = set()
    async for said in asker.samples(prompt_for(tree, function, wrong, path, task), most):
        edit = taken(tree, function, said.text)
        if edit is not None and edit.text not in seen:
            seen.add(edit.text)
            title = f"Rewrite {function.qualified_name}"
            yield Candidate(title, (edit,), said.model, from_model=True)


def taken(tree: SyntaxTree, function: Definition, answer: str) -> Edit | None:
    """Return the edit of a function's body that an answer amounts to; None where it is none."""
    text = from_model(answer)
    blocks = _FENCED.findall(text) or [text]
    old = signature_of(tree, function)
    for block in blocks:
        source = Source("untitled:answer", block, tree.source.language)
        new_tree = parse(source)
        for new in () if new_tree is None else outline(new_tree):
            if new.kind not in FUNCTIONS or new.name != function.name or new_tree is None:
                continue
            signature = signature_of(new_tree, new)
            if old is None or signature is None or old.names != signature.names:
                return None
            return _body_edit(tree, function, new_tree, new)
    return None


def _body_edit(
    tree: SyntaxTree, old: Definition, new_tree: SyntaxTree, new: Definition
) -> Edit | None:
    if old.body is None or new.body is None:
        return None
    target, start = old.body, new.body.start
    if (said := _docstring(old)) is not None:
        # The documentation stays as it is, whatever became of it in the answer.
        target = Span(said.end, old.body.end)
    if (again := _docstring(new)) is not None:
        start = again.end
    by = _column(tree.source, old.body.start) - _column(new_tree.source, new.body.start)
    text = new_tree.source.slice(Span(start, new.body.end)).rstrip()
    if old.body.start != target.start:
        text = f"\n{' ' * _column(new_tree.source, new.body.start)}{text.lstrip()}"
    else:
        text = text.lstrip()
    lines = text.split("\n")
    moved = [lines[0], *(_moved(line, by) for line in lines[1:])]
    end = "\r\n" if "\r\n" in tree.source.text else "\n"
    return Edit(target, end.join(moved))


def _docstring(definition: Definition) -> Span | None:
    """Return the documentation that is a part of the body."""
    said, body = definition.documentation, definition.body
    return said if said is not None and body is not None and body.covers(said) else None


def _column(source: Source, offset: int) -> int:
    """Return how far the line of an offset is indented."""
    line = source.line_text(source.line_at(offset))
    return len(line) - len(line.lstrip())


def _moved(line: str, by: int) -> str:
    if not line.strip():
        return ""
    if by >= 0:
        return " " * by + line
    return line[min(-by, len(line) - len(line.lstrip())) :]


def _dedented(source: Source, span: Span) -> str:
    by = -_column(source, span.start)
    first, *rest = source.slice(span).splitlines()
    return "\n".join([first, *(_moved(line, by) for line in rest)])
