"""The page's routes: a browser signs in with a token, and sees runs, findings, usage, privacy.

Everything is rendered here. The one script only listens to a run's events; the policy lets nothing
run that is not a file of ours. A session's cookie goes to no other site's request, no program's
route takes it, and every form carries a secret of its session.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import FileResponse, RedirectResponse

from coai_agents.analysis.findings.findings import Severity
from coai_agents.application.audit.auditing import audit
from coai_agents.application.audit.request import AuditRequest
from coai_agents.workflows.reports.report import report_of
from coai_routing.errors import CoaiError
from coai_routing.privacy import departures
from coai_routing.records import spending
from coai_server.http.access import Caller, caller_for
from coai_server.http.page.drawing import drawn
from coai_server.http.page.rendering import HEADERS, rendered
from coai_server.http.problems import RefusedError
from coai_server.http.routes.runs import told
from coai_server.http.security.principals import OWN_TENANT, Role
from coai_server.http.streams import EventStream

COOKIE: Final = "coai_session"
STATIC: Final = Path(__file__).with_name("static")
_FILES: Final = {"style.css": "text/css", "live.js": "text/javascript"}
MOST_FORM: Final = 100_000
MOST_FINDINGS: Final = 500

router = APIRouter(include_in_schema=False)


class _Visitor:
    """Who looks at the page."""

    def __init__(self, caller: Caller, secret: str) -> None:
        self.caller = caller
        self.secret = secret

    def render(self, name: str, **values: Any) -> Response:  # noqa: ANN401 - what a template shows
        """Return a page for them."""
        principal = self.caller.principal
        return rendered(
            name,
            secret=self.secret,
            who=principal.name,
            may_run=principal.role >= Role.RUNNER,
            **values,
        )


def _visits(role: Role) -> Callable[[Request], Awaitable[_Visitor]]:
    async def visiting(request: Request) -> _Visitor:
        services = request.app.state.services
        known = await services.doorkeeper.by_session(request.cookies.get(COOKIE, ""))
        if known is None:
            # Whoever followed a link is asked to sign in.
            raise RefusedError(303, "sign_in", "Sign in.", headers={"location": "/login"})
        principal, secret = known
        request.state.principal = principal
        return _Visitor(caller_for(principal, services, role), secret)

    return visiting


async def _form(request: Request) -> dict[str, str]:
    body = await request.body()
    if len(body) > MOST_FORM:
        raise RefusedError(413, "too_large", "The form is too large.")
    said = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in said.items()}


async def _own_form(request: Request, visitor: _Visitor) -> dict[str, str]:
    """Return a form that this page gave out; raises `RefusedError` for any other."""
    form = await _form(request)
    shown = form.get("secret", "").encode("utf-8", "replace")
    if not secrets.compare_digest(shown, visitor.secret.encode()):
        raise RefusedError(
            403, "cross_site", "The form is not of this page.", remedy="Load the page again."
        )
    return form


Visitor = Annotated[_Visitor, Depends(_visits(Role.VIEWER))]
Doer = Annotated[_Visitor, Depends(_visits(Role.RUNNER))]


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Give the style and the script."""
    if name not in _FILES:
        raise RefusedError(404, "no_such_route", "There is no such file.")
    return FileResponse(STATIC / name, media_type=_FILES[name], headers=HEADERS)


@router.get("/login")
async def login() -> Response:
    """Ask for a token."""
    return rendered("login.html", wrong=False)


@router.post("/login")
async def signed_in(request: Request) -> Response:
    """Begin a session with a token."""
    services = request.app.state.services
    token = (await _form(request)).get("token", "").strip()
    try:
        principal = await services.doorkeeper.by_token(token)
    except RefusedError as error:
        if error.status != 401:  # noqa: PLR2004 - the token is wrong
            raise
        return rendered("login.html", status=401, wrong=True)
    request.state.principal = principal
    response = RedirectResponse("/", 303, HEADERS)
    config = services.config
    response.set_cookie(
        COOKIE,
        services.doorkeeper.sessions.begin(principal, token),
        httponly=True,
        samesite="strict",
        secure=config.encrypted or config.proxy is not None,
    )
    return response


