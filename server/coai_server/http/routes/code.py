"""What is said of code: findings, explanations, reviews, documentation, completions, routes."""

import asyncio
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.application.audit.auditing import audit
from coai_agents.application.audit.request import AuditRequest
from coai_agents.application.complete import Completions
from coai_agents.application.document import document
from coai_agents.application.document_settings import DocumentSettings
from coai_agents.application.explain import explain
from coai_agents.application.review import changed_since, root_of, written
from coai_agents.application.roots import Place
from coai_agents.completion.outcome import NoSuggestion
from coai_agents.source import Source
from coai_agents.specialists.documentation.agent import Documented
from coai_agents.specialists.edits import change
from coai_agents.specialists.reviewing.agent import facts, review
from coai_agents.specialists.reviewing.diffs import Diff
from coai_agents.specialists.targets import TargetError, located
from coai_routing.registry.capabilities import Objective
from coai_routing.request import Capability
from coai_routing.wiring.explaining import explain_route
from coai_server.http.access import Runner, Viewer, only_known
from coai_server.http.problems import DOCUMENTED
from coai_server.http.routes.forms import WHOLE, Asked

router = APIRouter(
    prefix="/v1", tags=["Code"], responses=DOCUMENTED, dependencies=[Depends(only_known)]
)

MOST_TEXT: Final = 2_000_000


class AuditAsked(Asked):
    """What to look at."""

    path: str = Field(default=".", description="A file or folder, relative to the first root.")
    level: Literal["error", "warning", "information", "hint"] = "warning"
    confidence: Literal["low", "medium", "high"] = "low"
    since: str = Field(default="", description="A git revision: only lines changed since count.")
    offset: Annotated[int, Field(ge=0, le=1_000_000), WHOLE] = 0
    limit: Annotated[int, Field(ge=1, le=1_000), WHOLE] = 100


class Finding(BaseModel):
    """Something that is wrong at a place. Lines and columns count from 1."""

    rule: str
    severity: str
    confidence: str
    message: str
    path: str
    line: int
    column: int
    cwe: list[int]
    fingerprint: str


class Audited(BaseModel):
    """Findings, worst first of each file."""

    findings: list[Finding]
    total: int
    files: int
    notes: list[str]


@router.post("/audit")
async def audited(asked: AuditAsked, caller: Viewer) -> Audited:
    """Find bugs and vulnerabilities by static analysis: no model, nothing leaves the machine."""
    place = caller.roots.place(asked.path)
    wanted = AuditRequest(
        paths=(place.path,),
        level=Severity(asked.level),
        confidence=Confidence(asked.confidence),
        diff=asked.since,
    )
    report = await asyncio.to_thread(audit, wanted)
    notes = [*report.problems]
    for each in report.audited:
        notes += [f"{_named(str(each.path), place)}: {note}" for note in each.analysis.notes]
    found = [
        Finding.model_validate({**row.as_json(), "path": _named(str(row.source.path), place)})
        for row in report.rows[asked.offset : asked.offset + asked.limit]
    ]
    return Audited(findings=found, total=len(report.rows), files=len(report.audited), notes=notes)


def _named(path: str, place: Place) -> str:
    return path.removeprefix(str(place.root)).lstrip("/\\")


class PlaceAsked(Asked):
    """A place in code."""

    what: str = Field(description="PATH, PATH:LINE, PATH:LINE-LINE or PATH:SYMBOL.")
    model: bool = Field(default=True, description="Whether a model may be asked.")


class Report(BaseModel):
    """Statements by section, each with who made it and what it rests on."""

    title: str
    sections: list[dict[str, Any]]
    notes: list[str]


@router.post("/explain")
async def explained(asked: PlaceAsked, caller: Runner) -> Report:
    """Explain code and what was found in it; facts and a model's words apart."""
    place, target = caller.roots.target(asked.what)
    source = await asyncio.to_thread(caller.roots.source, place)
    await located(source, target)
    asker = await caller.tenant.models.asker(place.root, wanted=asked.model)
    return Report.model_validate((await explain(source, target, asker)).as_json())


class ReviewAsked(Asked):
    """The change to look at."""

    path: str = "."
    since: str = Field(default="HEAD", description="The git revision to compare with.")
    diff: str = Field(default="", max_length=MOST_TEXT, description="Instead: a unified diff.")
    model: bool = True


class Reviewed(BaseModel):
    """Comments on a change; none where there is nothing to say."""

    comments: list[dict[str, Any]]
    notes: list[str]


@router.post("/review")
async def reviewed(asked: ReviewAsked, caller: Runner) -> Reviewed:
    """Review a change: the working tree's since a revision, or a given diff."""
    place = caller.roots.place(asked.path)
    folder = root_of(place.path)

    def seen() -> Diff:
        if asked.diff:
            return written(asked.diff, folder)
        return changed_since(place.path, asked.since)

    changes = await asyncio.to_thread(seen)
    named = replace(changes, folder=folder.relative_to(place.root).as_posix())
    asker = await caller.tenant.models.asker(place.root, wanted=asked.model and bool(changes.files))
    found = await review(named, asker) if asked.model else await asyncio.to_thread(facts, named)
    return Reviewed(comments=[each.as_json() for each in found.comments], notes=list(found.notes))


