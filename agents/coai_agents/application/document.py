"""Documentation comments for functions: a source and a target in, checked edits out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.specialists.documentation import agent
from coai_agents.specialists.documentation.agent import Documented, Undocumented
from coai_agents.specialists.targets import located

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Target


__all__ = ["Documented", "Undocumented", "document"]


async def document(
    source: Source, target: Target, asker: Asker
) -> list[Documented | Undocumented] | None:
    """Return documentation for what is named, or for all public functions that have none.

    What is named by a symbol or a line is documented once more. What cannot be documented says
    why. None where no convention is known for the language; raises `TargetError` where nothing is
    there.
    """
    found = await located(source, target)
    convention = agent.file_convention(found.tree)
    if convention is None:
        return None
    named = target.symbol or target.first
    wanted = found.definitions if named else agent.undocumented(found.tree)
    return await agent.document_all(found.tree, wanted, convention, asker)
