"""Another user of the machine listens where model servers are looked for, and gets nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import StrangersServerError
from coai_routing.privacy import consents
from coai_routing.privacy.consents import Consent, agree, read_consents, withdraw
from coai_routing.privacy.listeners import UNKNOWN, address_of, owner_of
from coai_routing.privacy.neighbours import consent_to
from coai_routing.providers.discovery import ModelServer, discover, provider_for
from coai_routing.request import ModelRequest
from coai_routing.settings.loading import load
from coai_routing.wiring.configured import configured_endpoints
from coai_routing.wiring.local import LocalModels
from coai_server.daemon.status import describe_plan
from tests.support.settings import settings_of
from tests.support.stranger import MODEL, Stranger, needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.providers.discovery import Found

NEIGHBOUR = 12_345
OTHER = 12_346
ASKED = ModelRequest(prompt="the user's own source", max_tokens=1, model=MODEL)


@pytest.fixture(autouse=True)
def kept_consents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep consents in a folder of the test's own."""
    path = tmp_path / "state" / "servers.json"
    monkeypatch.setattr(consents, "location", lambda: path)
    return path


def endpoint(base_url: str, *, configured: bool = False) -> ModelServer:
    return ModelServer(name="ollama", kind="ollama", base_url=base_url, configured=configured)


async def look(base_url: str, *, configured: bool = False) -> Found:
    (found,) = await discover([endpoint(base_url, configured=configured)])
    return found


# ------------------------------------------------------------------------------- whose a socket is


@needs_root
@pytest.mark.parametrize(
    ("host", "user", "asked", "trusted"),
    [
        ("127.0.0.1", 0, "127.0.0.1", True),
        ("127.0.0.1", NEIGHBOUR, "127.0.0.1", False),
        ("127.0.0.1", NEIGHBOUR, "localhost", False),
        ("127.0.0.1", NEIGHBOUR, "[::ffff:127.0.0.1]", False),
        ("0.0.0.0", NEIGHBOUR, "127.0.0.1", False),
        ("127.0.0.2", NEIGHBOUR, "127.0.0.2", False),
        ("::", NEIGHBOUR, "127.0.0.1", False),
        ("::", NEIGHBOUR, "[::1]", False),
        ("::1", NEIGHBOUR, "localhost", False),
        ("::1", 0, "[::1]", True),
    ],
)
def test_a_server_is_the_user_s_if_its_process_is(
    host: str, user: int, asked: str, trusted: bool
) -> None:
    with Stranger(user, host) as server:
        owner = owner_of(f"http://{asked}:{server.port}/v1")
        assert owner.trusted is trusted
        assert owner.key == str(user)


def test_where_nobody_is_seen_to_listen_the_owner_is_not_known() -> None:
    owner = owner_of("http://127.0.0.1:1")
    assert (owner.key, owner.trusted) == (UNKNOWN, False)


@needs_root
def test_a_neighbour_beside_the_user_s_own_server_is_a_stranger_too() -> None:
    """`localhost` is two addresses, and which of them is asked is for the resolver to say."""
    with Stranger(0, "127.0.0.1") as own, Stranger(NEIGHBOUR, "::1", own.port):
        assert not owner_of(f"http://localhost:{own.port}").trusted
        assert owner_of(f"http://127.0.0.1:{own.port}").trusted


@needs_root
def test_what_the_kernel_tells_is_what_proc_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int) -> Any:  # noqa: ANN401 - never returns
        raise PermissionError

    with Stranger(NEIGHBOUR) as server:
        told = owner_of(server.base_url)
        monkeypatch.setattr("coai_routing.privacy.listeners._from_kernel", forbidden)
        assert owner_of(server.base_url) == told


# ----------------------------------------------------------------------------------- what is used


@needs_root
async def test_a_stranger_s_server_is_not_used_and_receives_nothing() -> None:
    with Stranger(NEIGHBOUR) as server:
        found = await look(server.base_url)
        provider = provider_for(endpoint(server.base_url))
        with pytest.raises(StrangersServerError):
            await provider.complete(ASKED)
        with pytest.raises(StrangersServerError):
            async for _ in provider.stream(ASKED):
                pass
        with pytest.raises(StrangersServerError):
            await provider.models()
        assert not (await provider.health()).ok
        await provider.aclose()
    assert not found.ok
    assert found.strangers
    assert str(NEIGHBOUR) in found.detail
    assert "coai privacy trust ollama" in found.remedy
    assert "endpoints.ollama.url" in found.remedy
    assert server.received == []


@needs_root
@pytest.mark.parametrize("configured", [True, False])
async def test_the_user_s_own_and_what_the_user_named_are_used(configured: bool) -> None:
    with Stranger(NEIGHBOUR if configured else 0) as server:
        found = await look(server.base_url, configured=configured)
    assert found.ok
    assert [model.name for model in found.models] == [MODEL]


