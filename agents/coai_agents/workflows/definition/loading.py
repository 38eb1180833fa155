"""Loading plans: a text or a value becomes a `Plan` that may run, or all its problems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from coai_agents.workflows.definition.checking import MOST_DEPTH, plan_names, problems_of
from coai_agents.workflows.definition.located import Document, read_document
from coai_agents.workflows.definition.orchestra import from_orchestra, is_orchestra
from coai_agents.workflows.definition.schema import Plan
from coai_agents.workflows.definition.types import is_list, is_object
from coai_agents.workflows.errors import PlanError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from coai_agents.workflows.definition.known import Known
    from coai_agents.workflows.definition.types import Json

_WORDS: Final = {
    "extra_forbidden": "this key is not known",
    "missing": "{name} was expected",
    "union_tag_not_found": "kind was expected: {expected}",
    "union_tag_invalid": "kind was expected to be one of {expected_tags}",
}


def load_text(text: str, known: Known, file: str = "") -> Plan:
    """Load a plan from YAML or JSON; raises `PlanError`."""
    return load_document(read_document(text, file), known)


def load_value(value: Json, known: Known) -> Plan:
    """Load a plan from what JSON can say; raises `PlanError`."""
    return load_document(Document("", value), known)


def load_document(document: Document, known: Known) -> Plan:
    """Load a plan from a document; raises `PlanError`."""
    if is_orchestra(document.value):
        document = from_orchestra(document)
    plan = _of_form(document)
    return checked(plan, known, document)


def checked(plan: Plan, known: Known, document: Document | None = None) -> Plan:
    """Return a plan with those that it names in it; raises `PlanError` for what does not hold."""
    where = document or Document("", None)
    # First, because what nested plans give is of no type where they go on for ever.
    nested = dict(_nested(plan, known, (plan.name,), where))
    told = problems_of(plan, known)
    if told:
        raise PlanError(sorted({where.problem(at, message) for at, message in told}))
    return plan.model_copy(update={"ensembles": nested}) if nested else plan


def _nested(
    plan: Plan, known: Known, way: tuple[str, ...], where: Document
) -> Iterator[tuple[str, Plan]]:
    """Yield every plan that one needs, however deep."""
    for name in sorted(plan_names(plan.nodes)):
        if name in way:
            cycle = " -> ".join((*way, name))
            raise PlanError([Problem(where.file, 0, f"no cycle was expected: {cycle}")])
        if len(way) >= MOST_DEPTH:
            deep = " -> ".join((*way, name))
            message = f"at most {MOST_DEPTH} plans within one another were expected: {deep}"
            raise PlanError([Problem(where.file, 0, message)])
        found = known.plan(name)
        if found is None:
            continue
        yield name, found.model_copy(update={"ensembles": {}})
        yield from _nested(found, known, (*way, name), where)


def _of_form(document: Document) -> Plan:
    try:
        text = json.dumps(document.value, allow_nan=False)
    except ValueError as error:
        message = "numbers were expected that JSON can say"
        raise PlanError([document.problem((), message)]) from error
    try:
        # By way of JSON, because a list may stand for a tuple there and a text never for a number.
        return Plan.model_validate_json(text)
    except ValidationError as error:
        problems = {
            document.problem(at, _message(each, at))
            for each in error.errors(include_url=False)
            for at, value in (_place(document.value, each["loc"]),)
            if not _is_beside_the_point(each, value)
        }
        raise PlanError(sorted(problems)) from error


def _is_beside_the_point(error: ErrorDetails, value: Any) -> bool:  # noqa: ANN401 - JSON
    """Say whether an error is of a form that was not meant, or follows from another error."""
    if any(str(part).startswith("literal[") for part in error["loc"]):
        return is_object(value)
    if error["type"] == "model_type":
        return isinstance(value, str)
    return error["type"] == "too_short" and bool(value)


def _place(
    value: Any,  # noqa: ANN401 - JSON
    loc: tuple[str | int, ...],
) -> tuple[tuple[str | int, ...], Any]:
    """Return where an error is in the document, and what is there.

    pydantic also names the kinds of unions on its way, and keys that are not there.
    """
    at: list[str | int] = []
    for part in loc:
        found = _child(value, part)
        if found is not None:
            at.append(part)
            value = found[0]
    return tuple(at), value


def _child(value: Json, part: str | int) -> tuple[Json] | None:
    """Return what a value has under a key or an index, in a tuple; None where it has nothing."""
    if is_object(value):
        return (value[str(part)],) if part in value else None
    if is_list(value) and isinstance(part, int) and part < len(value):
        return (value[part],)
    return None


def _message(error: ErrorDetails, at: tuple[str | int, ...]) -> str:
    last = [error["loc"][-1]] if error["type"] in ("missing", "extra_forbidden") else at
    name = next((each for each in reversed(last) if isinstance(each, str)), "it")
    context = {"name": name, "expected": "agent, tool, ...", **error.get("ctx", {})}
    if words := _WORDS.get(error["type"]):
        said = words.format(**context)
        return f"{name}: {said}" if error["type"] == "extra_forbidden" else said
    if error["type"] == "value_error":
        return f"{name}: {context['error']}"
    message = error["msg"]
    return f"{name}: {message[:1].lower()}{message[1:]}"
