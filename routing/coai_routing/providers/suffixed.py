"""Filling in by the server itself, for models whose control tokens are not known here.

Ollama says of a model that it can insert, and puts the prompt together by the model's own template
from what stands before and after the cursor. So the two are kept apart by marks of ours on the way
through the completion's prompts, and taken apart again before anything is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_routing.registry.catalog import FimFormat

if TYPE_CHECKING:
    from coai_routing.request import ModelRequest

BY_SERVER: Final = FimFormat(
    prefix="<|coai_before|>",
    suffix="<|coai_after|>",
    middle="<|coai_here|>",
    order="psm",
    stop=("<|coai_before|>", "<|coai_after|>", "<|coai_here|>"),
)
"""Marks that no model knows. Other files have no place in what the server's template takes."""


def taken_apart(request: ModelRequest) -> ModelRequest:
    """Return a request whose prompt is what stands before the cursor, and its suffix what follows.

    What was typed since the prompt was frozen stands before the cursor, too.
    """
    prompt = request.prompt or ""
    if not prompt.startswith(BY_SERVER.prefix):
        return request  # of somebody who does not complete, such as the measurement of speed
    before, _, rest = prompt.removeprefix(BY_SERVER.prefix).partition(BY_SERVER.suffix)
    after, _, typed = rest.partition(BY_SERVER.middle)
    stop = tuple(word for word in request.stop if word not in BY_SERVER.stop)
    return request.model_copy(
        update={"prompt": before + typed, "suffix": after or "\n", "stop": stop}
    )
