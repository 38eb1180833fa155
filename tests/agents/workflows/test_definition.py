"""Plans: what loads, and what is said of what does not, with file, line and what was expected."""

from __future__ import annotations

import json

import pytest

from coai_agents.workflows.definition.checking import MOST_DEPTH
from coai_agents.workflows.definition.known import Known, Signature
from coai_agents.workflows.definition.loading import load_text, load_value
from coai_agents.workflows.definition.schema import Plan
from coai_agents.workflows.definition.types import TEXT
from coai_agents.workflows.errors import PlanError
from tests.agents.workflows.support import plan_of

AGENT = "kind: agent, prompt: Say it."


def problems(text: str, known: Known | None = None) -> list[tuple[int, str]]:
    with pytest.raises(PlanError) as raised:
        load_text(text, known or Known(), "plan.yaml")
    assert all(each.file == "plan.yaml" for each in raised.value.problems)
    return [(each.line, each.message) for each in raised.value.problems]


def in_nodes(*nodes: str, known: Known | None = None) -> list[tuple[int, str]]:
    """Return the problems of a plan with these nodes, one a line from line 3 on."""
    listed = "".join(f"  - {{{node}}}\n" for node in nodes)
    return problems(f"name: test\nnodes:\n{listed}", known)


def test_yaml_json_and_values_are_the_same_plan() -> None:
    value = {"name": "one", "nodes": [{"kind": "agent", "name": "a", "prompt": "Say it."}]}
    yaml = "name: one\nnodes:\n- kind: agent\n  name: a\n  prompt: Say it.\n"
    tabbed = json.dumps(value, indent="\t")
    plans = [load_text(yaml, Known()), load_text(tabbed, Known()), load_value(value, Known())]
    assert plans[0] == plans[1] == plans[2]
    assert Plan.model_validate_json(plans[0].as_json()) == plans[0]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name: x\nnodes:\n- {kind: agent, name: a, prompt: p}\nnods: 1\n", 4, "not known"),
        ("name: x\nnodes:\n- kind: agent\n  name: a\n  promt: p\n", 5, "promt"),
        ("name: x\nnodes:\n- kind: agent\n  name: a\n", 3, "specialist, a role or a prompt"),
        ("name: x\nnodes:\n- kind: agnt\n  name: a\n", 3, "agent"),
        ("name: x\nnodes: []\n", 2, "at least 1"),
        ("nodes:\n- {kind: agent, name: a, prompt: p}\n", 1, "name was expected"),
        ("name: x\nname: y\n", 2, "twice"),
        ("a: &x [1]\nb: *x\n", 1, "anchor"),
        ("name: !!python/object:os.system x\n", 1, "tag"),
        ("name: [\n", 2, "YAML or JSON"),
        ("", 1, "empty"),
        ("name: x\nnodes:\n- kind: agent\n  name: a\n  prompt: p\n  timeout: soon\n", 6, "number"),
        ("name: x\nnodes:\n- kind: agent\n  name: a\n  prompt: p\n  when: 'a.'\n", 6, "value"),
        (
            "name: x\nnodes:\n- kind: agent\n  name: a\n  prompt: p\n  output: txt\n",
            6,
            "text, numb",
        ),
        ("name: x\nnodes:\n- {kind: loop, name: a, nodes: [], result: b}\n", 3, "max_iterations"),
        ("[" * 100, 1, "levels"),
    ],
)
def test_what_has_not_the_form_is_said_with_its_line(text: str, line: int, said: str) -> None:
    found = problems(text)
    assert any(at == line and said in message for at, message in found), found