class Changed(BaseModel):
    """A change that is proposed; nothing was written."""

    path: str
    diff: str = Field(description="A unified diff that `git apply` takes; empty for no change.")
    notes: list[str]


@router.post("/document")
async def documented(asked: PlaceAsked, caller: Runner) -> Changed:
    """Propose documentation comments for a file's functions that have none. Writes nothing."""
    place, target = caller.roots.target(asked.what)
    source = await asyncio.to_thread(caller.roots.source, place)
    asker = await caller.tenant.models.asker(place.root, wanted=asked.model)
    answers = await document(source, target, asker)
    if answers is None:
        notes = [f"No convention is known for {source.language}."]
        return Changed(path=place.name, diff="", notes=notes)
    made = [each for each in answers if isinstance(each, Documented)]
    notes = [f"{e.name}: {e.why}" for e in answers if not isinstance(e, Documented)]
    diff = change(source, [each.edit for each in made]).diff(place.name) if made else ""
    return Changed(path=place.name, diff=diff, notes=notes)


class CompletionAsked(Asked):
    """A place in a file, and its text if that is not what is on the disk."""

    path: str
    line: Annotated[int, Field(ge=1, le=10_000_000), WHOLE]
    column: Annotated[int, Field(ge=1, le=10_000_000, description="In characters."), WHOLE]
    text: str | None = Field(default=None, max_length=MOST_TEXT)


class Completed(BaseModel):
    """A suggestion, or why there is none."""

    suggestion: str | None
    replaces: int = Field(default=0, description="Characters after the place that it replaces.")
    reason: str = Field(default="", description="Why there is none.")
    by: str = ""


@router.post("/complete")
async def completed(asked: CompletionAsked, caller: Runner) -> Completed:
    """Suggest what stands at a place, as an editor is shown it: fitted, cleaned, in one piece."""
    place = caller.roots.place(asked.path)
    source = await asyncio.to_thread(caller.roots.source, place)
    if asked.text is not None:
        source = Source(source.uri, asked.text, source.language)
    offset = _offset(source, asked)
    opened = await caller.tenant.models.opened(place.root)
    settings = DocumentSettings(lambda: opened.loaded, [place.root])
    completions = Completions(opened.models, settings)
    try:
        await completions.start()
        outcome = await completions.complete(source, offset)
    finally:
        await completions.aclose()
    if isinstance(outcome, NoSuggestion):
        return Completed(suggestion=None, reason=outcome.sentence)
    return Completed(
        suggestion=outcome.text, replaces=outcome.replaces, by=f"{outcome.backend} {outcome.model}"
    )


def _offset(source: Source, asked: CompletionAsked) -> int:
    if asked.line > source.line_count:
        raise TargetError(f"The file has {source.line_count} lines.")
    start, end = source.line_start(asked.line - 1), source.line_end(asked.line - 1)
    if asked.column > end - start + 1:
        raise TargetError(f"Line {asked.line} ends at column {end - start + 1}.")
    return start + asked.column - 1


class RouteAsked(Asked):
    """What would be asked."""

    question: str = Field(default="", max_length=MOST_TEXT)
    capability: Literal[
        "code_completion",
        "code_analysis",
        "error_diagnosis",
        "architecture_design",
        "documentation",
        "security_analysis",
        "performance",
    ] = "code_analysis"
    objective: Literal["latency", "quality", "cost", "balanced"] | None = None


class Choice(BaseModel):
    """A model at an endpoint, and why it is or is not asked."""

    alias: str
    endpoint: str
    local: bool
    why: str
    remedy: str = ""


class Route(BaseModel):
    """The plan for a request; nothing was sent."""

    complexity: float
    sensitive: list[str]
    candidates: list[Choice]
    rejected: list[Choice]


@router.post("/route/explain")
async def route(asked: RouteAsked, caller: Viewer) -> Route:
    """Tell which model would answer, why, and why the others would not."""
    opened = await caller.tenant.models.opened(caller.roots.folders[0])
    found = await explain_route(
        opened.settings,
        question=asked.question,
        capability=Capability(asked.capability),
        objective=None if asked.objective is None else Objective(asked.objective),
    )
    return Route(
        complexity=found.complexity,
        sensitive=[str(reason) for reason in found.sensitivity.reasons],
        candidates=[
            Choice(
                alias=one.deployment.alias,
                endpoint=one.deployment.endpoint,
                local=one.deployment.local,
                why=one.why,
            )
            for one in found.plan.candidates
        ],
        rejected=[
            Choice(
                alias=one.deployment.alias,
                endpoint=one.deployment.endpoint,
                local=one.deployment.local,
                why=one.why,
                remedy=one.remedy,
            )
            for one in found.plan.rejected
        ],
    )
