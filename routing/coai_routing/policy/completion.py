"""Which backend serves completions: a pure function of what is known, and its reasons as a value.

Nothing here reaches out. `Deployment`s say what was found; the plan orders those that can serve and
keeps, for each that cannot, why not and what would change that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_routing.policy.deployment import EMBEDDED, Candidate, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.policy.deployment import Deployment


@dataclass(frozen=True, slots=True)
class CompletionPlan:
    """The order in which backends are asked."""

    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants of completion: the part of the settings that the plan depends on."""

    backend: str = "auto"
    model: str | None = None
    target_ms: float = 300.0
    allow_remote: bool = False
    sensitive: bool = False


def plan_completion(
    deployments: Sequence[Deployment], wishes: Wishes, now: float
) -> CompletionPlan:
    """Order the deployments that can serve a completion; `now` is in monotonic seconds."""
    rejected: list[Rejected] = []
    able: list[Deployment] = []
    for deployment in deployments:
        refusal = _refusal(deployment, wishes, now)
        if refusal is None:
            able.append(deployment)
        else:
            rejected.append(refusal)
    if any(one.local and one.phase == "starting" for one in able):
        # A moment's wait is no reason for code to leave the machine.
        early = [one for one in able if not one.local and one.endpoint != wishes.backend]
        why, remedy = "A model on this machine is starting.", "It answers in a moment."
        rejected.extend(Rejected(one, why, remedy) for one in early)
        able = [one for one in able if one not in early]
    able.sort(key=lambda deployment: _preference(deployment, wishes))
    return CompletionPlan(tuple(Candidate(one, _why(one, wishes)) for one in able), tuple(rejected))


def _refusal(deployment: Deployment, wishes: Wishes, now: float) -> Rejected | None:
    if wishes.backend not in ("auto", deployment.endpoint):
        return Rejected(
            deployment,
            f"completion.backend asks for `{wishes.backend}`.",
            'Set completion.backend to "auto" to let every backend serve.',
        )
    if not deployment.local and (wishes.sensitive or not wishes.allow_remote):
        why = (
            "The code is sensitive and the backend is not on this machine."
            if wishes.sensitive
            else "It is not on this machine, and completions may not leave it."
        )
        return Rejected(deployment, why, "Set completion.allow_cloud to allow it.")
    if deployment.phase in ("failed", "off"):
        return Rejected(deployment, deployment.detail, deployment.remedy)
    if deployment.predicts_edits and not deployment.fills_in:
        remedy = ""
        if deployment.endpoint == EMBEDDED:
            remedy = "Set engine.model to a model that completes code."
        elif not deployment.loaded:
            remedy = "Load it to have it asked beside another model of the same server."
        return Rejected(
            deployment,
            "It predicts edits and does not complete; it is asked for the next edit.",
            remedy,
        )
    if not deployment.fills_in:
        return Rejected(
            deployment,
            f"No fill-in-the-middle format is known for `{deployment.model}`.",
            "Use a code model that knows one, such as Qwen2.5-Coder.",
        )
    if (
        wishes.model is not None
        and wishes.backend == deployment.endpoint
        and deployment.model != wishes.model
    ):
        return Rejected(deployment, f"completion.model asks for `{wishes.model}`.")
    if (sick := deployment.health.refusal(now)) is not None:
        return Rejected(deployment, *sick)
    return None


def _preference(deployment: Deployment, wishes: Wishes) -> tuple[float, ...]:
    """Smaller is better: ready, local, loaded; then quality while it keeps up, else speed.

    Among models that keep up with typing the larger one answers better; among those that do not,
    the faster one hurts less.
    """
    speed = deployment.speed
    keeps_up = speed is not None and speed.typical_ms <= wishes.target_ms
    if speed is None:
        # The embedded default is known to be small; anything else may be of any size.
        pace = 1.0 if deployment.endpoint == EMBEDDED else 2.0
    else:
        pace = 0.0 if keeps_up else 3.0 + speed.typical_ms
    return (
        float(deployment.phase != "ready"),
        float(not deployment.local),
        float(not deployment.loaded),
        pace,
        -float(deployment.size_bytes or 0),
        -float(deployment.rank),
    )


def _why(deployment: Deployment, wishes: Wishes) -> str:
    where = "on this machine" if deployment.local else "not on this machine"
    if deployment.phase == "starting":
        return f"It is starting: {deployment.detail}" if deployment.detail else "It is starting."
    if wishes.backend == deployment.endpoint:
        return "completion.backend asks for it."
    if deployment.speed is None:
        if not deployment.loaded:
            return f"It is {where}, but its model is not loaded; loading it unasked would surprise."
        return f"It is ready and {where}; its speed is not measured yet."
    verdict = (
        "keeps up with" if deployment.speed.typical_ms <= wishes.target_ms else "is slower than"
    )
    return (
        f"It is ready and {where}; {deployment.speed.typical_ms:.0f} ms for a typical suggestion "
        f"{verdict} the target of {wishes.target_ms:.0f} ms."
    )
