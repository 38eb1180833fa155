"""Discovery tells model servers apart by what they answer, and costs nothing where nobody is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from coai_routing.privacy.egress import Egress
from coai_routing.providers import recognition
from coai_routing.providers.discovery import (
    WELL_KNOWN,
    Found,
    Kind,
    ModelServer,
    discover,
    ollama_address,
    placed,
    provider_for,
)
from coai_routing.providers.recognition import Recognised
from coai_routing.request import ModelRequest
from coai_routing.settings.schema import Settings
from coai_routing.wiring.configured import configured_endpoints
from tests.support import faulty_server
from tests.support.faulty_server import FaultyServer, refused_url, respond
from tests.support.ollama_stand_in import CLOUD_MODEL, MODEL, REMOTE_MODEL, OllamaStandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_routing.providers.description import BackendDescription
    from tests.support.llama import LlamaServer

PAGE = respond(200, b"<html>Hello</html>", {"Content-Type": "text/html"})
NO_PATH = respond(404, {"error": "not found"})
LM_STUDIO_NO_PATH = respond(200, {"error": "Unexpected endpoint or method. (GET /props)"})

OPENAI_LISTING = {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "me"}]}
VLLM_LISTING = {
    "object": "list",
    "data": [{"id": "Qwen/Qwen2.5-Coder-7B", "owned_by": "vllm", "max_model_len": 8192}],
}
LM_STUDIO_LISTING = {
    "data": [
        {"id": "coder", "owned_by": "organization_owner"},
        {"id": "nomic-embed", "owned_by": "organization_owner"},
    ]
}
LM_STUDIO_OWN = {
    "data": [
        {"id": "coder", "type": "llm", "state": "loaded", "max_context_length": 32768},
        {"id": "nomic-embed", "type": "embeddings", "state": "not-loaded"},
    ]
}
OLLAMA_TAGS = {
    "models": [
        {"name": "codellama:7b-code", "size": 3, "capabilities": ["completion", "insert"]},
        {"name": "llama3:8b", "size": 4, "capabilities": ["completion"]},
        {"name": "nomic-embed-text:latest", "capabilities": ["embedding"]},
    ]
}
OLLAMA = {"/api/version": {"version": "0.40.12"}, "/api/tags": OLLAMA_TAGS, "/api/ps": {}}


async def look(base_url: str, kind: Kind, name: str = "mine") -> Found:
    (found,) = await discover([ModelServer(name=name, kind=kind, base_url=base_url)])
    assert (found.name, found.kind, found.base_url) == (name, kind, base_url)
    assert found.detail
    assert found.ok or found.remedy
    return found


async def test_a_real_llama_server_is_recognised(llama_server: LlamaServer) -> None:
    endpoint = ModelServer.model_validate(
        {
            "name": "llama_server",
            "kind": "llama_server",
            "base_url": llama_server.base_url,
            "api_key": llama_server.api_key,
        }
    )
    (found,) = await discover([endpoint])
    assert found.ok
    assert found.detail == "llama.cpp"
    assert found.version
    assert [model.name for model in found.models] == [str(llama_server.model)]
    provider = provider_for(endpoint)
    assert (await provider.complete(ModelRequest(prompt="x", max_tokens=1))).text
    await provider.aclose()


async def test_a_llama_server_wants_its_key(llama_server: LlamaServer) -> None:
    found = await look(llama_server.base_url, "llama_server", "llama_server")
    assert not found.ok
    assert "endpoints.llama_server.api_key" in found.remedy


async def test_ollama_is_recognised_and_lists_what_runs_here(llama_server: LlamaServer) -> None:
    async with OllamaStandIn(llama_server) as ollama:
        found = await look(ollama.base_url, "ollama")
        assert found.ok
        assert found.version == "0.40.12"
        assert [model.name for model in found.models] == [MODEL]
        assert found.fills_in == {MODEL}
        asked = len(ollama.bodies("/api/show"))
        assert (await look(ollama.base_url, "ollama")).fills_in == {MODEL}
        assert len(ollama.bodies("/api/show")) == asked, "the same weights were asked about again"
        (everywhere,) = await discover(
            [ModelServer(name="ollama", kind="ollama", base_url=ollama.base_url)],
            egress=Egress(allow=True),
        )
        names = {model.name for model in everywhere.models}
        assert names == {MODEL, CLOUD_MODEL, REMOTE_MODEL}


async def test_ollama_may_say_at_once_what_its_models_can_do() -> None:
    async with FaultyServer(NO_PATH, OLLAMA) as server:
        found = await look(server.base_url, "ollama")
        assert [model.name for model in found.models] == ["codellama:7b-code", "llama3:8b"]
        assert found.fills_in == {"codellama:7b-code"}
        # Of what is not loaded, only the model itself may tell its window.
        assert {request.path for request in server.received} == {"/api/show"}


@pytest.mark.parametrize(
    ("routes", "detail", "version", "names", "context", "loaded"),
    [
        (
            {"/v1/models": VLLM_LISTING, "/version": {"version": "0.12.0"}},
            "vLLM",
            "0.12.0",
            ["Qwen/Qwen2.5-Coder-7B"],
            8192,
            None,
        ),
        (
            {"/v1/models": LM_STUDIO_LISTING, "/api/v0/models": LM_STUDIO_OWN},
            "LM Studio",
            None,
            ["coder"],
            32768,
            True,
        ),
        ({"/v1/models": OPENAI_LISTING}, "OpenAI-compatible", None, ["m"], None, None),
    ],
    ids=["vLLM", "LM Studio", "another"],
)
async def test_servers_of_openais_api_are_told_apart(
    *,
    routes: Mapping[str, object],
    detail: str,
    version: str | None,
    names: list[str],
    context: int | None,
    loaded: bool | None,
) -> None:
    async with FaultyServer(NO_PATH, routes) as server:
        found = await look(f"{server.base_url}/v1", "openai_compatible")
        assert found.ok
        assert (found.detail, found.version) == (detail, version)
        assert [model.name for model in found.models] == names
        assert found.models[0].context_tokens == context
        assert found.models[0].loaded is loaded
        assert (await look(server.base_url, "openai_compatible")).ok, "/v1 may be left out"


async def test_a_llama_server_may_be_used_by_openais_api(llama_server: LlamaServer) -> None:
    endpoint = ModelServer.model_validate(
        {
            "name": "mine",
            "kind": "openai_compatible",
            "base_url": llama_server.base_url,
            "api_key": llama_server.api_key,
        }
    )
    (found,) = await discover([endpoint])
    assert found.ok
    assert found.detail == "llama.cpp"


@pytest.mark.parametrize(
    ("routes", "kind", "who", "its_kind"),
    [
        (OLLAMA, "llama_server", "Ollama", "ollama"),
        (OLLAMA, "openai_compatible", "Ollama", "ollama"),
        ({"/v1/models": OPENAI_LISTING}, "ollama", "OpenAI's API", "openai_compatible"),
        ({"/v1/models": OPENAI_LISTING}, "llama_server", "OpenAI's API", "openai_compatible"),
        ({"/health": {}, "/props": {}, **OLLAMA}, "llama_server", "Ollama", "ollama"),
    ],
)
async def test_another_kind_of_server_is_named(
    routes: Mapping[str, object], kind: Kind, who: str, its_kind: str
) -> None:
    async with FaultyServer(NO_PATH, routes) as server:
        found = await look(server.base_url, kind)
        assert not found.ok
        assert who in found.detail
        assert f"kind `{its_kind}`" in found.remedy


async def test_llama_cpp_is_named_by_its_header(llama_server: LlamaServer) -> None:
    for kind in ("ollama", "openai_compatible"):
        found = await look(llama_server.base_url, kind)
        assert not found.ok
        assert "llama.cpp" in found.detail
        assert "kind `llama_server`" in found.remedy


@pytest.mark.parametrize("kind", ["llama_server", "ollama", "openai_compatible"])
@pytest.mark.parametrize(
    ("behaviour", "routes"),
    [
        (PAGE, {}),
        (NO_PATH, {}),
        (LM_STUDIO_NO_PATH, {}),
        (NO_PATH, {"/health": {"status": "ok"}, "/props": {}, "/api/version": 3, "/v1/models": []}),
        (faulty_server.hang_up, {}),
        (faulty_server.reset, {}),
        (faulty_server.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), {}),
        (respond(200, b"{nonsense"), {}),
        (respond(500, {"error": "boom"}), {}),
        (respond(302, b"", {"Location": "https://evil.example"}), {}),
    ],
    ids=["page", "404", "LM Studio's 404", "web app", "hang up", "reset", "SSH", "no JSON", "500",
         "redirect"],
)  # fmt: skip
async def test_whatever_else_answers_is_not_a_model_server(
    kind: Kind, behaviour: faulty_server.Behaviour, routes: Mapping[str, object]
) -> None:
    async with FaultyServer(behaviour, routes) as server:
        found = await look(server.base_url, kind)
        assert not found.ok
        assert found.models == ()


async def test_a_server_that_is_loading_is_not_there_yet() -> None:
    loading = respond(503, {"error": {"message": "Loading model", "type": "unavailable_error"}})
    async with FaultyServer(loading) as server:
        found = await look(server.base_url, "llama_server")
        assert not found.ok
        assert "loading" in found.detail


async def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coai_routing.providers.discovery.ASK_SECONDS", 0.2)
    async with FaultyServer(faulty_server.silent) as server:
        found = await look(server.base_url, "llama_server")
        assert not found.ok
        assert "0.2 s" in found.detail


async def test_all_endpoints_are_looked_at_and_none_hides_another(
    llama_server: LlamaServer,
) -> None:
    async with FaultyServer(PAGE) as page, FaultyServer(NO_PATH, OLLAMA) as ollama:
        found = await discover(
            [
                ModelServer(name="nobody", kind="ollama", base_url=refused_url()),
                ModelServer(name="page", kind="llama_server", base_url=page.base_url),
                ModelServer(name="ollama", kind="ollama", base_url=ollama.base_url),
            ]
        )
        assert [(one.name, one.ok) for one in found] == [
            ("nobody", False),
            ("page", False),
            ("ollama", True),
        ]
        assert "ollama serve" in found[0].remedy


async def test_what_is_not_this_machine_is_not_even_knocked_at() -> None:
    async with FaultyServer(NO_PATH, OLLAMA) as server:
        outside = server.base_url.replace("127.0.0.1", "0.0.0.0")
        endpoint = ModelServer(name="mine", kind="ollama", base_url=outside)
        (found,) = await discover([endpoint])
        assert not found.ok
        assert "not this machine" in found.detail
        assert server.connections == 0
        (found,) = await discover([endpoint], egress=Egress(allow=True))
        assert found.ok


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        (":8000", "http://127.0.0.1:8000"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("[::]:11434", "http://[::1]:11434"),
        ("gpu.example.org", "http://gpu.example.org:11434"),
        ("http://gpu.example.org", "http://gpu.example.org:80"),
        ("https://gpu.example.org", "https://gpu.example.org:443"),
        ("https://gpu.example.org/ollama/", "https://gpu.example.org:443/ollama"),
        (' "127.0.0.1:8000" ', "http://127.0.0.1:8000"),
        ("user:secret@gpu.example.org", "http://gpu.example.org:11434"),
        ("http://host:port", "http://127.0.0.1:11434"),
        ("ftp://gpu.example.org", "http://127.0.0.1:11434"),
        ("a..b:1", "http://127.0.0.1:11434"),
    ],
)
def test_ollamas_own_variable_says_where_it_is(value: str, address: str) -> None:
    assert ollama_address({"OLLAMA_HOST": value}) == address


@pytest.mark.parametrize("endpoint", WELL_KNOWN, ids=lambda endpoint: endpoint.name)
async def test_every_kind_has_its_provider(
    endpoint: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    provider = provider_for(endpoint)
    assert (provider.name, provider.base_url) == (endpoint.name, endpoint.base_url)
    await provider.aclose()


async def test_ollamas_variable_moves_only_its_usual_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with FaultyServer(NO_PATH, OLLAMA) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.base_url)
        usual = WELL_KNOWN[0]
        (found,) = await discover([usual])
        assert found.ok
        assert found.base_url == server.base_url
        provider = provider_for(usual)
        assert provider.base_url == server.base_url
        await provider.aclose()
    chosen = ModelServer(name="ollama", kind="ollama", base_url="http://127.0.0.1:11435")
    assert placed(chosen) == chosen


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "ftp://x",
        "http://",
        "http://u:p@x",
        "http://x?y",
        "http://x y",
        "http://a..b",
    ],
)
def test_an_endpoint_is_an_address(url: str) -> None:
    with pytest.raises(ValidationError):
        ModelServer(name="mine", kind="ollama", base_url=url)


async def test_a_name_that_no_resolver_takes_is_nobody() -> None:
    strange = WELL_KNOWN[0].model_copy(update={"base_url": "http://a..b:1"})
    (found,) = await discover([strange], egress=Egress(allow=True))
    assert not found.ok


async def test_a_flaw_in_looking_at_one_server_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def flawed(
        kind: Kind, backend: BackendDescription, *_: object, **__: object
    ) -> Recognised:
        if backend.name == "bad":
            raise LookupError("a flaw")
        return Recognised("fine")

    monkeypatch.setattr(recognition, "recognise", flawed)
    async with FaultyServer(NO_PATH) as server:
        found = await discover(
            [
                ModelServer(name=name, kind="llama_server", base_url=server.base_url)
                for name in ("bad", "good")
            ]
        )
    assert [one.ok for one in found] == [False, True]
    assert "a flaw" in caplog.text


async def test_a_key_that_cannot_be_sent_is_told() -> None:
    async with FaultyServer(PAGE) as server:
        endpoint = ModelServer.model_validate(
            {"name": "mine", "kind": "ollama", "base_url": server.base_url, "api_key": "a\nb"}
        )
        (found,) = await discover([endpoint])
        assert not found.ok
        assert "endpoints.custom.mine.api_key_env" in found.remedy
        assert server.received == []


def test_a_key_does_not_show() -> None:
    endpoint = ModelServer.model_validate(
        {"name": "mine", "kind": "ollama", "base_url": "http://x", "api_key": "secret"}
    )
    assert "secret" not in repr(endpoint)


_PROGRAM = """
import asyncio, json, sys
import coai_routing.providers.discovery, coai_routing.privacy.egress, coai_routing.providers
loaded = set(sys.modules)
found = asyncio.run(coai_routing.providers.discovery.discover([
    coai_routing.providers.discovery.ModelServer(name="mine", kind=kind, base_url=sys.argv[1])
    for kind in ("ollama", "llama_server", "openai_compatible")
]))
assert not any(one.ok for one in found), found
knocked = set(sys.modules)
import coai_routing.providers.llama_server
import coai_routing.providers.ollama
import coai_routing.providers.openai_compatible
print(json.dumps([sorted(modules) for modules in (loaded, knocked, set(sys.modules))]))
"""


def test_no_sdk_is_imported_before_it_is_needed() -> None:
    output = subprocess.run(
        [sys.executable, "-c", _PROGRAM, refused_url()], capture_output=True, check=True, text=True
    ).stdout
    sdks = {"openai", "ollama", "anthropic", "xllamacpp", "httpx2"}
    carriers = {"httpx", "aiohttp"}
    imported, knocked, with_providers = (set(modules) for modules in json.loads(output))
    assert not imported & (sdks | carriers)
    assert not knocked & (sdks | carriers)
    assert not with_providers & sdks


@pytest.mark.parametrize(
    ("wanted", "models", "ok"),
    [
        (None, ["codellama:7b-code", "llama3:8b"], True),
        ("llama3:8b", ["llama3:8b"], True),
        ("qwen", [], False),
    ],
)
async def test_the_model_that_the_settings_name_is_the_only_one(
    *, wanted: str | None, models: list[str], ok: bool
) -> None:
    async with FaultyServer(NO_PATH, OLLAMA) as ollama:
        settings = Settings.model_validate(
            {"endpoints": {"ollama": {"url": ollama.base_url, "model": wanted}}}
        )
        (endpoint,) = (e for e in configured_endpoints(settings) if e.name == "ollama")
        (found,) = await discover([endpoint])
    assert found.ok is ok
    assert [model.name for model in found.models] == models
    assert ok or "endpoints.ollama.model" in found.remedy
