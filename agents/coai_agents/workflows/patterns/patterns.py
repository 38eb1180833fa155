"""Orchestration patterns as constructors: each gives the nodes of an ordinary plan.

What they give is checked, stored, shown and resumed like whatever somebody wrote in YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from coai_agents.workflows.definition.schema import (
    AgentNode,
    Compensate,
    DispatchNode,
    GateNode,
    LoopNode,
    Plan,
    Retries,
    Revise,
    ToolNode,
)
from coai_agents.workflows.errors import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_agents.workflows.definition.schema import Node

Fusion: TypeAlias = Literal["union", "vote", "weighted", "judge"]

JUDGE = (
    "Several answered the same task. Put the best of what they say into one answer; where they "
    "contradict one another, keep what is better supported, and say that they did."
)
INTEGRATE = "Put the parts that the others did together into one answer to the whole task."
DELEGATE = (
    "Cut the task into parts and name those of the team that are needed for it. Name nobody whom "
    "it does not need."
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a pipeline: who does it, when it is good enough, and what undoes it."""

    node: Node
    check: str | None = None
    """An expression over what the stage gives; without, whatever it gives is good enough."""
    revisions: int = 1
    undo: Node | None = None


def pipeline(name: str, stages: Sequence[Stage]) -> Plan:
    """Return a plan of stages one after the other, with a quality gate after each.

    A stage that is not good enough is done again, and if it still is not the run stops and is
    brought back to the last good stage: what undoes this stage is done.
    """
    nodes: list[Node] = []
    before: str | None = None
    for stage in stages:
        undo = None if stage.undo is None else Compensate(compensate=(stage.undo.name,))
        waits = (*stage.node.depends_on, *((before,) if before else ()))
        changes: dict[str, object] = {"depends_on": tuple(dict.fromkeys(waits))}
        if undo is not None:
            changes["on_failure"] = undo
        nodes.append(stage.node.model_copy(update=changes))
        before = stage.node.name
        if stage.check is not None:
            gate = GateNode(
                kind="gate",
                name=f"{stage.node.name}_good",
                check=stage.check,
                otherwise=Revise(revise=stage.node.name, times=stage.revisions),
                on_failure=undo or "fail",
                depends_on=(stage.node.name,),
            )
            nodes.append(gate)
            before = gate.name
        if stage.undo is not None:
            nodes.append(stage.undo)
    return Plan(name=name, nodes=tuple(nodes), result=stages[-1].node.name)


def parallel(
    name: str,
    voices: Sequence[Node],
    fusion: Fusion = "judge",
    *,
    weights: Mapping[str, float] | None = None,
    profile: str | None = None,
) -> Plan:
    """Return a plan in which several do the same at once, and what they say becomes one.

    `union` takes lists together, `vote` what most say, `weighted` the same with `weights` (by name;
    1 for whoever has none), `judge` has a model put them together. Who fails has no voice.
    """
    names = [voice.name for voice in voices]
    tolerant = [voice.model_copy(update={"on_failure": "skip"}) for voice in voices]
    listed = f"[{', '.join(names)}]"
    fused: Node
    if fusion == "judge":
        fused = AgentNode(name="fused", depends_on=tuple(names), prompt=JUDGE, profile=profile)
    elif fusion == "weighted":
        heavy = [str((weights or {}).get(each, 1.0)) for each in names]
        given = {"answers": listed, "weights": f"[{', '.join(heavy)}]"}
        fused = ToolNode(kind="tool", name="fused", tool="weighted", given=given)
    else:
        key = "lists" if fusion == "union" else "answers"
        fused = ToolNode(kind="tool", name="fused", tool=fusion, given={key: listed})
    return Plan(
        name=name, nodes=(*tolerant, fused), result="fused", concurrency=min(64, len(names) + 1)
    )


def reflective(
    name: str,
    task: str,
    *,
    rounds: int = 3,
    good: float = 8.0,
    patience: int = 1,
    drafter: str | None = None,
    critic: str | None = None,
) -> Plan:
    """Return a plan that drafts, is criticised, and improves; `drafter` and `critic` are profiles.

    It stops when the critic's score (0 to 10) reaches `good`, or has not risen for `patience`
    rounds, and gives the best draft, not the last one.
    """
    draft = AgentNode(
        name="draft",
        prompt=task,
        profile=drafter,
        given={"task": "input", "last": "last.draft", "criticism": "last.reasons"},
    )
    judged = AgentNode(
        name="judged",
        role="critic",
        profile=critic,
        given={"task": "input", "draft": "draft"},
        output={"score": "number", "reasons": "text"},
        retries=Retries(attempts=2, backoff=0.0),
    )
    both = ToolNode(
        kind="tool",
        name="both",
        tool="record",
        given={"draft": "draft", "score": "judged.score", "reasons": "judged.reasons"},
    )
    loop = LoopNode(
        kind="loop",
        name="improve",
        nodes=(draft, judged, both),
        result="both",
        score="judged.score",
        until=f"judged.score >= {good}",
        patience=patience,
        max_iterations=rounds,
    )
    return Plan(name=name, nodes=(loop,), result="improve")


def supervisor(
    name: str,
    team: Mapping[str, Node],
    *,
    rounds: int = 2,
    profile: str | None = None,
) -> Plan:
    """Return a plan in which a supervisor names who of a team is needed, and integrates the parts.

    `team` are nodes by what they are good for. What the supervisor is not content with is
    delegated again, at most `rounds` times in all.
    """
    if not team:
        raise WorkflowError("A team of at least one was expected.")
    skills = "; ".join(f"{node.name}: {skill}" for skill, node in team.items())
    names = tuple(node.name for node in team.values())
    delegate = DispatchNode(
        kind="dispatch",
        name="delegate",
        among=names,
        prompt=f"{DELEGATE} The team: {skills}.",
        profile=profile,
        retries=Retries(attempts=2, backoff=0.0),
        given={"task": "input", "so_far": "last"},
    )
    members = [node.model_copy(update={"on_failure": "skip"}) for node in team.values()]
    integrate = AgentNode(
        name="integrate",
        role="summarizer",
        prompt=INTEGRATE,
        profile=profile,
        given={"task": "input", **{each: each for each in names}},
    )
    content = AgentNode(
        name="content",
        role="critic",
        profile=profile,
        given={"task": "input", "draft": "integrate"},
        output={"score": "number", "reasons": "text"},
        on_failure="skip",
    )
    loop = LoopNode(
        kind="loop",
        name="rounds",
        nodes=(delegate, *members, integrate, content),
        result="integrate",
        score="content.score",
        until="content.score >= 7 or not exists(content)",
        max_iterations=rounds,
    )
    return Plan(name=name, nodes=(loop,), result="rounds")
