"""What a reply could have begun with, from a real llama.cpp server by both of its APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
from coai_routing.providers.replies.alternatives import told_alternatives
from coai_routing.request import Message, ModelRequest

if TYPE_CHECKING:
    from tests.support.llama import LlamaServer

CHAT = ModelRequest(
    messages=(Message(role="user", content="Yes or no?"),), max_tokens=2, timeout=60.0
)


@pytest.mark.parametrize("kind", [LlamaServerProvider, OpenAICompatibleProvider])
async def test_they_are_told_where_they_are_asked_for(
    kind: type[LlamaServerProvider | OpenAICompatibleProvider], llama_server: LlamaServer
) -> None:
    provider = kind(name="local", base_url=llama_server.base_url, api_key=llama_server.api_key)
    try:
        asked = await provider.chat(CHAT.model_copy(update={"alternatives": 5}))
        plain = await provider.chat(CHAT)
    finally:
        await provider.aclose()
    chances = [each.probability for each in asked.alternatives]
    assert len(chances) == 5
    assert chances == sorted(chances, reverse=True)
    assert 0 < sum(chances) <= 1.001
    assert asked.text == plain.text
    assert plain.alternatives == ()


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"logprobs": None},
        {"logprobs": {"content": []}},
        {"logprobs": {"content": [{"top_logprobs": [{"token": 1, "logprob": "x"}, None]}]}},
        {"logprobs": {"content": [{"top_logprobs": [{"token": "a", "logprob": 7}]}]}},
    ],
)
def test_what_is_of_no_such_form_is_left_out(choice: dict[str, Any]) -> None:
    assert told_alternatives(choice) == ()
