"""Ensembles in the documented form of LLM Orchestra, read as plans of ours.

What has a meaning here is taken over; of every other key it is said where it stands and what is to
be written instead. Nothing is guessed: a model that an ensemble names directly becomes a profile
that the user has to have, because endpoints and keys are the settings' alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.definition.located import Document
from coai_agents.workflows.definition.types import is_list, is_object
from coai_agents.workflows.errors import PlanError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGENT_KEYS: Final = {
    "name": "name",
    "description": "description",
    "model_profile": "profile",
    "system_prompt": "prompt",
    "role": "description",
    "timeout_seconds": "timeout",
    "fallback_model_profile": "on_failure",
    "on_dependency_failure": "",
    "depends_on": "depends_on",
    "fan_out": "fan_out",
    "input_key": "given",
    "when": "when",
    "output_format": "output",
    "script": "script",
    "parameters": "given",
    "ensemble": "ensemble",
    "cache": "cache",
}
"""Keys of an agent, and which key of a node says the same."""

_PLAN_KEYS: Final = ("name", "description", "agents", "default_task", "task", "synthesis")
_SYNTHESIS_KEYS: Final = ("model_profile", "system_prompt", "prompt", "timeout_seconds")
_INSTEAD: Final = {
    "model": "name a profile of the settings in model_profile",
    "provider": "name a profile of the settings in model_profile",
    "temperature": "set it in the profile",
    "max_tokens": "set it in the profile",
    "options": "set them in the profile",
    "tools": "write a node of kind tool",
    "loop": "write a node of kind loop",
    "dispatch": "write a node of kind dispatch",
    "coordinator": "write synthesis, or an agent that depends on the others",
    "validation": "write a node of kind gate",
    "test_mode": "run it with --no-model",
    "api_key": "keys are the settings' alone",
    "base_url": "endpoints are the settings' alone",
}
PROMPT: Final = "Do what your name says with what you are given, shortly and to the point."
SYNTHESIS: Final = (
    "Put what the others say together into one answer: what they agree on, where they differ, and "
    "what follows. Leave nothing important out and add nothing of your own."
)


def is_orchestra(value: object) -> bool:
    """Say whether a document is in that form."""
    return is_object(value) and "agents" in value and "nodes" not in value


def from_orchestra(document: Document) -> Document:
    """Return a plan's document; raises `PlanError` with every key that has no meaning here."""
    read = _Reading(document)
    plan = read.plan()
    if read.problems:
        raise PlanError(sorted(read.problems))
    return Document(document.file, plan, read.lines)


