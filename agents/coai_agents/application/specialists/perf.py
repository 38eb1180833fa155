"""Where time goes: a file and a profile in; a report, or changes measured to be faster, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.specialists.performance import agent
from coai_agents.specialists.performance.profiles.reading import MOST_BYTES, read_profile
from coai_agents.specialists.targets import located

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.specialists.answers import Report
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.performance.agent import Run, Tuning
    from coai_agents.specialists.performance.profiles.profile import Profile
    from coai_agents.specialists.targets import Target

__all__ = ["MOST_BYTES", "read_profile", "slow", "tune"]


def slow(source: Source, path: str, profile: Profile | None = None) -> Report:
    """Return where a file's time goes and what costs more than it has to."""
    return agent.report(source, path, profile)


async def tune(
    source: Source,
    target: Target,
    asker: Asker,
    trial: Run,
    *,
    profile: Profile | None = None,
    pairs: int,
) -> Tuning:
    """Return what of the changes that were tried is faster for sure and says the same.

    `trial` runs the user's command on a changed file; each version is run `pairs` times at most.
    Raises `TargetError` where nothing is there.
    """
    await located(source, target)
    return await agent.tune(
        source, target.file, asker, trial, profile=profile, symbol=target.symbol, pairs=pairs
    )