@pytest.mark.parametrize(
    ("nodes", "line", "said"),
    [
        ((f"{AGENT}, name: a, depends_on: [b]",), 3, "another node was expected, not b"),
        ((f"{AGENT}, name: a, depends_on: [a]",), 3, "another node"),
        (
            (f"{AGENT}, name: a, depends_on: [b]", f"{AGENT}, name: b, when: a == '1'"),
            3,
            "cycle was expected: a -> b -> a",
        ),
        ((f"{AGENT}, name: a", f"{AGENT}, name: a"), 4, "name of its own"),
        ((f"{AGENT}, name: input",), 3, "other than input"),
        ((f"{AGENT}, name: a, when: 1 > 2",), 3, "never done"),
        ((f"{AGENT}, name: a, when: 'false'", f"{AGENT}, name: b, depends_on: [a]"), 4, "never"),
        ((f"{AGENT}, name: a, fan_out: input",), 3, "a list was expected, not text"),
        ((f"{AGENT}, name: a", f"{AGENT}, name: b, when: a > 3"), 4, "can never be compared"),
        (
            (f"{AGENT}, name: a, output: {{score: number}}", f"{AGENT}, name: b, when: a.points"),
            4,
            "has no points",
        ),
        ((f"{AGENT}, name: a, when: foo == 1",), 3, "not foo"),
        (("kind: gate, name: g, check: 'true', otherwise: {revise: a}",), 3, "another node"),
        (
            (f"{AGENT}, name: a", "kind: gate, name: g, check: input, otherwise: {revise: a}"),
            4,
            "has to wait for a",
        ),
        (
            (
                f"{AGENT}, name: a",
                "kind: gate, name: g, check: a, otherwise: {revise: a}",
                f"{AGENT}, name: b, depends_on: [a]",
            ),
            4,
            "b sees a and has to wait for g",
        ),
        (
            (
                f"{AGENT}, name: a",
                "kind: gate, name: g, check: a, otherwise: {revise: a}",
                "kind: gate, name: h, check: a, otherwise: {revise: a}",
            ),
            4,
            "g",
        ),
        (("kind: dispatch, name: d, among: [x], choose: input",), 3, "another node"),
        (
            (f"kind: loop, name: l, max_iterations: 2, result: z, nodes: [{{{AGENT}, name: b}}]",),
            3,
            "a node of the loop was expected, not z",
        ),
        (
            (
                f"{AGENT}, name: a, on_failure: {{compensate: [u]}}",
                f"{AGENT}, name: u",
                f"{AGENT}, name: b, depends_on: [u]",
            ),
            5,
            "only done when something fails",
        ),
        (("kind: script, name: s, script: x, cache: true",), 3, "never kept"),
        (("kind: script, name: s, script: ../x",), 3, "script"),
        (("kind: ensemble, name: e, ensemble: none",), 3, "known plan was expected"),
        (("kind: human, name: h, question: Go?, fan_out: '[1]'",), 3, "done once"),
        (("kind: gate, name: g, check: input, retries: {attempts: 3}",), 3, "not tried again"),
    ],
)
def test_what_does_not_hold_together_is_said_with_its_line(
    nodes: tuple[str, ...], line: int, said: str
) -> None:
    found = in_nodes(*nodes)
    assert any(at == line and said in message for at, message in found), found


def test_all_problems_are_said_at_once() -> None:
    found = in_nodes(f"{AGENT}, name: a, depends_on: [x]", f"{AGENT}, name: b, depends_on: [y]")
    assert [line for line, _ in found] == [3, 4]


def test_names_are_those_that_are_known() -> None:
    known = Known(
        profiles=frozenset({"quick"}),
        roles=frozenset({"tester"}),
        specialists={"explain": Signature({"target": TEXT}, TEXT, needed=("target",))},
        tools={"union": Signature({"lists": TEXT})},
        scripts=frozenset(),
    )
    for node, said in (
        ("kind: agent, name: a, prompt: p, profile: slow", "a profile was expected (quick)"),
        ("kind: agent, name: a, role: poet", "a role was expected (tester)"),
        ("kind: agent, name: a, specialist: sing", "one of explain was expected, not sing"),
        ("kind: agent, name: a, specialist: explain", "has to be given target"),
        ("kind: agent, name: a, specialist: explain, given: {x: input}", "takes target, not x"),
        ("kind: tool, name: a, tool: rm", "one of union was expected, not rm"),
        ("kind: tool, name: a, tool: union, given: {lists: '[1]'}", "text was expected, not"),
        ("kind: script, name: a, script: x", "a script was expected"),
        ("kind: agent, name: a, prompt: p, on_failure: {profile: z}", "a profile was expected"),
    ):
        found = in_nodes(node, known=known)
        assert any(said in message for _, message in found), (node, found)