class _Reading:
    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []
        self.lines = dict(document.lines)

    def plan(self) -> dict[str, Any]:
        value: dict[str, Any] = self._document.value
        self._meaningless(value, _PLAN_KEYS, ())
        agents = value.get("agents")
        if not is_list(agents):
            self._tell(("agents",), "a list of agents was expected")
            return {}
        names = {
            str(each.get("name")): _name(str(each.get("name")))
            for each in agents
            if is_object(each)
        }
        nodes = [
            self._agent(each, number, names)
            for number, each in enumerate(agents)
            if is_object(each)
        ]
        self.lines[("nodes",)] = self._document.lines.get(("agents",), 1)
        _open_what_is_fanned_out(nodes)
        plan: dict[str, Any] = {"nodes": nodes, "name": value.get("name", "")}
        if isinstance(value.get("description"), str):
            plan["description"] = value["description"]
        if value.get("synthesis"):
            plan["nodes"].append(self._synthesis(value["synthesis"], nodes))
        return plan

    def _agent(self, agent: dict[str, Any], number: int, names: dict[str, str]) -> dict[str, Any]:
        at = ("agents", number)
        self._meaningless(agent, tuple(_AGENT_KEYS), at)
        for line_of, key in (("", ""), *_AGENT_KEYS.items()):
            theirs = (*at, line_of) if line_of else at
            ours = ("nodes", number, key) if key else ("nodes", number)
            if theirs in self._document.lines:
                self.lines[ours] = self._document.lines[theirs]
        node: dict[str, Any] = {"name": names.get(str(agent.get("name")), "")}
        if waits := list(self._dependencies(agent, at, names)):
            node["depends_on"] = waits
        node |= self._kind(agent)
        self._plain_keys(agent, node)
        self._data_keys(agent, node, waits, at)
        return node

    def _dependencies(
        self, agent: dict[str, Any], at: tuple[str | int, ...], names: dict[str, str]
    ) -> Iterator[str]:
        given: Any = agent.get("depends_on") or []
        for number, each in enumerate(given if is_list(given) else [given]):
            if is_object(each):
                for key in each.keys() - {"agent_name"}:
                    where = (*at, "depends_on", number, key)
                    self._tell(where, f"{key} has no meaning here: write when on the agent")
                each = each.get("agent_name")  # noqa: PLW2901 - the long form of a name
            yield names.get(str(each), str(each))

    @staticmethod
    def _kind(agent: dict[str, Any]) -> dict[str, Any]:
        if "script" in agent:
            return {"kind": "script", "script": agent["script"]}
        if "ensemble" in agent:
            return {"kind": "ensemble", "ensemble": agent["ensemble"]}
        kind: dict[str, Any] = {"kind": "agent", "prompt": agent.get("system_prompt") or PROMPT}
        if "model_profile" in agent:
            kind["profile"] = agent["model_profile"]
        return kind

    @staticmethod
    def _plain_keys(agent: dict[str, Any], node: dict[str, Any]) -> None:
        if "timeout_seconds" in agent:
            node["timeout"] = agent["timeout_seconds"]
        if "fallback_model_profile" in agent:
            node["on_failure"] = {"profile": agent["fallback_model_profile"]}
        for key in ("when", "description", "cache"):
            if key in agent:
                node[key] = agent[key]
        if agent.get("output_format") == "json":
            node["output"] = "any"

    def _data_keys(
        self,
        agent: dict[str, Any],
        node: dict[str, Any],
        waits: list[str],
        at: tuple[str | int, ...],
    ) -> None:
        key = agent.get("input_key")
        source = waits[0] if waits else "input"
        if key is not None:
            source = f"{source}.{key}"
        if agent.get("fan_out"):
            if not waits:
                self._tell((*at, "fan_out"), "depends_on was expected with it")
            node["fan_out"] = source
        formula = "item" if agent.get("fan_out") else source if key is not None else None
        if node["kind"] == "ensemble":
            node["input"] = formula or (waits[0] if waits else "input")
        elif formula is not None:
            node["given"] = {"given": formula}
        parameters: dict[str, Any] = agent.get("parameters") or {}
        for name, value in parameters.items():
            node.setdefault("given", {})[name] = _constant(value)

    def _synthesis(self, wanted: Any, nodes: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ANN401
        self.lines["nodes", len(nodes)] = self._document.lines.get(("synthesis",), 1)
        waited = {each for node in nodes for each in node.get("depends_on", ())}
        node: dict[str, Any] = {
            "kind": "agent",
            "name": "synthesis",
            "depends_on": [node["name"] for node in nodes if node["name"] not in waited],
            "prompt": SYNTHESIS,
        }
        if is_object(wanted):
            self._meaningless(wanted, _SYNTHESIS_KEYS, ("synthesis",))
            node["prompt"] = wanted.get("system_prompt") or wanted.get("prompt") or SYNTHESIS
            if "model_profile" in wanted:
                node["profile"] = wanted["model_profile"]
            if "timeout_seconds" in wanted:
                node["timeout"] = wanted["timeout_seconds"]
        return node

    def _meaningless(
        self, value: dict[str, Any], known: tuple[str, ...], at: tuple[str | int, ...]
    ) -> None:
        for key in value:
            if key not in known:
                instead = _INSTEAD.get(key, "leave it out")
                self._tell((*at, key), f"{key} has no meaning here: {instead}")

    def _tell(self, at: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self._document.problem(at, message))


def _open_what_is_fanned_out(nodes: list[dict[str, Any]]) -> None:
    """Let what others take apart be whatever it is: that form says no types."""
    taken_apart = {
        str(formula).partition(".")[0]
        for node in nodes
        for formula in (node.get("fan_out"), node.get("input"), *node.get("given", {}).values())
        if isinstance(formula, str)
    }
    for node in nodes:
        if node["name"] in taken_apart and node["kind"] == "agent":
            node["output"] = "any"


def _name(text: str) -> str:
    """Return a name that expressions can use."""
    cleaned = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return cleaned if cleaned[:1].isalpha() else f"n{cleaned}"


def _constant(value: object) -> str:
    """Return a value as an expression that gives it; texts within lists and all."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if is_list(value):
        return f"[{', '.join(map(_constant, value))}]"
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
