"""Vendors' keys: kept, found, forgotten; never in the clear on the disk, in no message."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from coai_routing.credentials import keys as keys_module
from coai_routing.credentials.keys import PASSPHRASE, SERVICE, CredentialError, Keys, checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-kept-0123456789-abcdefghij"
OPEN = {PASSPHRASE: "correct horse"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a key of a passphrase in no time: how long it takes is scrypt's own."""
    monkeypatch.setitem(keys_module.SCRYPT, "n", 2**10)


class Store(KeyringBackend):
    """A system's key store; its module is named as those of keyring's own backends are."""

    priority = 1  # pyright: ignore[reportAssignmentType] - a property of the class there

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._look(username)
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._look(password)
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]

    def _look(self, said: str) -> None:
        if self.locked:
            raise RuntimeError(f"locked: {said}")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(Store, "__module__", "keyring.backends.of_the_tests")
    before = keyring.get_keyring()
    made = Store()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def no_store() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


def on_disk(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


def test_the_key_store_has_it_and_the_disk_has_not(store: Store, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "coai", {})
    assert (keys.get("mistral"), keys.where("mistral")) == (None, None)
    assert keys.put("mistral", KEY) == "key store"
    assert store.held == {(SERVICE, "mistral"): KEY}
    again = Keys(tmp_path / "coai", {})
    assert (again.get("mistral"), again.where("mistral")) == (KEY, "key store")
    assert KEY.encode() not in on_disk(tmp_path)
    assert keys.remove("mistral")
    assert not keys.remove("mistral")
    assert (store.held, again.get("mistral")) == ({}, None)


def test_a_key_store_that_is_locked_is_told_without_the_key(store: Store, tmp_path: Path) -> None:
    keys = Keys(tmp_path, {})
    keys.put("openai", KEY)
    store.locked = True
    for ask in (lambda: keys.put("openai", KEY), lambda: Keys(tmp_path, {}).get("openai")):
        with pytest.raises(CredentialError) as refused:
            ask()
        assert KEY not in str(refused.value)
        assert refused.value.__suppress_context__


@pytest.mark.usefixtures("no_store")
def test_without_a_store_an_encrypted_file_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "coai"
    keys = Keys(folder, OPEN)
    assert keys.put("mistral", KEY) == "encrypted file"
    assert keys.put("openai", KEY + "2") == "encrypted file"
    again = Keys(folder, OPEN)
    assert (again.get("mistral"), again.get("openai")) == (KEY, KEY + "2")
    assert KEY.encode() not in on_disk(tmp_path)
    assert b"correct horse" not in on_disk(tmp_path)
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
    assert again.remove("mistral")
    assert (again.get("mistral"), again.get("openai")) == (None, KEY + "2")


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize("environment", [{}, {PASSPHRASE: "wrong"}])
def test_a_locked_file_opens_for_nobody_and_says_so(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    Keys(tmp_path, OPEN).put("mistral", KEY)
    before = on_disk(tmp_path)
    keys = Keys(tmp_path, environment)
    assert keys.where("mistral") == "encrypted file"
    for ask in (lambda: keys.get("mistral"), lambda: keys.put("openai", KEY)):
        with pytest.raises(CredentialError, match="passphrase"):
            ask()
    assert on_disk(tmp_path) == before
    assert Keys(tmp_path, {}).remove("mistral", lambda _: OPEN[PASSPHRASE])


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"salt": 1}', '{"salt": "AA==", "nonce": "A"}']
)
def test_a_damaged_file_is_told(tmp_path: Path, content: str) -> None:
    Keys(tmp_path, OPEN).put("mistral", KEY)
    (tmp_path / "keys.enc").write_text(content)
    with pytest.raises(CredentialError, match="Delete it"):
        Keys(tmp_path, OPEN).get("mistral")
    (tmp_path / "keys.json").write_text(content)
    assert Keys(tmp_path, OPEN).where("mistral") is None


@pytest.mark.usefixtures("no_store")
def test_a_changed_word_is_noticed(tmp_path: Path) -> None:
    Keys(tmp_path, OPEN).put("mistral", KEY)
    file = tmp_path / "keys.enc"
    parts = json.loads(file.read_text())
    parts["sealed"] = ("B" if parts["sealed"][0] == "A" else "A") + parts["sealed"][1:]
    file.write_text(json.dumps(parts))
    with pytest.raises(CredentialError, match="damaged"):
        Keys(tmp_path, OPEN).get("mistral")


@pytest.mark.usefixtures("no_store")
def test_where_nothing_can_be_written_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "coai").write_text("a file")
    with pytest.raises(CredentialError, match="cannot be written") as refused:
        Keys(tmp_path / "coai", OPEN).put("mistral", KEY)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("key", ["", "two\nlines", "a\x1bb", "kéy", "k" * 9000])
def test_what_is_no_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(CredentialError) as refused:
        checked(key)
    assert not key or key not in str(refused.value)
