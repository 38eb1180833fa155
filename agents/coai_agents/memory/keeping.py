"""What may be remembered at all: nothing that is sensitive, by the user's own rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coai_routing.privacy.sensitivity import SensitivityRules, assess
from coai_routing.request import Capability, ModelRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.memory.store import Episode, Fact, Memory


def may_be_kept(texts: Sequence[str], path: str, rules: SensitivityRules) -> bool:
    """Say whether nothing in texts, or in the name of their file, is sensitive.

    Privacy mode keeps everything on this machine, where the memory is: it is no reason here.
    """
    request = ModelRequest(capability=Capability.CODE_ANALYSIS, prompt="\n".join(texts) or " ")
    here = replace(rules, privacy_mode=False)
    return not assess(request, here, paths=(path,) if path else ())


class Keeper:
    """Writes to the memory what may be kept."""

    def __init__(self, memory: Memory, rules: SensitivityRules) -> None:
        self._memory = memory
        self._rules = rules

    def episode(self, episode: Episode) -> bool:
        """Remember a solved problem; say whether it may be."""
        sides = [side for each in episode.changes for side in (each.before, each.after)]
        if not may_be_kept([episode.title, *sides], episode.path, self._rules):
            return False
        self._memory.add_episode(episode)
        return True

    def facts(self, facts: Sequence[Fact]) -> list[Fact]:
        """Remember facts; return those that may be."""
        kept = [
            fact for fact in facts if may_be_kept([fact.text, fact.seen], fact.path, self._rules)
        ]
        self._memory.add_facts(kept)
        return kept
