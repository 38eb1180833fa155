"""Documentation without a model: everything that a signature says, in plain words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.comment import Described, DocComment
from coai_agents.specialists.documentation.convention import Convention

if TYPE_CHECKING:
    from coai_agents.specialists.documentation.signature import Parameter, Signature

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\W]+")

_TYPED: Final = frozenset(
    {Convention.JSDOC, Convention.PHPDOC, Convention.YARD, Convention.NUMPY, Convention.EPYTEXT}
)
"""Conventions that repeat types which the code declares."""

_DEFAULT_CHARACTERS: Final = 40


def words_of(name: str) -> str:
    """Return a name's words: `maxRetries` and `max_retries` are `max retries`."""
    parts = [part for part in _HUMP.split(name) if part]
    return " ".join(part if part.isupper() and len(part) > 1 else part.lower() for part in parts)


def skeleton(
    signature: Signature, convention: Convention, existing: DocComment | None = None
) -> DocComment:
    """Return documentation that names everything once; what `existing` says is kept.

    What a parameter is called, its type and its default are all that is said of it.
    """
    known = existing or DocComment()
    said = {each.name: each for each in known.parameters}
    raised = {each.name.rpartition(".")[2]: each for each in known.raises}
    typed = convention in _TYPED
    parameters = tuple(
        said[each.name]
        if said.get(each.name, Described("")).text
        else _described(each, typed=typed)
        for each in signature.parameters
    )
    returns = known.returns if known.returns is not None and known.returns.text else None
    if returns is None and signature.returns is not None and not signature.yields:
        returns = Described("", "The result.", signature.returns if typed else "")
    yields = known.yields
    if yields is None and signature.yields:
        yields = Described("", "The next value.")
    return DocComment(
        summary=known.summary or summary_of(signature),
        description=known.description,
        parameters=parameters,
        returns=None if signature.returns is None or signature.yields else returns,
        yields=yields if signature.yields else None,
        raises=tuple(
            raised.get(name, Described(name, f"{_article(words_of(name))}.".capitalize()))
            for name in signature.raises
        ),
    )


def summary_of(signature: Signature) -> str:
    """Return a summary that says no more than the name does."""
    words = words_of(signature.name.strip("_")) or signature.name
    return f"{words[:1].upper()}{words[1:]}."


def _described(parameter: Parameter, *, typed: bool) -> Described:
    words = words_of(parameter.name)
    text = f"The {words}." if words else "A value."
    if parameter.rest:
        text = f"Any number of {words}."
    if parameter.default and len(parameter.default) <= _DEFAULT_CHARACTERS:
        text = f"{text} Defaults to {parameter.default}."
    return Described(parameter.name, text, parameter.type if typed else "")


def _article(words: str) -> str:
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"
