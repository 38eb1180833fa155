"""`coai auth`: keys come in by standard input, are used, and are seen nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from coai_routing import processes
from coai_routing.processes import KEY_VARIABLES
from tests.server.cli.conftest import Home, Ran, home_environment
from tests.support.vendor_server import KEY, vendor_server

if TYPE_CHECKING:
    from pathlib import Path

FILE = {
    "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    "COAI_PASSPHRASE": "a passphrase of the tests",
}


@pytest.fixture
def mine(tmp_path: Path) -> Home:
    """Give an empty home, with nobody's keys and no model."""
    return Home(tmp_path, {**home_environment(tmp_path), "COAI_ENGINE__ENABLED": "false"})


def login(home: Home, vendor: str, key: str, *options: str, **variables: str) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "coai_server", "auth", "login", vendor, *options],
        env={**home.environment, **FILE, **variables},
        cwd=home.folder,
        input=key,
        capture_output=True,
        timeout=120,
        check=False,
        text=True,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def held(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


def test_a_key_is_kept_tried_used_told_and_forgotten_and_seen_nowhere(mine: Home) -> None:
    with vendor_server("mistral", "mistral-small-latest", "mistral-medium-4", elsewhere=True) as m:
        use = {
            **FILE,
            "COAI_ROUTING__ALLOW_CLOUD": "true",
            "COAI_CLOUD__VENDORS__MISTRAL__URL": m.url,
            "COAI_LOG__LEVEL": "debug",
        }
        wrong = login(mine, "mistral", f"{KEY}-wrong\n", **use)
        assert wrong.code == 1
        kept = login(mine, "mistral", f"{KEY}\n", **use)
        assert kept.code == 0, kept.err
        assert "kept in the encrypted file" in kept.out
        assert "codestral-latest (cloud.code) is gone" in kept.err
        assert "mistral-medium-4 took its place" in " ".join(kept.err.split())
        (mine.folder / "x.py").write_text("def f(a):\n    return a\n")
        said = [
            wrong,
            kept,
            mine("auth", **use),
            mine("auth", "status", "--json", **use),
            mine("config", "show", **use),
            mine("doctor", **use),
            mine("explain", "x.py:f", **use),
            mine("auth", "--json", **{**use, "COAI_PASSPHRASE": ""}),
            mine("auth", "--json", **{**use, "MISTRAL_API_KEY": "k"}),
        ]
        assert m.requests, "the kept key was used"
        sent = [path for path, _ in m.requests]
        assert sent
        status = said[3].document["mistral"]
        assert status == {"set": True, "source": "encrypted file", "hides": None}
        assert said[7].document["mistral"]["set"] is False
        assert said[8].document["mistral"] == {
            "set": True, "source": "environment", "hides": "encrypted file",
        }  # fmt: skip
        gone = mine("auth", "logout", "mistral", **use)
        assert gone.code == 0
        assert mine("auth", "logout", "mistral", **use).code == 1
        said.append(gone)
    for each in said:
        assert KEY not in each.out + each.err
        assert FILE["COAI_PASSPHRASE"] not in each.out + each.err
    assert KEY.encode() not in held(mine.folder)


@pytest.mark.parametrize("vendor", ["nobody", KEY])
def test_what_is_no_vendor_is_not_repeated(mine: Home, vendor: str) -> None:
    said = login(mine, vendor, KEY)
    assert said.code == 1
    assert KEY not in said.out + said.err


def test_a_key_is_no_argument(mine: Home) -> None:
    said = login(mine, "openai", "", KEY)
    assert said.code == 2


SECRETS = {
    **dict.fromkeys(KEY_VARIABLES, KEY),
    **FILE,
    "COAI_CLOUD__ANTHROPIC__API_KEY": KEY,
    "COAI_CLOUD__VENDORS__MISTRAL__API_KEY": KEY,
    "COAI_ENDPOINTS__VLLM__API_KEY": KEY,
}


async def test_no_child_has_a_key_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    told = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(repr(dict(os.environ)))"
    command = [sys.executable, "-c", told]
    with processes.start([*command, str(tmp_path / "started")]) as started:
        started.communicate()
    waited = await processes.start_async([*command, str(tmp_path / "async")])
    await waited.communicate()
    with (tmp_path / "log").open("wb") as log:
        detached = processes.start_detached(
            [*command, str(tmp_path / "detached")],
            directory=tmp_path,
            log=log.fileno(),
            defaults={},
        )
    detached.wait(60)
    for name in ("started", "async", "detached"):
        deadline = time.monotonic() + 60
        while not (tmp_path / name).is_file() or not (said := (tmp_path / name).read_text()):
            assert time.monotonic() < deadline
        assert "PATH" in said
        assert KEY not in said
        assert FILE["COAI_PASSPHRASE"] not in said
    # This process itself asks vendors.
    assert os.environ["OPENAI_API_KEY"] == KEY


def test_the_program_itself_keeps_its_keys(mine: Home) -> None:
    told = mine("auth", "--json", **SECRETS).document
    assert told["openai"] == {"set": True, "source": "environment", "hides": None}
    assert told["anthropic"]["source"] == "settings"
