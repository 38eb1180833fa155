"""What there is and how it does: health, figures, ensembles, who asked, what left the machine."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from coai_agents.workflows.definition.types import read_type
from coai_agents.workflows.errors import WorkflowError
from coai_routing.privacy import departures
from coai_routing.records import spending
from coai_server.http.access import Admin, Viewer, only_known
from coai_server.http.problems import DOCUMENTED, Problem, RefusedError, answer
from coai_server.http.runs.running import library_of
from coai_server.http.security.access_log import read_accesses
from coai_server.http.security.principals import OWN_TENANT

router = APIRouter(tags=["About"], responses=DOCUMENTED, dependencies=[Depends(only_known)])
health = APIRouter(
    tags=["Health"],
    responses={status: DOCUMENTED[status] for status in (400, 403, 422)},
    dependencies=[Depends(only_known)],
)

Limit = Annotated[int, Query(ge=1, le=1_000)]


class State(BaseModel):
    """How the server does."""

    state: Literal["ok", "draining"]


@health.get("/healthz")
async def healthz() -> State:
    """Say that the process lives. Needs no token."""
    return State(state="ok")


@health.get("/readyz", response_model=State, responses={503: {"description": "It ends."}})
async def readyz(request: Request) -> Any:  # noqa: ANN401 - a value or a response
    """Say whether new requests are welcome: not while it ends. Needs no token."""
    if request.app.state.services.draining:
        words = Problem(type="draining", message="The server ends.", remedy="Ask another one.")
        return answer(503, words)
    return State(state="ok")


@health.get("/.well-known/oauth-protected-resource", include_in_schema=False)
async def resource(request: Request) -> Response:
    """Say whose access tokens count (RFC 9728). Needs no token."""
    oauth = request.app.state.services.config.oauth
    if oauth is None:
        raise RefusedError(404, "no_issuer", "No issuer of access tokens is set.")
    import json  # noqa: PLC0415 - for this alone

    said = {"resource": oauth.audience, "authorization_servers": [oauth.issuer]}
    return Response(json.dumps(said), media_type="application/json")


class Me(BaseModel):
    """Who asks."""

    name: str
    role: str
    tenant: str
    folders: list[str]


@router.get("/v1/me")
async def me(caller: Viewer) -> Me:
    """Say who the token names, and what they may."""
    who = caller.principal
    folders = [str(each) for each in caller.roots.folders]
    return Me(name=who.name, role=who.role.name.lower(), tenant=who.tenant, folders=folders)


class Ticket(BaseModel):
    """What opens one WebSocket."""

    ticket: str = Field(description="The subprotocol `coai.ticket.TICKET`, beside `coai.v1`.")
    seconds: float


@router.post("/v1/tickets")
async def ticket(caller: Viewer) -> Ticket:
    """Give a ticket for one WebSocket, for clients that can set no header."""
    tickets = caller.services.doorkeeper.tickets
    return Ticket(ticket=tickets.give(caller.principal), seconds=tickets.seconds)


class EnsembleRow(BaseModel):
    """An ensemble."""

    name: str
    origin: str
    description: str
    input: str = Field(description="The type of its input.")
    problem: str = Field(default="", description="Why it cannot be used.")


@router.get("/v1/ensembles")
async def ensembles(caller: Viewer) -> list[EnsembleRow]:
    """List the ensembles that may be run in the caller's first folder."""

    def listed() -> list[EnsembleRow]:
        plans = library_of(caller.roots.folders[0])
        rows: list[EnsembleRow] = []
        for name, entry in plans.entries().items():
            try:
                plan = plans.plan(name)
            except WorkflowError as error:
                row = EnsembleRow(
                    name=name, origin=entry.origin, description="", input="", problem=str(error)
                )
            else:
                row = EnsembleRow(
                    name=name,
                    origin=entry.origin,
                    description=plan.description,
                    input=str(read_type(plan.input)),
                )
            rows.append(row)
        return rows

    return await asyncio.to_thread(listed)


class ModelFigures(BaseModel):
    """What one model was asked."""

    model_config = {"extra": "allow"}


class Stats(BaseModel):
    """Figures of the router's calls; they are of the whole machine, so of the user alone."""

    days: int
    models: list[ModelFigures]


@router.get("/v1/stats")
async def stats(caller: Viewer, days: Annotated[int, Query(ge=1, le=400)] = 30) -> Stats:
    """Tell what models were asked through the router, and what it cost."""
    _of_the_user(caller.principal.tenant)
    since = datetime.now(UTC) - timedelta(days=days)
    rows = await asyncio.to_thread(lambda: spending.read_stats(spending.location(), since=since))
    return Stats(days=days, models=[ModelFigures.model_validate(row.as_json()) for row in rows])


class Departed(BaseModel):
    """Something that left the machine: to whom and why, never what it said."""

    at: str
    host: str
    endpoint: str
    model: str
    capability: str
    bytes: int
    why: str


@router.get("/v1/privacy")
async def privacy(caller: Admin, limit: Limit = 50) -> list[Departed]:
    """List what left this machine, the newest first."""
    _of_the_user(caller.principal.tenant)
    rows = await asyncio.to_thread(
        lambda: departures.read_departures(departures.location(), limit=limit)
    )
    return [Departed.model_validate(row.as_json()) for row in rows]


class AccessRow(BaseModel):
    """A request that was made."""

    at: str
    tenant: str
    who: str
    address: str
    method: str
    path: str
    status: int
    ms: float


@router.get("/v1/access")
async def access(caller: Admin, limit: Limit = 50) -> list[AccessRow]:
    """List who asked for what, the newest first; other tenants' requests only to the user."""
    tenant = None if caller.principal.tenant == OWN_TENANT else caller.principal.tenant
    path = caller.services.log.path
    rows = await asyncio.to_thread(lambda: read_accesses(path, tenant, limit=limit))
    return [AccessRow.model_validate(row, from_attributes=True) for row in rows]


def _of_the_user(tenant: str) -> None:
    if tenant != OWN_TENANT:
        raise RefusedError(
            403, "other_tenant", "These figures are of the whole machine, so of its user alone."
        )
