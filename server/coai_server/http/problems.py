"""Errors as answers: JSON with a type, what happened, and what to do; the form OpenAI clients read.

A model that cannot answer is no failure of this server, so it is a 409, not a 5xx: the settings,
the budget or the machine have to change before the same request can be answered. `x-should-retry`
tells OpenAI's clients not to try that again by themselves. A 5xx is a defect of COAI.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from coai_agents.application.roots import OutsideError, PathError
from coai_agents.specialists.targets import TargetError
from coai_agents.workflows.errors import JournalError, RunNotFoundError
from coai_routing.errors import (
    BudgetExceededError,
    CoaiError,
    DeadlineError,
    NoAnswerError,
    StaysHereError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(description="What kind of error it is; programs tell errors apart by it.")
    message: str = Field(description="What happened.")
    remedy: str = Field(default="", description="What to do about it.")
    code: str | None = Field(default=None, description="The same as `type`, for OpenAI's clients.")
    param: str | None = Field(default=None, description="The part of the request that is meant.")


class Problems(BaseModel):
    """The answer to a request that failed."""

    error: Problem


class RefusedError(CoaiError):
    """A request is refused by the door itself."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})


_STATUSES: Final[tuple[tuple[type[CoaiError], int, str], ...]] = (
    (StaysHereError, 409, "stays_here"),
    (BudgetExceededError, 409, "over_budget"),
    (DeadlineError, 409, "too_late"),
    (NoAnswerError, 409, "no_model"),
    (OutsideError, 403, "outside"),
    (PathError, 404, "no_such_path"),
    (TargetError, 404, "no_such_place"),
    (RunNotFoundError, 404, "no_such_run"),
    (JournalError, 409, "journal_unusable"),
)
"""The first that fits counts."""

METHOD_NOT_ALLOWED: Final = 405
_HTTP: Final = {
    400: ("bad_request", "Read /openapi.json for what is expected."),
    404: ("no_such_route", "/openapi.json lists what there is."),
    405: ("method_not_allowed", "The header `allow` names what is."),
}

DOCUMENTED: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problems, "description": words}
    for status, words in {
        400: "It cannot be read, or has a token in its address.",
        401: "Nobody was named, or the token does not count (any more).",
        403: "It is not for this caller, or comes from another site.",
        404: "It is not there.",
        405: "Not by this method.",
        408: "The body came too slowly.",
        409: "It cannot be done as things are: no model may answer, a run is in another state.",
        413: "The body is too large.",
        422: "It does not have the form that is documented here.",
        429: "Too many requests; `retry-after` says when there is room again.",
        500: "A defect of COAI.",
    }.items()
}
"""What every operation may answer besides what it is for."""


def _methods(request: Request) -> str:
    """Return the methods that a path takes by the document; a route knows its own alone."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = {
        method.upper()
        for path, operations in paths.items()
        if compile_path(path)[0].match(request.url.path)
        for method in operations
    }
    return ", ".join(sorted(found))


def answer(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a response. Whatever characters it has, it can be sent."""
    problem.code = problem.type
    content = json.dumps({"error": problem.model_dump()})
    more = {"x-should-retry": "false"} if status == 409 else {}  # noqa: PLR2004 - as said above
    return Response(content, status, {**more, **(headers or {})}, media_type="application/json")


def problem_of(error: CoaiError) -> tuple[int, Problem]:
    """Return the status and the words for an error of ours."""
    if isinstance(error, RefusedError):
        return error.status, Problem(type=error.kind, message=error.message, remedy=error.remedy)
    known = ((status, kind) for each, status, kind in _STATUSES if isinstance(error, each))
    status, kind = next(known, (409, "not_possible"))
    reasons: tuple[str, ...] = getattr(error, "reasons", ())
    said = " ".join([error.message, *(f"{reason.rstrip('.')}." for reason in reasons)])
    return status, Problem(type=kind, message=said, remedy=error.remedy)


def answer_to(error: CoaiError) -> Response:
    """Return the response to an error of ours."""
    status, problem = problem_of(error)
    return answer(status, problem, error.headers if isinstance(error, RefusedError) else None)


def install(app: FastAPI) -> None:
    """Have an application answer errors so."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, CoaiError)
        return answer_to(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        said = Problem(
            type="invalid_request",
            message=f"{where}: {first['msg']}.",
            remedy="Read /openapi.json for what is expected.",
            param=where,
        )
        return answer(422, said)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if error.status_code == METHOD_NOT_ALLOWED and (known := _methods(request)):
            headers["allow"] = known
        kind, remedy = _HTTP.get(error.status_code, ("refused", ""))
        said = Problem(type=kind, message=f"{error.detail}.", remedy=remedy)
        return answer(error.status_code, said, headers)

    async def defect(_: Request, error: Exception) -> Response:
        logger.error("A request could not be answered.", exc_info=error)
        said = Problem(
            type="internal_error",
            message="COAI failed by a flaw of its own.",
            remedy="The log of `coai http` says where; please report it.",
        )
        return answer(500, said)

    app.add_exception_handler(CoaiError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, defect)
