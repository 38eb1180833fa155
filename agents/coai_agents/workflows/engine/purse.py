"""Budgets: what a plan, a nested plan and a node may use up, checked before each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.journal.records import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.workflows.definition.schema import Budget


@dataclass
class Purse:
    """A budget within another; what is used up counts in all of them."""

    budget: Budget
    owner: str
    """Whose it is, for the message."""
    outer: Purse | None = None
    warn: Callable[[str], None] = lambda _: None
    """Told once when four fifths are used up."""
    usage: Usage = field(default_factory=Usage)
    under_way: int = 0
    """Calls that have begun and not ended."""
    _warned: bool = False

    def __post_init__(self) -> None:
        """Tell of a budget within another what is told of that one."""
        if self.outer is not None:
            self.warn = self.outer.warn

    def begin(self) -> None:
        """Count a call that is about to begin; raises `StepFailedError` if a budget is used up."""
        self.check()
        self._count(1)

    def end(self, usage: Usage) -> None:
        """Count what a call that was begun has used up."""
        self._count(-1)
        self.spend(usage)

    def _count(self, calls: int) -> None:
        self.under_way += calls
        if self.outer is not None:
            self.outer._count(calls)  # noqa: SLF001 - of the same class

    def spend(self, usage: Usage) -> None:
        """Count what was used up."""
        self.usage += usage
        if not self._warned and self._share() >= 0.8:  # noqa: PLR2004 - four fifths
            self._warned = True
            self.warn(f"{self.owner} has used up four fifths of its budget.")
        if self.outer is not None:
            self.outer.spend(usage)

    def check(self) -> None:
        """Raise `StepFailedError` if a budget is used up."""
        if self._share() >= 1:
            raise StepFailedError(
                f"{self.owner} has used up its budget: {self._said()}.",
                remedy="Raise the budget in the plan and run it again.",
                again=False,
            )
        if self.outer is not None:
            self.outer.check()

    def left_usd(self) -> float | None:
        """Return the US dollars that the tightest budget leaves; None without any."""
        own = None if self.budget.usd is None else max(0.0, self.budget.usd - self.usage.usd)
        outer = None if self.outer is None else self.outer.left_usd()
        return min((each for each in (own, outer) if each is not None), default=None)

    def _share(self) -> float:
        """Return how much of the budget is used up; money that costs nothing is never used up."""
        budget, usage = self.budget, self.usage
        shares = [
            used / most if most else float("inf")
            for used, most in (
                (usage.tokens, budget.tokens),
                (usage.calls + self.under_way, budget.calls),
            )
            if most is not None
        ]
        if budget.usd is not None:
            shares.append(usage.usd / budget.usd if budget.usd else float(usage.usd > 0))
        return max(shares, default=0.0)

    def _said(self) -> str:
        usage = self.usage
        return f"{usage.calls} calls, {usage.tokens} tokens, {usage.usd:.4f} USD"
