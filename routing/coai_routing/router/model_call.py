"""The call of a model as a value, and the one form that it and every wrapper around it have.

Each wrapper has one concern and the form of what it wraps, so that their order is all that there is
to their working together (`router.py` says it).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

    from coai_routing.policy.deployment import Candidate, Deployment
    from coai_routing.policy.question import Question
    from coai_routing.request import Delta

KEY_VERSION: Final = 1
"""Part of every cache key; raise it when the same request may be answered otherwise."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A question for one candidate of a plan."""

    question: Question
    candidate: Candidate
    deadline: float
    """Of the whole, in the event loop's time."""
    others: tuple[Candidate, ...] = ()
    """Who could be asked instead, best first."""

    @property
    def deployment(self) -> Deployment:
        """What is asked."""
        return self.candidate.deployment


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer and whose it is."""

    delta: Delta
    deployment: Deployment


Ask = Callable[[ModelCall], AsyncGenerator[Piece]]
"""Asks a model: yields its answer as it comes, the whole reply at the end, and raises its
`ProviderError`s. Whoever leaves it by `contextlib.aclosing` has closed the connection."""


def question_key(question: Question, *, shown: bool) -> Hashable:
    """Return what two questions have in common that may share one answer under way."""
    request = question.request
    schema = request.json_schema
    return (
        request.capability, request.prompt, request.suffix,
        tuple((message.role, message.content) for message in request.messages), request.model,
        request.max_tokens, request.temperature, request.stop, request.alternatives,
        None if schema is None else json.dumps(schema, sort_keys=True),
        request.sensitive, question.objective, question.paths, question.complexity,
        question.alias, question.tier, question.most_usd, question.priority, shown,
    )  # fmt: skip


def cache_key(question: Question, deployment: Deployment | None) -> str:
    """Return what stands for everything that determines an answer: request and model."""
    request = question.request
    parts = (
        KEY_VERSION,
        request.capability,
        request.prompt,
        request.suffix,
        [(message.role, message.content) for message in request.messages],
        request.max_tokens,
        request.temperature,
        request.stop,
        request.json_schema,
        None
        if deployment is None
        else (deployment.endpoint, deployment.base_url, deployment.model),
        request.sensitive,
        *([request.alternatives] if request.alternatives else ()),
    )
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
