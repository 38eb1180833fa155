"""Who a route is for: dependencies that check the role, and give what the caller may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection, Request  # noqa: TC002 - FastAPI reads the annotations

from coai_server.http.problems import RefusedError
from coai_server.http.security.principals import Principal, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coai_agents.application.roots import Roots
    from coai_server.http.services import Services, Tenant

_DOCUMENTED = HTTPBearer(
    auto_error=False,
    description="The token of `coai http token`, an API key, or an access token of the issuer.",
)
"""For the OpenAPI document alone: the gate has looked at the header before."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what is theirs."""

    principal: Principal
    services: Services
    tenant: Tenant
    roots: Roots


def needs(role: Role) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency that lets a role, and those above it, in."""

    async def caller(
        connection: HTTPConnection, _: Annotated[object, Depends(_DOCUMENTED)]
    ) -> Caller:
        return called(connection, role)

    return caller


async def only_known(request: Request) -> None:
    """Refuse a query that says what the operation does not know, as bodies are refused."""
    known = {each.alias for each in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise RefusedError(
                422,
                "invalid_request",
                f"query.{name}: it is not known here.",
                remedy="Read /openapi.json for what is expected.",
            )


def called(connection: HTTPConnection, role: Role) -> Caller:
    """Return the caller of a request that passed the gate; raises `RefusedError`."""
    principal: Principal | None = getattr(connection.state, "principal", None)
    if principal is None:
        raise RefusedError(401, "missing_token", "The request names nobody.")
    return caller_for(principal, connection.app.state.services, role)


def caller_for(principal: Principal, services: Services, role: Role) -> Caller:
    """Return what somebody may use; raises `RefusedError` where their role is not enough."""
    if principal.role < role:
        raise RefusedError(
            403,
            "role_too_low",
            f"This needs the role {role.name.lower()}; yours is {principal.role.name.lower()}.",
            remedy="Ask who runs the server for a key with that role.",
        )
    return Caller(
        principal, services, services.tenant(principal.tenant), services.roots_of(principal)
    )


Viewer = Annotated[Caller, Depends(needs(Role.VIEWER))]
Runner = Annotated[Caller, Depends(needs(Role.RUNNER))]
Admin = Annotated[Caller, Depends(needs(Role.ADMIN))]