def test_plans_are_put_into_those_that_name_them_and_never_into_themselves() -> None:
    inner = plan_of("- {kind: agent, name: a, prompt: p}", input="{n: number}")
    known = Known(plan=lambda name: inner if name == "inner" else None)
    (found,) = in_nodes("kind: ensemble, name: e, ensemble: inner", known=known)
    assert "test takes {n: number}, not text" in found[1]
    whole = load_text(
        "name: o\ninput: {n: number}\nnodes:\n- {kind: ensemble, name: e, ensemble: inner}\n", known
    )
    assert whole.ensembles["inner"].nodes == inner.nodes

    def chain(name: str) -> Plan:
        following = int(name) + 1
        node = {"kind": "ensemble", "name": "e", "ensemble": str(following)}
        return Plan.model_validate_json(json.dumps({"name": name, "nodes": [node]}))

    (deep,) = in_nodes("kind: ensemble, name: e, ensemble: '1'", known=Known(plan=chain))
    assert f"at most {MOST_DEPTH} plans within one another" in deep[1]
    itself = Known(plan=lambda _: chain("1").model_copy(update={"name": "2"}))
    (again,) = in_nodes("kind: ensemble, name: e, ensemble: '2'", known=itself)
    assert "no cycle was expected: test -> 2 -> 2" in again[1]


ORCHESTRA = """\
name: reviewing
description: Several look at it.
agents:
  - name: finder
    model_profile: quick
    system_prompt: List the files as JSON.
    output_format: json
  - name: reader-one
    model_profile: quick
    depends_on: [finder]
    fan_out: true
    input_key: files
  - name: careful
    model_profile: good
    fallback_model_profile: quick
    timeout_seconds: 30
    depends_on:
      - agent_name: finder
synthesis:
  model_profile: good
"""


def test_ensembles_of_llm_orchestra_load() -> None:
    plan = load_text(ORCHESTRA, Known(), "e.yaml")
    finder, reader, careful, synthesis = (each.model_dump() for each in plan.nodes)
    assert finder["output"] == "any"
    assert (reader["fan_out"], reader["given"]) == ("finder.files", {"given": "item"})
    assert careful["on_failure"] == {"profile": "quick"}
    assert careful["timeout"] == 30
    assert synthesis["depends_on"] == ("reader-one", "careful")


@pytest.mark.parametrize(
    ("key", "line", "instead"),
    [
        ("    model: llama3", 8, "profile"),
        ("    temperature: 0.2", 8, "set it in the profile"),
        ("    api_key: abc", 8, "keys are the settings' alone"),
        ("    colour: red", 8, "leave it out"),
        ("    depends_on: [{agent_name: finder, condition: x}]", 8, "write when"),
    ],
)
def test_of_a_key_without_meaning_it_is_said_which_and_what_instead(
    key: str, line: int, instead: str
) -> None:
    lines: list[str] = [*ORCHESTRA.splitlines()]
    lines.insert(7, key)
    found = problems("\n".join(lines))
    assert any(at == line and instead in message for at, message in found), found
    assert "abc" not in str(found)


def test_problems_of_an_orchestra_file_have_its_own_lines() -> None:
    found = problems(ORCHESTRA.replace("depends_on: [finder]", "depends_on: [nobody]"))
    assert (10, "the name of another node was expected, not nobody") in found
