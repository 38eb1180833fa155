"""Rules of the user's own: which count, and what is known of them beside the process that analyses.

The process that analyses reads them (`analysis.rules.user_rules`). Whoever shows findings has to
know their names, severities and pages too, and learns these from that process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coai_agents.analysis.rules.rules import OwnConcept, know, own_concepts
from coai_agents.analysis.run.worker import AnalysisError
from coai_agents.source import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.analysis.run.worker import AnalysisWorker


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a rule."""

    file: str
    line: int
    """From 1; 0 where it is about the whole file."""
    words: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Problem:
        """Read what the process that analyses tells."""
        return cls(str(told["file"]), int(told["line"]), str(told["problem"]))


def _say_nothing(_: Sequence[Problem]) -> None:
    pass


class OwnRules:
    """Which rules the analysis is to have besides ours."""

    def __init__(
        self,
        places: Callable[[], tuple[str, ...]] = tuple,
        show: Callable[[Sequence[Problem]], None] = _say_nothing,
    ) -> None:
        """`places` names the folders and files that count now, whether they are there or not.

        `show` is told what is wrong, all of it, each time that the rules were read.
        """
        self._places_now = places
        self._show = show
        self._places: tuple[str, ...] | None = None
        self.stale = True
        """Whether what is known of them here may be out of date."""

    @property
    def places(self) -> tuple[str, ...]:
        """The folders and files that count, as they were last; reads only memory."""
        if self._places is None:
            self._places = self._places_now()
        return self._places

    def changed(self) -> bool:
        """Look again which rules count; return whether others do."""
        before, self._places = self._places, None
        if before == self.places:
            return False
        self.stale = True
        return True

    def concern(self, uri: str) -> bool:
        """Say whether a file is one of rules that count."""
        path = path_of(uri)
        return path is not None and any(path.is_relative_to(place) for place in self.places)

    async def learn(self, worker: AnalysisWorker) -> None:
        """Have the rules read; raises `AnalysisError`. What is wrong with any is shown."""
        worker.rules = self.places
        self.stale = False
        try:
            told = await worker.own_rules()
        except AnalysisError:
            self.stale = True
            raise
        know(OwnConcept.model_validate(each) for each in told["concepts"])
        self._show([Problem.of(each) for each in told["problems"]])

    async def recognise(self, worker: AnalysisWorker, analysis: Analysis) -> None:
        """Learn of rules that came since, if an analysis names one that is not known here."""
        own = own_concepts()
        if any(each.origin == "user" and each.rule not in own for each in analysis.findings):
            await self.learn(worker)
