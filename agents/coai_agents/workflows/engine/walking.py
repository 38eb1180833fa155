"""Walking a scope: a node begins as soon as what it waits for has settled, and nothing waits else.

There are no phases. What a gate has revised is forgotten and done again under a name of its own
turn (`draft~2`), so the journal keeps both.

One file, because what is begun, settled, revised and undone is one state with one owner.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.definition.schema import (
    Budget,
    Compensate,
    ConversationNode,
    DispatchNode,
    EnsembleNode,
    GateNode,
    HumanNode,
    LoopNode,
    Revise,
)
from coai_agents.workflows.definition.types import is_list
from coai_agents.workflows.engine.conversing import Talk
from coai_agents.workflows.engine.leaves import do_leaf
from coai_agents.workflows.engine.planning import (
    SKIPPED,
    Seen,
    Settled,
    can_start,
    given_to,
    is_wanted,
    seen_by,
)
from coai_agents.workflows.engine.purse import Purse
from coai_agents.workflows.engine.waiting import answer_of
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.journal.records import StepEnd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.workflows.definition.schema import Node, Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.running import Running
    from coai_agents.workflows.engine.shapes import Ready, Shape

MOST_ITEMS: Final = 1000
"""Of a list that a node is fanned out over."""


class Waiting:
    """A node that waits for a person: nothing has become of it yet."""


WAITING: Final = Waiting()


@dataclass(frozen=True)
class Around:
    """What a scope is in."""

    ready: Ready
    seen: Seen
    purse: Purse
    sensitive: bool


@dataclass
class Walk:
    """One scope of a run."""

    running: Running
    shape: Shape
    prefix: str
    around: Around
    settled: dict[str, Settled] = field(default_factory=dict[str, Settled])
    _parked: set[str] = field(default_factory=set[str])
    _turns: Counter[str] = field(default_factory=Counter[str])
    _feedback: dict[str, Json] = field(default_factory=dict[str, "Json"])
    _tasks: dict[asyncio.Task[Settled | Waiting], str] = field(
        default_factory=dict[asyncio.Task["Settled | Waiting"], str]
    )

    async def walk(self) -> dict[str, Settled] | Waiting:
        """Do all that can be done; returns what became of the nodes, or that it waits for a person.

        Raises `StepFailedError` for a node that may not fail, after what it undoes is undone.
        """
        try:
            self._begin()
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    name = self._tasks.pop(task)
                    outcome = task.result()
                    if isinstance(outcome, Waiting):
                        self._parked.add(name)
                    else:
                        self.settled[name] = outcome
                self._begin()
        except StepFailedError as error:
            await self._stop()
            await self._undo(error)
            raise
        finally:
            await self._stop()
        return WAITING if self._parked else self.settled

    async def _stop(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        tasks, self._tasks = list(self._tasks), {}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    # -------------------------------------------------------------------- beginning

    def _begin(self) -> None:
        """Begin every node that can; what needs no work settles at once, and others may follow."""
        begun = {*self._tasks.values(), *self._parked}
        while names := list(can_start(self.shape, self.settled, begun)):
            for name in names:
                if name in self.settled or not self._still_can(name):
                    continue
                outcome = self._at_once(name)
                if outcome is not None:
                    self._settle(name, outcome)
                else:
                    begun.add(name)
                    task = asyncio.create_task(self._node(name), name=self.step(name))
                    self._tasks[task] = name

    def _still_can(self, name: str) -> bool:
        """Say whether a node waits for nothing, now that a gate may have had something revised."""
        return all(each in self.settled for each in self.shape.waits[name])

    def _at_once(self, name: str) -> Settled | None:
        """Return what becomes of a node for which nothing has to be done; None for any other."""
        node, step = self.shape.nodes[name], self.step(name)
        if (end := self.running.replay.ends.get(step)) is not None:
            if end.state == "failed" and node.on_failure != "skip":
                raise self._failed(step, StepFailedError(end.facts.error))
            return Settled(end.state, end.output)
        seen = seen_by(self.shape, name, self.settled, self.around.seen)
        if not is_wanted(self.shape, node, self.settled, seen):
            self.running.ended_soon(StepEnd(step, "skipped"))
            return SKIPPED
        if isinstance(node, GateNode):
            return self._gate(node, step, seen)
        if isinstance(node, DispatchNode) and node.choose is not None:
            return self._chosen(node, step, seen.of(node.choose))
        return None

    def _settle(self, name: str, outcome: Settled) -> None:
        self.settled[name] = outcome
        if outcome.state == "revised":
            for each in self.shape.again[name]:
                self.settled.pop(each, None)
                self._turns[each] += 1
                self._feedback[each] = outcome.output["feedback"]

    def step(self, name: str) -> str:
        """Return the name of a node's step in the run, of the turn that it is in."""
        turn = self._turns[name]
        return f"{self.prefix}{name}~{turn + 1}" if turn else f"{self.prefix}{name}"

    # ------------------------------------------------------------------ by their kind

    def _gate(self, node: GateNode, step: str, seen: Seen) -> Settled:
        passed = bool(seen.of(node.check))
        feedback = None if node.feedback is None else seen.of(node.feedback)
        output = {"passed": passed, "feedback": feedback}
        again = node.otherwise if isinstance(node.otherwise, Revise) else None
        if not passed and again is not None and self._turns[node.name] < again.times:
            if feedback is None:
                output["feedback"] = f"It was not accepted: {node.check} does not hold."
            self.running.ended_soon(StepEnd(step, "revised", output))
            return Settled("revised", output)
        if passed or node.on_failure == "skip":
            self.running.ended_soon(StepEnd(step, "done", output))
            return Settled("done", output)
        tries = f" after {again.times} revisions" if again is not None else ""
        error = StepFailedError(f"The gate {node.name} stopped the run{tries}: {node.check}.")
        self.running.ended_soon(StepEnd(step, "failed", facts=error.facts()))
        raise self._failed(step, error)

    def _chosen(self, node: DispatchNode, step: str, choice: Json) -> Settled:
        names = choice if is_list(choice) else [choice]
        if stray := [each for each in names if each not in node.among]:
            error = StepFailedError(f"{node.name} chose {stray[0]!r}, which is none of its nodes.")
            self.running.ended_soon(StepEnd(step, "failed", facts=error.facts()))
            if node.on_failure == "skip":
                return Settled("failed", [])
            raise self._failed(step, error)
        self.running.ended_soon(StepEnd(step, "done", names))
        return Settled("done", names)

    async def _node(self, name: str) -> Settled | Waiting:
        """Do a node, and see to what becomes of its failure."""
        node, step = self.shape.nodes[name], self.step(name)
        seen = seen_by(self.shape, name, self.settled, self.around.seen)
        if (feedback := self._feedback.get(name)) is not None:
            seen = seen.also(feedback=feedback)
        try:
            if node.fan_out is not None:
                return await self._fanned(node, step, seen)
            return await self._one(node, step, seen)
        except StepFailedError as error:
            await self.running.ended(StepEnd(step, "failed", facts=error.facts()))
            if node.on_failure == "skip":
                return Settled("failed")
            raise self._failed(step, error) from error

    async def _one(self, node: Node, step: str, seen: Seen) -> Settled | Waiting:
        if isinstance(node, HumanNode):
            about = given_to(node, self.shape, seen)
            return await answer_of(self.running, node, step, about) or WAITING
        if isinstance(node, LoopNode | EnsembleNode | ConversationNode):
            try:
                async with asyncio.timeout(node.timeout):
                    return await self._several(node, step, seen)
            except TimeoutError as error:
                raise StepFailedError(f"It took longer than {node.timeout:g} s.") from error
        return await do_leaf(
            self.running,
            node,
            step,
            given_to(node, self.shape, seen),
            sensitive=self.around.sensitive or node.sensitive,
            purse=self._purse(node),
        )

    async def _several(
        self, node: LoopNode | EnsembleNode | ConversationNode, step: str, seen: Seen
    ) -> Settled | Waiting:
        """Do a node that is made of steps of its own."""
        if isinstance(node, LoopNode):
            return await self._loop(node, step, seen)
        if isinstance(node, EnsembleNode):
            return await self._ensemble(node, step, seen)
        sensitive = self.around.sensitive or node.sensitive
        talk = Talk(self.running, node, step, seen, self._purse(node), sensitive=sensitive)
        return await talk.held() or WAITING

    def _purse(self, node: Node) -> Purse:
        if node.budget == Budget():
            return self.around.purse
        return Purse(node.budget, node.name, self.around.purse)

    async def _fanned(self, node: Node, step: str, seen: Seen) -> Settled | Waiting:
        """Do a node for each item; what was given counts even where some items failed."""
        assert node.fan_out is not None
        items = seen.of(node.fan_out)
        if not is_list(items):
            raise StepFailedError(f"{node.fan_out} is no list.", again=False)
        if len(items) > MOST_ITEMS:
            raise StepFailedError(f"{node.fan_out} has more than {MOST_ITEMS} items.", again=False)
        tasks = [
            asyncio.create_task(self._item(node, f"{step}[{n}]", seen.also(item=item, index=n)))
            for n, item in enumerate(items)
        ]
        try:
            outcomes = [await task for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if any(isinstance(each, Waiting) for each in outcomes):
            return WAITING
        ends = [each for each in outcomes if isinstance(each, Settled)]
        good = [each.output for each in ends if each.state != "failed"]
        if items and not good:
            raise StepFailedError(f"None of the {len(items)} items could be done.", again=False)
        state = "done" if len(good) == len(ends) else "partial"
        await self.running.ended(StepEnd(step, state, good))
        return Settled(state, good)

    async def _item(self, node: Node, step: str, seen: Seen) -> Settled | Waiting:
        if (end := self.running.replay.ends.get(step)) is not None and end.state != "failed":
            return Settled(end.state, end.output)
        if end is not None and node.on_failure == "skip":
            return Settled("failed")
        try:
            return await self._one(node, step, seen)
        except StepFailedError as error:
            facts = error.facts()
            await self.running.ended(StepEnd(step, "failed", facts=facts))
            if node.on_failure == "skip":
                return Settled("failed")
            raise

    async def _ensemble(self, node: EnsembleNode, step: str, seen: Seen) -> Settled | Waiting:
        ready = self.around.ready.nested(node.ensemble)
        around = Around(
            ready,
            Seen({"input": seen.of(node.input)}, {}),
            Purse(ready.plan.budget, ready.plan.name, self._purse(node)),
            self.around.sensitive or node.sensitive or ready.plan.sensitive,
        )
        settled = await Walk(self.running, ready.shape, f"{step}/", around).walk()
        if isinstance(settled, Waiting):
            return WAITING
        output = result_of(ready.plan, ready.shape, settled)
        await self.running.ended(StepEnd(step, "done", output))
        return Settled("done", output)

    async def _loop(self, node: LoopNode, step: str, seen: Seen) -> Settled | Waiting:
        shape = self.around.ready.loop(node)
        purse, sensitive = self._purse(node), self.around.sensitive or node.sensitive
        last: Json = None
        best: Json = None
        highest, since = float("-inf"), 0
        for iteration in range(1, node.max_iterations + 1):
            inside = seen.also(iteration=iteration, last=last, best=best)
            around = Around(self.around.ready, inside, purse, sensitive)
            settled = await Walk(self.running, shape, f"{step}#{iteration}/", around).walk()
            if isinstance(settled, Waiting):
                return WAITING
            after = _after(inside, settled)
            last = settled[node.result].output
            if node.score is not None:
                score = after.of(node.score)
                since += 1
                if _is_number(score) and score > highest:
                    highest, best, since = score, last, 0
            if after.of(node.until) or (node.patience and since >= node.patience):
                break
        output = last if node.score is None or best is None else best
        await self.running.ended(StepEnd(step, "done", output))
        return Settled("done", output)

    # ----------------------------------------------------------------------- undoing

    def _failed(self, step: str, error: StepFailedError) -> StepFailedError:
        error.step = error.step or step
        return error

    async def _undo(self, error: StepFailedError) -> None:
        """Do what undoes the node that failed, in its order; what fails of that is noted."""
        name = error.step.removeprefix(self.prefix).partition("~")[0]
        node = self.shape.nodes.get(name)
        if node is None or not isinstance(node.on_failure, Compensate):
            return
        known = {each: one.output for each, one in self.settled.items()}
        states = {each: one.state for each, one in self.settled.items()}
        for each in node.on_failure.compensate:
            undoing, step = self.shape.nodes[each], f"{self.prefix}{each}"
            seen = Seen({**self.around.seen.values, **known}, states)
            if step in self.running.replay.ends:
                continue
            try:
                await self._one(undoing, step, seen)
            except StepFailedError as failure:
                facts = failure.facts()
                await self.running.ended(StepEnd(step, "failed", facts=facts))


def result_of(plan: Plan, shape: Shape, settled: Mapping[str, Settled]) -> Json:
    """Return what a plan gives: its result, or all that nothing waits for, by name if several."""
    if plan.result is not None:
        return settled[plan.result].output if plan.result in settled else None
    ends = {name: settled[name] for name in shape.ends if name in settled}
    there = {name: one.output for name, one in ends.items() if one.state != "skipped"}
    return next(iter(there.values())) if len(shape.ends) == 1 and there else there


def _after(inside: Seen, settled: Mapping[str, Settled]) -> Seen:
    values = {name: one.output for name, one in settled.items()}
    states = {name: one.state for name, one in settled.items()}
    return Seen({**inside.values, **values}, {**inside.states, **states})


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
