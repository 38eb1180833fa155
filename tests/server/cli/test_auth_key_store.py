"""`coai auth` with a real Secret Service: GNOME's, on a session bus of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.server.cli.conftest import SECONDS, home_environment
from tests.support.vendor_server import KEY

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS: Final = ("dbus-run-session", "gnome-keyring-daemon")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason=f"{' and '.join(PROGRAMS)} are not both there"
)

UNLOCKED: Final = "printf 'a password' | gnome-keyring-daemon --unlock --components=secrets"
LOCKED: Final = "gnome-keyring-daemon --start --components=secrets"


def in_a_session(
    home: Path, begun: str, *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `coai` where the key store has been started in a session that nobody else has."""
    # Nobody can type a password here: the one who would ask for it must not find a screen.
    kept = {
        name: text
        for name, text in home_environment(home).items()
        if not name.startswith(("DBUS_", "GNOME_", "PYTHON_KEYRING")) and name != "DISPLAY"
    }
    return subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", f'{begun} >/dev/null 2>&1 && exec "$@"', "sh",
         sys.executable, "-m", "coai_server", "auth", *arguments],
        cwd=home,
        env={**kept, "COAI_ENGINE__ENABLED": "false", "WAYLAND_DISPLAY": ""},
        input=given,
        capture_output=True,
        timeout=SECONDS,
        check=False,
        text=True,
    )  # fmt: skip


def test_a_key_is_kept_by_the_key_store_and_is_nowhere_in_the_clear(tmp_path: Path) -> None:
    kept = in_a_session(tmp_path, UNLOCKED, "login", "mistral", "--no-check", given=f"{KEY}\n")
    assert kept.returncode == 0, kept.stderr
    assert "kept in the key store" in kept.stdout
    held = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert held
    assert not any(KEY.encode() in each for each in held)

    told = in_a_session(tmp_path, UNLOCKED, "status", "--json")
    expected = {"set": True, "source": "key store", "hides": None}
    assert json.loads(told.stdout)["mistral"] == expected

    # What is locked is said, and nobody waits for a password that nobody can type.
    locked = in_a_session(tmp_path, LOCKED, "status")
    assert "mistral: kept in the key store, which is locked." in locked.stdout
    refused = in_a_session(tmp_path, LOCKED, "logout", "mistral")
    assert refused.returncode == 1
    assert "Unlock it" in refused.stderr

    gone = in_a_session(tmp_path, UNLOCKED, "logout", "mistral")
    assert gone.returncode == 0, gone.stderr
    again = in_a_session(tmp_path, UNLOCKED, "logout", "mistral")
    assert (again.returncode, "No key of Mistral is kept." in again.stdout) == (1, True)
    said = [kept, told, locked, refused, gone, again]
    assert not [each for each in said if KEY in each.stdout + each.stderr]
