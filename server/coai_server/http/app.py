"""The application put together: routes, errors, and the gate before all of it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from coai_server.http import problems
from coai_server.http.beside import Beside
from coai_server.http.page import page
from coai_server.http.routes import about, code, proxy, runs, sockets
from coai_server.http.security.access_log import AccessLog, access_file
from coai_server.http.security.doorkeeper import Doorkeeper
from coai_server.http.security.gate import Gate
from coai_server.http.services import Services

if TYPE_CHECKING:
    from coai_server.http.config import Config

DESCRIPTION: Final = (
    "COAI's agents, and its router as an OpenAI-compatible proxy. Errors are JSON with a type, "
    "what happened and what to do. A model that may not or cannot answer is a 409."
)


def application() -> FastAPI:
    """Return the routes, without anything behind them: enough for the OpenAPI document."""
    app = FastAPI(
        title="COAI",
        description=DESCRIPTION,
        version=version("coai"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    for each in (about.health, about.router, proxy.router, code.router, runs.router):
        app.include_router(each)
    app.include_router(sockets.router)
    app.include_router(page.router)
    return app


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return application().openapi()


def opened(config: Config) -> tuple[Gate, Services, Beside]:
    """Open what the server needs; whoever calls this closes the services.

    Raises OSError or sqlite3.Error where the server's own files cannot be used, `AccessLogError`,
    and `PathError` for a root that is no folder.
    """
    doorkeeper = Doorkeeper(config)
    log = AccessLog(access_file(config.state))
    services = Services(config, doorkeeper, log)
    app = application()
    app.state.services = services
    beside = Beside(app)
    gate = Gate(
        beside, config=config, doorkeeper=doorkeeper, log=log, ends=lambda: services.draining
    )
    return gate, services, beside
