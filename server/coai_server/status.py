"""What the editor's status bar shows, and why the last request got no suggestion: plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coai_agents.completion.outcome import Suggestion

if TYPE_CHECKING:
    from coai_agents.completion.completer import Event
    from coai_routing.plan import CompletionPlan, Offer
    from coai_server.services import Services


def describe_status(services: Services) -> dict[str, Any]:
    """Return the state of everything that a completion depends on."""
    plan = services.models.backends.plan()
    first = plan.candidates[0].offer if plan.candidates else None
    embedded = services.models.embedded.served().offer
    shown = first or embedded
    refused = next((one for one in plan.rejected if one.offer.name == embedded.name), None)
    detail = plan.candidates[0].why if plan.candidates else refused.why if refused else ""
    remedy = "" if plan.candidates else refused.remedy if refused else ""
    history = services.completer.history
    return {
        "model": shown.model,
        "backend": None if first is None else first.name,
        "local": shown.local,
        "phase": shown.phase,
        "detail": detail,
        "remedy": remedy,
        "missingModel": services.models.embedded.missing,
        **describe_plan(plan),
        "last": describe_event(history[-1]) if history else None,
        "problems": [str(problem) for problem in _problems(services)],
    }


def _problems(services: Services) -> tuple[object, ...]:
    problem = services.recorder.problem
    return services.loaded.problems if problem is None else (*services.loaded.problems, problem)


def describe_plan(plan: CompletionPlan) -> dict[str, Any]:
    """Return the order in which backends are asked, and why others are not."""
    return {
        "candidates": [
            {**_describe_offer(candidate.offer), "why": candidate.why}
            for candidate in plan.candidates
        ],
        "rejected": [
            {**_describe_offer(refused.offer), "why": refused.why, "remedy": refused.remedy}
            for refused in plan.rejected
        ],
    }


def _describe_offer(offer: Offer) -> dict[str, Any]:
    speed = offer.speed
    return {
        "name": offer.name,
        "model": offer.model,
        "local": offer.local,
        "phase": offer.phase,
        "speed": None if speed is None else {"prompt": speed.prompt, "output": speed.output},
        "latencyMs": offer.health.latency_ms,
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