@router.post("/logout")
async def signed_out(request: Request, visitor: Visitor) -> Response:
    """End the session."""
    await _own_form(request, visitor)
    visitor.caller.services.doorkeeper.sessions.end(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/login", 303, HEADERS)
    response.delete_cookie(COOKIE)
    return response


@router.get("/")
async def runs(visitor: Visitor) -> Response:
    """Show the runs."""
    caller = visitor.caller
    rows = await caller.tenant.runs.rows(caller.roots.folders, 100)
    live = any(row.state == "running" for row in rows)
    return visitor.render("runs.html", rows=rows, live=live)


@router.get("/runs/{run}")
async def run_page(run: str, visitor: Visitor) -> Response:
    """Show a run: its graph, its steps, what it asks, what it came to."""
    caller = visitor.caller
    report = report_of(await caller.tenant.runs.story(run, caller.roots.folders))
    shape = report.ready.shape
    known = report.as_json()
    states = {step["step"]: step["state"] for step in known["steps"]}
    return visitor.render(
        "run.html",
        run=known,
        graph=drawn(list(shape.nodes), {n: tuple(w) for n, w in shape.waits.items()}, states),
        last=known["events"][-1]["seq"] if known["events"] else -1,
        live=known["state"] == "running" or caller.tenant.runs.is_busy(known["run"]),
    )


@router.get("/page/runs/{run}/events")
async def run_events(
    run: str, request: Request, visitor: Visitor, after: Annotated[int, Query(ge=-1)] = -1
) -> Response:
    """Stream a run's events to its page."""
    said = request.headers.get("last-event-id", "")
    caller = visitor.caller
    row, last = await caller.tenant.runs.row(run, caller.roots.folders)
    seen = int(said) if said.isdecimal() and len(said) < 10 else after  # noqa: PLR2004 - digits
    busy = row.state == "running" or caller.tenant.runs.is_busy(row.id)
    if not busy and seen >= last:
        return Response(status_code=204)
    return EventStream(told(caller, row.id, seen))


@router.post("/runs/{run}/answer")
async def answer(run: str, request: Request, visitor: Doer) -> Response:
    """Answer a question of a run."""
    form = await _own_form(request, visitor)
    caller = visitor.caller
    row, _ = await caller.tenant.runs.row(run, caller.roots.folders)
    await caller.tenant.runs.answer(row.id, form.get("step", ""), form.get("answer", ""))
    return RedirectResponse(f"/runs/{quote(row.id)}", 303, HEADERS)


@router.post("/runs/{run}/cancel")
async def cancel(run: str, request: Request, visitor: Doer) -> Response:
    """Cancel a run."""
    await _own_form(request, visitor)
    caller = visitor.caller
    row, _ = await caller.tenant.runs.row(run, caller.roots.folders)
    await caller.tenant.runs.stop(row.id, "cancel")
    return RedirectResponse(f"/runs/{quote(row.id)}", 303, HEADERS)


@router.get("/findings")
async def findings(visitor: Visitor, path: str = ".") -> Response:
    """Show what static analysis finds; no model is asked."""
    try:
        place = visitor.caller.roots.place(path)
    except CoaiError as error:
        return visitor.render("findings.html", path=path, rows=[], files=0, problem=str(error))
    wanted = AuditRequest(paths=(place.path,), level=Severity.WARNING)
    report = await asyncio.to_thread(audit, wanted)
    root = f"{place.root}/"
    rows = [
        {**row.as_json(), "path": str(row.source.path).removeprefix(root)}
        for row in report.rows[:MOST_FINDINGS]
    ]
    return visitor.render(
        "findings.html", path=path, rows=rows, files=len(report.audited), problem=""
    )


@router.get("/usage")
async def usage(visitor: Visitor) -> Response:
    """Show what models were asked and what left the machine."""
    rows: tuple[Any, ...] = ()
    left: tuple[Any, ...] = ()
    own = visitor.caller.principal.tenant == OWN_TENANT
    if own:
        since = datetime.now(UTC) - timedelta(days=30)
        rows = await asyncio.to_thread(
            lambda: spending.read_stats(spending.location(), since=since)
        )
    if own and visitor.caller.principal.role >= Role.ADMIN:
        left = await asyncio.to_thread(
            lambda: departures.read_departures(departures.location(), limit=100)
        )
    return visitor.render("usage.html", rows=rows, left=left, own=own)
