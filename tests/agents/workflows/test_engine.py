"""The engine: when nodes begin, what becomes of failures, loops, gates, people and budgets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from coai_agents.workflows.definition.known import Known, Signature
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.errors import RunTakenError, WorkflowError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import Usage
from tests.agents.workflows.support import Scripted, engine_at, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.engine import Wish
    from coai_agents.workflows.engine.work import Task


async def test_a_node_begins_when_its_inputs_are_there_and_waits_for_nothing_else(
    tmp_path: Path,
) -> None:
    released = asyncio.Event()

    async def do(task: Task) -> str:
        if task.step == "slow":
            await released.wait()
        if task.step == "second":
            released.set()
        return task.step

    workers = Scripted(do)
    plan = plan_of("""
        - {kind: agent, name: slow, prompt: p}
        - {kind: agent, name: first, prompt: p}
        - {kind: agent, name: second, prompt: p, depends_on: [first]}
        - {kind: agent, name: end, prompt: p, depends_on: [slow, second]}
    """)
    async with engine_at(tmp_path, workers) as engine:
        # With phases `second` would wait for `slow`, which waits for it.
        outcome = await asyncio.wait_for(engine.start(plan, "go"), 10)
    assert (outcome.state, outcome.result) == ("done", "end")
    assert workers.asked[-1].given == {"input": "go", "slow": "slow", "second": "second"}


async def test_no_more_steps_at_a_time_than_the_plan_says(tmp_path: Path) -> None:
    workers = Scripted(lambda task: asyncio.sleep(0.001, task.step))
    nodes = "\n".join(f"- {{kind: agent, name: n{n}, prompt: p}}" for n in range(12))
    async with engine_at(tmp_path, workers) as engine:
        await engine.start(plan_of(nodes, concurrency=3), "")
        assert workers.most_at_once == 3
    workers = Scripted(lambda task: asyncio.sleep(0.001, task.step))
    async with engine_at(tmp_path, workers, at_once=4) as engine:
        plan = plan_of(nodes, concurrency=3)
        await asyncio.gather(*(engine.start(plan, "") for _ in range(5)))
    assert workers.most_at_once == 4, "of all runs together"


async def test_conditions_and_choices_skip_what_is_not_wanted(tmp_path: Path) -> None:
    workers = Scripted(lambda task: {"kind": "bug"} if task.step == "triage" else task.step)
    plan = plan_of("""
        - {kind: agent, name: triage, prompt: p, output: {kind: bug | feature}}
        - {kind: dispatch, name: way, among: [fix, build], choose: "['fix']"}
        - {kind: agent, name: fix, prompt: p}
        - {kind: agent, name: build, prompt: p}
        - {kind: agent, name: deploy, prompt: p, depends_on: [build]}
        - {kind: agent, name: rare, prompt: p, when: triage.kind == 'feature'}
        - {kind: agent, name: told, prompt: p, when: status(build) == 'skipped'}
        - {kind: agent, name: end, prompt: p, depends_on: [fix, build]}
    """)
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan, "")
    assert sorted(workers.steps) == ["end", "fix", "told", "triage"]
    assert outcome.result == {"told": "told", "end": "end"}


async def test_a_choice_outside_of_the_list_is_a_failure(tmp_path: Path) -> None:
    plan = plan_of("""
        - {kind: dispatch, name: way, among: [a], choose: input}
        - {kind: agent, name: a, prompt: p}
    """)
    async with engine_at(tmp_path) as engine:
        outcome = await engine.start(plan, "rm")
    assert outcome.state == "failed"
    assert "'rm', which is none of its nodes" in outcome.error


async def test_a_list_is_done_item_by_item_and_what_was_given_counts(tmp_path: Path) -> None:
    def do(task: Task) -> Json:
        if task.step == "files":
            return ["a", "b", "c"]
        if task.given.get("item") == "b":
            raise StepFailedError("b cannot be read.")
        return task.given.get("item", task.given)

    nodes = """
        - {kind: agent, name: files, prompt: p, output: [text]}
        - {kind: agent, name: each, prompt: p, fan_out: files, given: {item: item}, on_failure: %s}
        - {kind: agent, name: end, prompt: p, given: {all: each, state: status(each)}, output: any}
    """
    async with engine_at(tmp_path, Scripted(do)) as engine:
        kept = await engine.start(plan_of(nodes % "skip"), "")
        failed = await engine.start(plan_of(nodes % "fail"), "")
    assert kept.result == {"all": ["a", "c"], "state": "partial"}
    assert failed.state == "failed"
    assert "b cannot be read." in failed.error


@pytest.mark.parametrize(
    ("policy", "tries", "state"),
    [
        ("on_failure: fail", 1, "failed"),
        ("on_failure: skip", 1, "done"),
        ("retries: {attempts: 3, backoff: 0}", 3, "failed"),
        ("on_failure: {profile: other}", 2, "failed"),
        ("retries: {attempts: 2, backoff: 0}, on_failure: {profile: other}", 3, "failed"),
    ],
)
async def test_what_becomes_of_a_failure(
    tmp_path: Path, policy: str, tries: int, state: str
) -> None:
    def do(task: Task) -> str:
        if task.step == "a":
            raise StepFailedError("It is broken.")
        return task.step

    workers = Scripted(do)
    plan = plan_of(f"""
        - {{kind: agent, name: a, prompt: p, profile: own, {policy}}}
        - {{kind: agent, name: b, prompt: p, depends_on: [a]}}
    """)
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan, "")
    assert (workers.counted()["a"], outcome.state) == (tries, state)
    profiles = [task.profile for task in workers.asked if task.step == "a"]
    assert profiles[-1] == ("other" if "other" in policy else "own")
    if state == "done":
        assert "a" not in workers.asked[-1].given


async def test_another_attempt_may_go_well_and_has_a_key_of_its_own(tmp_path: Path) -> None:
    def do(task: Task) -> Json:
        if task.attempt == 1:
            return Done(7)
        return "good"

    workers = Scripted(do)
    plan = plan_of("- {kind: agent, name: a, prompt: p, retries: {attempts: 2, backoff: 0}}")
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan, "")
    assert outcome.result == "good", "7 is no text"
    assert len({task.key for task in workers.asked}) == 2


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, float("inf")])
async def test_what_json_cannot_say_is_a_failure_and_never_null(
    tmp_path: Path, value: object
) -> None:
    plan = plan_of("- {kind: tool, name: a, tool: t}", known=_any_tool())
    async with engine_at(tmp_path, Scripted(lambda _: value)) as engine:
        outcome = await engine.start(plan, "")
    assert outcome.state == "failed"
    assert "nothing that can be kept" in outcome.error


async def test_an_error_that_nobody_foresaw_fails_the_step_and_no_more(tmp_path: Path) -> None:
    def do(task: Task) -> str:
        raise KeyError(task.step)

    plan = plan_of("- {kind: agent, name: a, prompt: p}")
    async with engine_at(tmp_path, Scripted(do)) as engine:
        outcome = await engine.start(plan, "")
    assert (outcome.state, outcome.error) == ("failed", "a: KeyError: 'a'")


async def test_a_step_that_takes_too_long_is_cancelled(tmp_path: Path) -> None:
    cancelled: list[str] = []

    async def do(task: Task) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(task.step)
        return ""

    plan = plan_of("- {kind: agent, name: a, prompt: p, timeout: 0.02}")
    async with engine_at(tmp_path, Scripted(do)) as engine:
        outcome = await engine.start(plan, "")
    assert outcome.state == "failed"
    assert "longer than 0.02 s" in outcome.error
    assert cancelled == ["a"]


async def test_what_was_done_is_undone_in_order(tmp_path: Path) -> None:
    def do(task: Task) -> str:
        if task.step == "b":
            raise StepFailedError("No.")
        return task.step

    workers = Scripted(do)
    plan = plan_of("""
        - {kind: agent, name: a, prompt: p}
        - {kind: agent, name: b, prompt: p, depends_on: [a],
           on_failure: {compensate: [undo_b, undo_a]}}
        - {kind: agent, name: undo_a, prompt: p, given: {was: a}}
        - {kind: agent, name: undo_b, prompt: p}
        - {kind: agent, name: c, prompt: p, depends_on: [b]}
    """)
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan, "")
        fine = await engine.start(
            plan_of("""
            - {kind: agent, name: a, prompt: p, on_failure: {compensate: [undo]}}
            - {kind: agent, name: undo, prompt: p}
            """),
            "",
        )
    assert outcome.state == "failed"
    assert workers.steps == ["a", "b", "undo_b", "undo_a", "a"]
    assert workers.asked[3].given == {"was": "a"}
    assert fine.result == "a"


LOOP = """
    - kind: loop
      name: improve
      max_iterations: 5
      result: draft
      %s
      nodes:
        - {kind: agent, name: draft, prompt: p, output: {score: number}, given: {last: last}}
