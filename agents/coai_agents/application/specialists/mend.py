"""A file's errors: a target in; by rules, memory, a model and a test, a changed file out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.source import Edit
from coai_agents.specialists.edits import change
from coai_agents.specialists.fixing import agent
from coai_agents.specialists.fixing.agent import nothing
from coai_agents.specialists.targets import located

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.edits import Change
    from coai_agents.specialists.fixing.agent import Fixing, Recall, Try
    from coai_agents.specialists.targets import Target


async def mend(
    source: Source,
    target: Target,
    asker: Asker,
    *,
    attempt: Try | None = None,
    recall: Recall = nothing,
) -> Fixing:
    """Fix what can be told to be wrong, or change a file until `attempt`, a test, passes.

    `recall` gives what solved such a problem before, which is tried first. Raises `TargetError`.
    """
    await located(source, target)
    if attempt is None:
        return await agent.fix_findings(source, target, asker, target.file, recall)
    return await agent.fix_by_test(source, target, asker, attempt, target.file, recall=recall)


def change_to(before: Source, after: Source) -> Change | None:
    """Return how one text becomes another; None where they are the same."""
    return None if after.text == before.text else change(before, [Edit(None, after.text)])
