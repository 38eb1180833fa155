"""The first of a model's versions of a function that passes the checks of whoever asked for it."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.asking import NobodyError
from coai_agents.specialists.fixing.checking import same_functions, sensible
from coai_agents.specialists.fixing.rewriting import TASK, rewritten

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.edits import Change
    from coai_agents.specialists.fixing.candidates import Candidate
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

    Holds = Callable[[Change], Awaitable[bool]]
    """Says whether a change does what it is for, and no harm."""

MOST_SAMPLES: Final = 3


class UnfixedError(NobodyError):
    """A model's versions were tried, and none is offered."""


async def accepted(
    tree: SyntaxTree | None,
    function: Definition | None,
    wrong: str,
    asker: Asker,
    holds: Holds,
    *,
    path: str,
    task: str = TASK,
) -> Candidate:
    """Return the first version that is sensible, leaves the file its functions, and holds.

    Raises `NobodyError` where no model can be asked, `UnfixedError` where no version passes.
    """
    if tree is None or function is None:
        raise UnfixedError("No function is there that a model could rewrite.")
    refused = 0
    versions = rewritten(tree, function, wrong, asker, most=MOST_SAMPLES, path=path, task=task)
    async with aclosing(versions):
        async for each in versions:
            changed = sensible(tree.source, each.edits)
            if (
                changed is not None
                and same_functions(tree.source, changed.after)
                and await holds(changed)
            ):
                return each
            refused += 1
    raise UnfixedError(f"{refused} of a model's versions did not pass the checks.")
