"""Which model is asked for the next edit, and under which rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.policy.completion import Wishes
from coai_routing.pool.backends import Backends
from coai_routing.pool.endpoints import server_place
from coai_routing.pool.pool import ModelPool
from coai_routing.providers.discovery import Found
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.request import ModelDescription
from coai_routing.wiring.configured import completion_egress, configured_endpoints
from tests.support.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.pool.backends import Editor
    from coai_routing.settings.schema import Settings

HERE, ELSEWHERE = "http://127.0.0.1:1", "http://gpu.example.org:8080"
CLOUD: dict[str, Any] = {"completion": {"allow_cloud": True}}


async def looked(
    url: str,
    models: Sequence[str],
    wishes: Wishes | None = None,
    loaded: bool | None = None,
    **settings: object,
) -> tuple[Editor | None, list[str]]:
    """Return the model for edits and those for completion of one server."""
    custom = {"gpu": {"kind": "openai_compatible", "url": f"{url}/v1"}}
    now: Settings = settings_of({"endpoints": {"custom": custom}, **settings})

    async def found(_: object) -> tuple[Found, ...]:
        told = tuple(ModelDescription(name=name, provider="gpu", loaded=loaded) for name in models)
        able = frozenset(models)
        return (
            Found(
                name="gpu",
                kind="openai_compatible",
                base_url=url,
                ok=True,
                detail="",
                models=told,
                fills_in=able,
            ),
        )

    pool = ModelPool()
    backends = Backends(
        catalog=builtin_catalog(),
        wishes=lambda: wishes or Wishes(allow_remote=completion_egress(now).allow),
        endpoints=lambda: configured_endpoints(now),
        embedded=lambda: None,
        place=lambda endpoint: server_place(endpoint, completion_egress(now)),
        discover=found,
        pool=pool,
    )
    await backends.look()
    try:
        for refused in backends.plan().rejected:
            if refused.deployment.predicts_edits and refused.deployment.local:
                assert "predicts edits" in refused.why or "asks for" in refused.why
                assert not refused.deployment.fills_in
        return backends.editor(), [one.model for one in backends.candidates()]
    finally:
        await backends.aclose()
        await pool.aclose()


@pytest.mark.parametrize("name", ["sweep-next-edit-1.5b", "zeta", "zeta-2", "zeta-2.1"])
async def test_a_model_that_predicts_edits_is_asked_for_nothing_else(name: str) -> None:
    editor, completing = await looked(HERE, [name, "qwen2.5-coder-1.5b"])
    assert editor is not None
    assert (editor.name, editor.model, editor.local) == ("gpu", name, True)
    assert completing == ["qwen2.5-coder-1.5b"]


async def test_without_such_a_model_there_is_none() -> None:
    assert (await looked(HERE, ["qwen2.5-coder-1.5b"]))[0] is None


@pytest.mark.parametrize(
    ("models", "loaded", "there"),
    [
        (["zeta-2", "qwen2.5-coder-1.5b"], True, True),
        (["zeta-2", "qwen2.5-coder-1.5b"], None, True),
        (["zeta-2", "qwen2.5-coder-1.5b"], False, False),
        (["zeta-2"], False, True),
    ],
    ids=["both are loaded", "nobody says", "neither is", "nothing completes"],
)
async def test_none_is_loaded_unasked_beside_the_one_that_completes(
    models: list[str], loaded: bool | None, there: bool
) -> None:
    editor, _ = await looked(HERE, models, loaded=loaded)
    assert (editor is not None) == there


async def test_another_backend_for_completions_does_not_keep_it_out() -> None:
    wishes = Wishes(backend="embedded", model="other")
    editor, completing = await looked(HERE, ["zeta-2"], wishes)
    assert editor is not None
    assert completing == []


@pytest.mark.parametrize(
    ("settings", "there"),
    [({}, False), (CLOUD, True), ({**CLOUD, "privacy": {"mode": True}}, False)],
    ids=["nothing may leave", "completions may leave", "privacy mode"],
)
async def test_one_elsewhere_is_asked_only_where_completions_may_leave(
    settings: dict[str, Any], there: bool
) -> None:
    editor, _ = await looked(ELSEWHERE, ["zeta-2"], **settings)
    assert (editor is not None) == there
    assert editor is None or not editor.local