"""


@pytest.mark.parametrize(
    ("scores", "keys", "given", "done"),
    [
        ([1, 2, 9], "until: draft.score > 5", 9, 3),
        ([1, 2, 3, 4, 5, 6], "until: 'false'", 5, 5),
        ([3, 8, 4, 2, 1], "score: draft.score", 8, 5),
        ([3, 8, 4, 2, 9], "{score: draft.score, patience: 1}", 8, 3),
        ([1], "until: iteration == 1", 1, 1),
    ],
)
async def test_loops_end_by_what_they_say_and_give_the_best(
    tmp_path: Path, scores: list[int], keys: str, given: int, done: int
) -> None:
    workers = Scripted(lambda task: {"score": scores[len(workers.asked) - 1]})
    keys = "\n      ".join(keys.strip("{}").split(", "))
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan_of(LOOP % keys), "")
    assert outcome.result == {"score": given}
    assert len(workers.asked) == done
    assert workers.asked[0].given["last"] is None
    if done > 1:
        assert workers.asked[1].given["last"] == {"score": scores[0]}


@pytest.mark.parametrize(
    ("scores", "state", "asked"),
    [([9], "done", 1), ([1, 9], "done", 2), ([1, 2, 3, 4], "failed", 3)],
)
async def test_gates_have_things_revised_and_then_stop(
    tmp_path: Path, scores: list[int], state: str, asked: int
) -> None:
    drafts: list[Task] = []

    def do(task: Task) -> Json:
        if task.node.name == "draft":
            drafts.append(task)
            return {"score": scores[len(drafts) - 1]}
        return task.step

    workers = Scripted(do)
    plan = plan_of("""
        - {kind: agent, name: draft, prompt: p, output: {score: number}}
        - {kind: agent, name: judge, prompt: p, given: {draft: draft}}
        - {kind: gate, name: good, check: draft.score > 5, feedback: judge,
           otherwise: {revise: draft, times: 2}}
        - {kind: agent, name: end, prompt: p, depends_on: [good]}
    """)
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan, "")
    assert (outcome.state, len(drafts)) == (state, asked)
    assert workers.counted()["end"] == (state == "done")
    assert "feedback" not in drafts[0].given
    if asked > 1:
        assert drafts[1].given["feedback"] == "judge"
        assert drafts[1].step == "draft~2"
    if state == "failed":
        assert "after 2 revisions" in outcome.error


async def test_people_are_asked_and_the_run_goes_on_with_their_answer(tmp_path: Path) -> None:
    workers = Scripted()
    plan = plan_of("""
        - {kind: agent, name: other, prompt: p}
        - {kind: human, name: ok, question: Go on?, choices: [yes, no]}
        - {kind: agent, name: end, prompt: p, when: ok == 'yes'}
    """)
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan, "x")
        assert (outcome.state, workers.steps) == ("waiting", ["other"])
        still = await engine.resume(outcome.run)
        assert still.state == "waiting"
        with pytest.raises(WorkflowError, match="yes, no"):
            await engine.answer(outcome.run, "ok", "maybe")
        with pytest.raises(WorkflowError, match="nothing was asked"):
            await engine.answer(outcome.run, "other", "yes")
        await engine.answer(outcome.run, "ok", "yes")
        done = await engine.resume(outcome.run)
    assert (done.state, workers.steps) == ("done", ["other", "end"])


async def test_nested_plans_have_an_input_of_their_own(tmp_path: Path) -> None:
    inner = plan_of("- {kind: agent, name: a, prompt: p, given: {it: input}}")
    plan = plan_of(
        "- {kind: agent, name: list, prompt: p, output: [text]}\n"
        "- {kind: ensemble, name: e, ensemble: inner, fan_out: list, input: item}",
        Known(plan=lambda _: inner),
    )
    workers = Scripted(lambda task: ["x", "y"] if task.step == "list" else task.given["it"])
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan, "out")
    assert outcome.result == ["x", "y"]
    assert sorted(workers.steps) == ["e[0]/a", "e[1]/a", "list"]


@pytest.mark.parametrize(
    ("budget", "asked"),
    [("{calls: 2}", 2), ("{tokens: 20}", 2), ("{usd: 0.2}", 2), ("{usd: 0}", 1), ("{}", 5)],
)
async def test_no_step_begins_when_a_budget_is_used_up(
    tmp_path: Path, budget: str, asked: int
) -> None:
    workers = Scripted(lambda task: Done(task.step, Usage(1, 6, 4, 0.1)))
    nodes = "\n".join(f"- {{kind: agent, name: n{n}, prompt: p}}" for n in range(5))
    async with engine_at(tmp_path, workers) as engine:
        outcome = await engine.start(plan_of(nodes, budget=budget, concurrency=1), "")
        story = await engine.journal.story(outcome.run)
    assert len(workers.asked) == asked
    assert outcome.state == ("done" if asked == 5 else "failed")
    if asked == 2:
        assert "used up its budget: 2 calls, 20 tokens" in outcome.error
        assert any(event.kind == "warned" for event in story.events)


async def test_what_was_given_to_the_same_question_is_kept_and_failures_are_not(
    tmp_path: Path,
) -> None:
    def do(task: Task) -> str:
        if len(workers.asked) == 1:
            raise StepFailedError("Not now.")
        return f"answer {len(workers.asked)}"

    workers = Scripted(do)
    plan = plan_of("- {kind: agent, name: a, prompt: p, cache: true}")
    other = plan_of("- {kind: agent, name: a, prompt: other, cache: true}")
    secret = plan_of("- {kind: agent, name: a, prompt: p, cache: true}", sensitive="true")
    async with engine_at(tmp_path, workers) as engine:
        states = [(await engine.start(plan, "x")).state for _ in range(3)]
        assert states == ["failed", "done", "done"]
        assert len(workers.asked) == 2
        for each, given in ((plan, "y"), (other, "x"), (secret, "x"), (secret, "x")):
            await engine.start(each, given)
    assert len(workers.asked) == 6


async def test_a_run_is_paused_and_goes_on_and_is_cancelled(tmp_path: Path) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def do(task: Task) -> str:
        if task.step == "b":
            began.set()
            await go.wait()
        return task.step

    workers = Scripted(do)
    plan = plan_of("""
        - {kind: agent, name: a, prompt: p}
        - {kind: agent, name: b, prompt: p, depends_on: [a]}
    """)
    async with engine_at(tmp_path, workers) as engine:
        wishes: list[tuple[Wish, str]] = [("pause", "paused"), ("cancel", "cancelled")]
        for wish, state in wishes:
            began.clear()
            running = asyncio.create_task(engine.start(plan, ""))
            await began.wait()
            (row, *_) = await engine.journal.runs()
            assert await engine.stop(row.id, wish) == state
            assert (await running).state == state
            last = (await engine.journal.story(row.id)).events[-1]
            assert (last.kind, last.body) == (state, {"state": state, "steps": ["b"]})
            if wish == "pause":
                go.set()
                assert (await engine.resume(row.id)).state == "done"
                go.clear()
            with pytest.raises(WorkflowError, match="has ended"):
                await engine.resume(row.id)
    assert workers.counted() == {"a": 2, "b": 3}


async def test_another_process_has_a_run_stopped_and_cannot_take_it(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def do(_: Task) -> str:
        began.set()
        await asyncio.Event().wait()
        return ""

    plan = plan_of("- {kind: agent, name: a, prompt: p}")
    async with engine_at(tmp_path, Scripted(do)) as engine:
        running = asyncio.create_task(engine.start(plan, ""))
        await began.wait()
        other = Journal(tmp_path / "runs.sqlite3")
        (row,) = await other.runs()
        with pytest.raises(RunTakenError):
            await other.take(row.id)
        await other.wish(row.id, "cancel")
        assert (await running).state == "cancelled"
        await other.aclose()


async def test_whoever_was_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    go, began = asyncio.Event(), asyncio.Event()

    async def do(task: Task) -> str:
        began.set()
        await go.wait()
        return task.step

    workers = Scripted(do)
    plan = plan_of("- {kind: agent, name: a, prompt: p}")
    async with engine_at(tmp_path, workers) as engine:
        running = asyncio.create_task(engine.start(plan, ""))
        await began.wait()
        other = Journal(tmp_path / "runs.sqlite3")
        (row,) = await other.runs()
        # Its heart has not beaten for as long as somebody watched.
        beat = 0
        while True:
            try:
                await other.take(row.id, unchanged=beat)
                break
            except RunTakenError:
                beat += 1
        go.set()
        with pytest.raises(RunTakenError):
            await running
        story = await other.story(row.id)
        assert not {"ended", "finished"} & {event.kind for event in story.events}
        await other.aclose()


def _any_tool() -> Known:
    return Known(tools={"t": Signature({})})
