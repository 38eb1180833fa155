"""What a plan may name: profiles, roles, specialists, tools, scripts, other plans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from coai_agents.workflows.definition.types import ANY, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_agents.workflows.definition.schema import Plan

Effect: TypeAlias = Literal["none", "reads", "proposes", "runs", "sends"]
"""What doing something changes: nothing, nothing but it looks at files, nothing yet (it proposes a
change of files), whatever a program of the user's does, or that something leaves this machine."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a tool or a specialist takes and gives."""

    takes: Mapping[str, Type]
    gives: Type = ANY
    needed: tuple[str, ...] = ()
    """Those of `takes` that have to be given."""
    effect: Effect = "none"
    summary: str = ""
    any_name: bool = False
    """Whether it takes more than `takes`, under any name."""


def _no_plan(_: str) -> Plan | None:
    return None


@dataclass(frozen=True)
class Known:
    """All names; None where any name will do, as for a plan that is only looked at."""

    profiles: frozenset[str] | None = None
    roles: frozenset[str] | None = None
    specialists: Mapping[str, Signature] = field(default_factory=dict[str, Signature])
    tools: Mapping[str, Signature] = field(default_factory=dict[str, Signature])
    scripts: frozenset[str] | None = None
    plan: Callable[[str], Plan | None] = _no_plan
    """Returns a plan that another one names; raises `PlanError` where it does not load."""


def unknown(known: frozenset[str] | None, name: str | None, kind: str) -> str:
    """Say why a name is none of those that are known; empty where it is, or any will do."""
    if known is None or name is None or name in known:
        return ""
    names = ", ".join(sorted(known)) or "none, for there is none"
    return f"a {kind} was expected ({names}), not {name}"
