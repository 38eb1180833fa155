"""What a reply could have begun with: asked for and told in OpenAI's form, `logprobs`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from coai_routing.providers.replies.listings import entries, fields, first
from coai_routing.request import Alternative

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_routing.request import ModelRequest


def asked_alternatives(request: ModelRequest) -> dict[str, Any]:
    """Return what the body of a chat says of them; nothing where none are wanted."""
    if not request.alternatives or request.prompt is not None:
        return {}
    return {"logprobs": True, "top_logprobs": request.alternatives}


def told_alternatives(choice: Mapping[str, Any]) -> tuple[Alternative, ...]:
    """Return those of a choice's first token; what is not of that form is left out."""
    content = first(fields(choice.get("logprobs")).get("content"))
    found: list[Alternative] = []
    for told in entries(content.get("top_logprobs")):
        token, chance = told.get("token"), told.get("logprob")
        if isinstance(token, str) and isinstance(chance, int | float) and chance <= 0:
            found.append(Alternative(token=token, probability=math.exp(chance)))
    return tuple(sorted(found, key=lambda each: -each.probability))