@needs_root
async def test_consent_holds_for_the_address_and_the_owner_that_it_was_given_for() -> None:
    with Stranger(NEIGHBOUR) as server:
        assert consent_to(server.base_url).key == str(NEIGHBOUR)
        assert (await look(server.base_url)).ok
    with Stranger(OTHER, port=server.port) as follower:
        assert not (await look(follower.base_url)).ok
    assert follower.received == []
    with Stranger(NEIGHBOUR) as elsewhere:
        assert not (await look(elsewhere.base_url)).ok
    with Stranger(NEIGHBOUR, port=server.port) as again:
        assert (await look(again.base_url)).ok
        withdraw(address_of(again.base_url))
        assert not (await look(again.base_url)).ok


@needs_root
async def test_who_takes_the_port_of_a_server_that_ended_gets_no_prompt() -> None:
    with Stranger(0) as own:
        provider = provider_for(endpoint(own.base_url))
        await provider.models()
    with Stranger(NEIGHBOUR, port=own.port) as thief:
        with pytest.raises(StrangersServerError):
            await provider.complete(ASKED)
        await provider.aclose()
    assert own.received
    assert thief.received == []


# ----------------------------------------------------------------------------------- what is kept


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps others out by the folder")
@pytest.mark.parametrize("spoiled", ["mode", "link", "no JSON", "huge"])
def test_a_file_of_consents_that_others_could_have_written_is_not_believed(
    kept_consents: Path, tmp_path: Path, spoiled: str
) -> None:
    consent = Consent(address="127.0.0.1:8080", owner="998")
    agree(consent)
    assert read_consents() == (consent,)
    assert kept_consents.stat().st_mode & 0o777 == 0o600
    assert kept_consents.parent.stat().st_mode & 0o777 == 0o700
    if spoiled == "mode":
        kept_consents.chmod(0o666)
    elif spoiled == "link":
        moved = kept_consents.rename(tmp_path / "elsewhere.json")
        kept_consents.symlink_to(moved)
    else:
        kept_consents.write_text("{" if spoiled == "no JSON" else " " * 100_000)
    assert read_consents() == ()


# ------------------------------------------------------------------------------ what is configured


@pytest.mark.parametrize(
    ("client", "configured"),
    [
        ({}, False),
        ({"endpoints": {"ollama": {"enabled": True, "api_key": "k"}}}, False),
        ({"endpoints": {"ollama": {"url": "http://127.0.0.1:11434"}}}, True),
    ],
)
def test_an_address_that_the_user_wrote_is_the_user_s_decision(
    tmp_path: Path, client: dict[str, Any], configured: bool
) -> None:
    loaded = load(client=client, environ={}, user_file=tmp_path / "none", directory=tmp_path)
    (ollama,) = (e for e in configured_endpoints(loaded.settings) if e.name == "ollama")
    assert ollama.configured is configured
    custom = settings_of(
        {"endpoints": {"custom": {"box": {"url": "http://127.0.0.1:1", "kind": "ollama"}}}}
    )
    (box,) = (e for e in configured_endpoints(custom) if e.name == "box")
    assert box.configured


@needs_root
async def test_the_status_says_why_it_is_not_used_and_how_to_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = {name: {"enabled": False} for name in ("lmstudio", "llama_server", "vllm")}
    settings = settings_of({"endpoints": off, "engine": {"enabled": False}})
    with Stranger(NEIGHBOUR) as server:
        # Ollama's own variable moves where it is looked for, and nobody configured it.
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.port}")
        models = LocalModels(lambda: settings, state=tmp_path)
        await models.backends.look()
        rejected = describe_plan(models.backends.plan())["rejected"]
        await models.aclose()
    (ollama,) = (each for each in rejected if each["name"] == "ollama")
    assert f"the user {NEIGHBOUR}" in ollama["why"]
    assert "coai privacy trust ollama" in ollama["remedy"]
    assert server.received == []


@needs_root
def test_the_doctor_says_it_too_and_the_command_that_it_names_agrees(tmp_path: Path) -> None:
    places = ("HOME", *(f"XDG_{kind}_HOME" for kind in ("CONFIG", "DATA", "STATE", "CACHE")))
    others = ("LMSTUDIO", "LLAMA_SERVER", "VLLM")
    with Stranger(NEIGHBOUR) as server:
        environment = {
            "PATH": os.environ["PATH"],
            "OLLAMA_HOST": f"127.0.0.1:{server.port}",
            "COAI_ENGINE__ENABLED": "false",
            **{f"COAI_ENDPOINTS__{name}__ENABLED": "false" for name in others},
            **dict.fromkeys(places, str(tmp_path)),
        }

        def coai(*arguments: str) -> str:
            return subprocess.run(
                [sys.executable, "-P", "-m", "coai_server", *arguments],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            ).stdout

        doctor = json.loads(coai("doctor", "--json"))
        assert doctor["serving"] is None
        (fix,) = (each for each in doctor["missing"] if each["what"].startswith("ollama: "))
        assert f"the user {NEIGHBOUR}" in fix["what"]
        assert "coai privacy trust ollama" in fix["fix"]
        assert f"belongs to the user {NEIGHBOUR}" in coai("privacy", "trust", "ollama")
        found = json.loads(coai("doctor", "--json"))["found"]
        assert [each["ok"] for each in found] == [True]
        assert "only if it is yours" in coai("privacy", "trust", "ollama", "--forget")
        assert read_consents(tmp_path / "coai" / "servers.json") == ()
