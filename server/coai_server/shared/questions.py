"""Questions to models and their answers as lines, for a router in another process.

    client  {"question": {...}, "wants": "answer", "pieces" or "models"}
    daemon  {"working": true}       as often as it has nothing to say
            {"piece": {...}}        of an answer as it comes; the last one has the reply
            {"answer": {...}}       a whole one
            {"models": [...]}       the names of those that could answer, without asking them
            {"error": {...}}        instead of the end

What is wrong with a line is `TalkError`.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from coai_routing.errors import (
    BooksError,
    BudgetExceededError,
    CoaiError,
    DeadlineError,
    EgressLogError,
    NoAnswerError,
    ReplyCutOffError,
    SettingsError,
    StaysHereError,
)
from coai_routing.policy.question import Priority, Question
from coai_routing.privacy.sensitivity import Sensitivity, ShownFile
from coai_routing.registry.capabilities import Objective, TierName
from coai_routing.request import Delta, ModelReply, ModelRequest
from coai_routing.router.router import Routed
from coai_server.shared.talk import TalkError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER: Final = "answer"
PIECES: Final = "pieces"
MODELS: Final = "models"
"""What a client wants of a question."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a line: a question may show whole files."""

_PLAIN: Final = {each.__name__: each for each in (BooksError, EgressLogError, SettingsError)}
_REASONED: Final = {
    each.__name__: each
    for each in (BudgetExceededError, DeadlineError, NoAnswerError, StaysHereError)
}

_PATHS: Final = TypeAdapter(tuple[str | ShownFile, ...])
_SENSITIVITY: Final = TypeAdapter(Sensitivity)
_DELTA: Final = TypeAdapter(Delta)

_MALFORMED: Final = (ValidationError, KeyError, TypeError, ValueError, AttributeError)


def question_as_json(question: Question) -> dict[str, Any]:
    """Return a question as a part of a line."""
    told = {each.name: getattr(question, each.name) for each in fields(question)}
    paths = [each if isinstance(each, str) else asdict(each) for each in question.paths]
    return {**told, "request": question.request.model_dump(mode="json"), "paths": paths}


def read_question(told: Mapping[str, Any]) -> Question:
    """Read a question; raises `TalkError`."""
    try:
        read: dict[str, Any] = {
            **told,
            "request": ModelRequest.model_validate(told["request"]),
            "paths": _PATHS.validate_python(told["paths"]),
            "priority": Priority(told["priority"]),
            "objective": None if told["objective"] is None else Objective(told["objective"]),
            "tier": None if told["tier"] is None else TierName(told["tier"]),
        }
        return Question(**read)
    except _MALFORMED as error:
        raise TalkError(f"That is no question: {error}") from error


def routed_as_json(routed: Routed) -> dict[str, Any]:
    """Return an answer as a part of a line."""
    return {**asdict(routed), "reply": _dumped(routed.reply)}


def read_routed(told: Mapping[str, Any]) -> Routed:
    """Read an answer; raises `TalkError`."""
    try:
        read: dict[str, Any] = {
            **told,
            "reply": None if told["reply"] is None else ModelReply.model_validate(told["reply"]),
            "sensitivity": _SENSITIVITY.validate_python(told["sensitivity"]),
        }
        return Routed(**read)
    except _MALFORMED as error:
        raise TalkError(f"That is no answer: {error}") from error


def delta_as_json(delta: Delta) -> dict[str, Any]:
    """Return a piece of an answer as a part of a line."""
    return {**asdict(delta), "reply": _dumped(delta.reply)}


def read_delta(told: Mapping[str, Any]) -> Delta:
    """Read a piece of an answer; raises `TalkError`."""
    try:
        return _DELTA.validate_python(told)
    except _MALFORMED as error:
        raise TalkError(f"That is no piece of an answer: {error}") from error


def error_as_json(error: CoaiError) -> dict[str, Any]:
    """Return an error as a part of a line."""
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "remedy": error.remedy,
        "reasons": list(getattr(error, "reasons", ())),
        "provider": str(getattr(error, "provider", "")),
        "partial": str(getattr(error, "partial", "")),
    }


def read_error(told: Mapping[str, Any]) -> CoaiError:
    """Read an error, of its kind where askers tell it from others; raises `TalkError`."""
    try:
        kind, message, remedy = (str(told[name]) for name in ("kind", "message", "remedy"))
        if kind == ReplyCutOffError.__name__:
            provider, partial = str(told["provider"]), str(told["partial"])
            return ReplyCutOffError(message, provider=provider, remedy=remedy, partial=partial)
        if kind in _REASONED:
            return _REASONED[kind](message, remedy=remedy, reasons=tuple(map(str, told["reasons"])))
        return _PLAIN.get(kind, CoaiError)(message, remedy=remedy)
    except _MALFORMED as error:
        raise TalkError(f"That is no error: {error}") from error


def _dumped(reply: ModelReply | None) -> dict[str, Any] | None:
    return None if reply is None else reply.model_dump(mode="json")
