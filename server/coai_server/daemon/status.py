"""What the editor's status bar shows, and why the last request got no suggestion: plain JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from coai_agents.completion.outcome import Suggestion
from coai_routing.router.cloud_completion import NAME as CLOUD
from coai_routing.wiring.configured import state_directory

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.completion.outcome import Event
    from coai_routing.policy.completion import CompletionPlan
    from coai_routing.policy.deployment import Deployment
    from coai_routing.pool.backends import Editor
    from coai_routing.settings.schema import Settings
    from coai_server.daemon.services import Services


def describe_status(services: Services, uri: str | None = None) -> dict[str, Any]:
    """Return the state of everything that completions depend on, in a document if one is named."""
    plan = services.models.backends.plan()
    first = plan.candidates[0].deployment if plan.candidates else None
    embedded = services.models.embedded.served().deployment
    shown = first or embedded
    refused = next(
        (one for one in plan.rejected if one.deployment.endpoint == embedded.endpoint), None
    )
    detail = plan.candidates[0].why if plan.candidates else refused.why if refused else ""
    remedy = "" if plan.candidates else refused.remedy if refused else ""
    history = services.completer.history
    return {
        "model": shown.model,
        "backend": None if first is None else first.endpoint,
        "local": shown.local,
        "phase": shown.phase,
        "detail": detail,
        "remedy": remedy,
        "nextEdit": _describe_editor_of(services),
        "missingModel": services.models.embedded.missing,
        "completion": _describe_switches(services, uri),
        "privacyMode": services.settings.privacy.mode,
        "cloud": _describe_cloud(services, plan),
        **describe_plan(plan),
        "last": describe_event(history[-1]) if history else None,
        "problems": [str(problem) for problem in _problems(services)],
    }


def _describe_editor_of(services: Services) -> dict[str, Any] | None:
    if not services.settings.completion.next_edit:
        return None
    editor = services.predictor.editor
    return None if editor is None else describe_editor(editor)


def describe_editor(editor: Editor) -> dict[str, Any]:
    """Return the model that is asked for the next edit."""
    return {
        "backend": editor.name,
        "model": editor.model,
        "family": editor.family.title,
        "local": editor.local,
    }


def _problems(services: Services) -> tuple[object, ...]:
    problem = services.recorder.problem
    return services.loaded.problems if problem is None else (*services.loaded.problems, problem)


def _describe_cloud(services: Services, plan: CompletionPlan) -> dict[str, Any]:
    """Return whether completions may go to a cloud model, and whether they would.

    It is `ready` where it is asked as soon as no model on this machine can answer.
    """
    deployment = services.models.cloud.deployment
    forbidden = _forbidden(services.settings)
    ready = any(candidate.deployment.endpoint == CLOUD for candidate in plan.candidates)
    refused = next((one for one in plan.rejected if one.deployment.endpoint == CLOUD), None)
    detail = remedy = ""
    if forbidden is not None:
        detail, remedy = forbidden
    elif refused is not None:
        detail, remedy = refused.why, refused.remedy
    elif deployment is None:
        detail = "Which model could be asked is being looked up."
    return {
        "allowed": forbidden is None,
        "ready": ready,
        "model": None if deployment is None else deployment.model or None,
        "detail": detail,
        "remedy": remedy,
    }


def _forbidden(settings: Settings) -> tuple[str, str] | None:
    """Return what keeps completions from the cloud, and what would change that; None if nothing."""
    if settings.privacy.mode:
        return "Privacy mode is on.", "Switch `privacy.mode` off."
    if not settings.completion.allow_cloud:
        return "Completions may not leave this machine.", "Set `completion.allow_cloud`."
    if not settings.routing.allow_cloud:
        return "Cloud models are not allowed.", "Set `routing.allow_cloud`."
    return None


def _describe_switches(services: Services, uri: str | None) -> dict[str, Any]:
    """Return what keeps completions away from a document, or from all of them."""
    settings = services.settings.completion if uri is None else services.completion_settings(uri)
    source = None if uri is None else services.document(uri)
    until = services.gate.snoozed_until
    return {
        "enabled": settings.enabled,
        "language": None if source is None else source.language,
        "languageEnabled": None if source is None else settings.serves(source.language),
        "snoozedSeconds": None if until is None else until - time.monotonic(),
    }


def describe_history(services: Services) -> list[dict[str, Any]]:
    """Return the last requests and what each ended in, newest first."""
    return [describe_event(event) for event in reversed(services.completer.history)]


def describe_models(services: Services) -> list[dict[str, Any]]:
    """Return the models that the engine could run, with what is here of each; reads the disk.

    They are the catalogue's and the user's own files, whose name is their path and whose licence
    nobody knows. The speed is the one that was measured with the engine's settings as they are now.
    """
    # Imported here, because only who chooses a model needs it.
    from coai_routing.engine.speed_probe import kept_speed, speed_key  # noqa: PLC0415
    from coai_routing.wiring.embedded import engine_options  # noqa: PLC0415

    options = engine_options(services.settings.engine).settled()
    store, in_use = services.models.store, services.settings.engine.model
    described: list[dict[str, Any]] = []

    def describe(name: str, path: Path, *, present: bool, used: bool, **known: object) -> None:
        kept = kept_speed(state_directory(), speed_key(path, options)) if present else None
        speed = None
        if kept is not None:
            speed = kept
        elif used:
            # A figure that was taken on a busy machine is not kept, but better than none.
            speed = services.models.embedded.served().deployment.speed
        described.append(
            {
                "name": name,
                **known,
                "present": present,
                "inUse": used,
                "speed": None
                if speed is None
                else {
                    "prompt": speed.prompt_tokens_per_second,
                    "output": speed.output_tokens_per_second,
                },
            }
        )

    for stored in store.listed():
        model = stored.model
        describe(
            model.name,
            stored.path,
            present=stored.present,
            used=model.name == in_use,
            title=model.title,
            license=model.license,
            sizeBytes=model.size,
        )
    for own in store.own(in_use):
        describe(
            str(own.path),
            own.path,
            present=True,
            used=own.in_use,
            title=own.title,
            license=None,
            sizeBytes=own.size,
        )
    return described


def describe_plan(plan: CompletionPlan) -> dict[str, Any]:
    """Return the order in which backends are asked, and why others are not."""
    return {
        "candidates": [
            {**_describe_deployment(candidate.deployment), "why": candidate.why}
            for candidate in plan.candidates
        ],
        "rejected": [
            {
                **_describe_deployment(refused.deployment),
                "why": refused.why,
                "remedy": refused.remedy,
            }
            for refused in plan.rejected
        ],
    }


def _describe_deployment(deployment: Deployment) -> dict[str, Any]:
    # The cloud's is what decides how much is sent there, and was not measured.
    speed = None if deployment.endpoint == CLOUD else deployment.speed
    return {
        "name": deployment.endpoint,
        "model": deployment.model,
        "local": deployment.local,
        "phase": deployment.phase,
        "speed": None
        if speed is None
        else {"prompt": speed.prompt_tokens_per_second, "output": speed.output_tokens_per_second},
        "latencyMs": deployment.latency_ms,
    }


def describe_event(event: Event) -> dict[str, Any]:
    """Return one request and what it ended in."""
    outcome = event.outcome
    place = {
        "uri": event.uri,
        "line": event.line,
        "trigger": event.trigger.value,
        "elapsedMs": outcome.elapsed_ms,
    }
    if isinstance(outcome, Suggestion):
        return {
            "kind": "suggestion",
            **place,
            "identity": outcome.identity,
            "origin": outcome.origin,
            "backend": outcome.backend,
            "model": outcome.model,
            "evaluatedTokens": outcome.evaluated_tokens,
            "cachedTokens": outcome.cached_tokens,
            "outputTokens": outcome.output_tokens,
        }
    return {
        "kind": "none",
        **place,
        "reason": outcome.reason.value,
        "sentence": outcome.sentence,
    }
