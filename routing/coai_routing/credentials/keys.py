"""Keeps vendors' keys, and finds them again: never in the clear on the disk, never shown.

The system's key store (`keyring`) has them where there is one; else a file does, encrypted by
AES-256-GCM under a key that scrypt makes of the user's passphrase (both of `cryptography`). An
index beside it says whose key is where, and holds nothing secret: who keeps no key here imports
neither library.
"""

from __future__ import annotations

import base64
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import platformdirs

from coai_routing.errors import CoaiError
from coai_routing.own_files import own_folder, write_own_file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from keyring.backend import KeyringBackend

SERVICE: Final = "coai"
"""The name under which the key store lists the keys."""

PASSPHRASE: Final = "COAI_PASSPHRASE"  # noqa: S105 - a variable's name
"""The environment variable that opens the encrypted file without a question."""

MOST_CHARACTERS: Final = 8192
"""A key that is longer is none; some vendors' tokens have a few thousand."""

SCRYPT: Final = {"length": 32, "n": 2**17, "r": 8, "p": 1}
"""OWASP's first choice for scrypt (Password Storage Cheat Sheet, 2025): 128 MB, some 0.4 s."""
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12

Where: TypeAlias = Literal["key store", "encrypted file"]


class CredentialError(CoaiError):
    """A key cannot be kept or read; the message never has it in it."""


def location() -> Path:
    """Return the folder of the index and of the encrypted file."""
    return platformdirs.user_config_path("coai", appauthor=False)


class Keys:
    """The keys that a user has kept."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        """Read nothing yet."""
        self._index = folder / "keys.json"
        self._file = folder / "keys.enc"
        self._environment = environment
        self._known: dict[str, tuple[tuple[int, int], str]] = {}

    def where(self, vendor: str) -> Where | None:
        """Return where a vendor's key is kept; None where none is. Reads the index alone."""
        found = self._listed().get(vendor)
        if found == "key store":
            return "key store"
        return "encrypted file" if found == "encrypted file" else None

    def get(self, vendor: str) -> str | None:
        """Return a vendor's key; raises `CredentialError` where it is kept and cannot be read."""
        where = self.where(vendor)
        if where is None:
            return None
        stamp = self._stamp()
        known = self._known.get(vendor)
        if known is not None and known[0] == stamp:
            return known[1]
        if where == "key store":
            key = self._from_store(vendor)
        else:
            key = self._opened(self._passphrase(None)).get(vendor)
        if key is None:
            raise CredentialError(
                f"The key of {vendor} is gone from the {where}.",
                remedy=f"`coai auth login {vendor}` takes it anew.",
            )
        self._known[vendor] = (stamp, key)
        return key

    def put(self, vendor: str, key: str, ask: Callable[[str], str] | None = None) -> Where:
        """Keep a vendor's key; `ask` asks for a passphrase where one is needed.

        Raises `CredentialError`.
        """
        checked(key)
        where: Where = "key store"
        if (store := _key_store()) is not None:
            with _asking():
                store.set_password(SERVICE, vendor, key)  # pyright: ignore[reportUnknownMemberType] - wrapped without types there
        else:
            where = "encrypted file"
            passphrase = self._passphrase(ask)
            held = self._opened(passphrase) if self._file.exists() else {}
            self._seal({**held, vendor: key}, passphrase)
        self._list({**self._listed(), vendor: where})
        return where

    def remove(self, vendor: str, ask: Callable[[str], str] | None = None) -> bool:
        """Forget a vendor's key; False where none was kept. Raises `CredentialError`."""
        where = self.where(vendor)
        if where is None:
            return False
        if where == "key store" and (store := _key_store()) is not None:
            with _asking():
                store.delete_password(SERVICE, vendor)
        elif where == "encrypted file" and self._file.exists():
            passphrase = self._passphrase(ask)
            held = self._opened(passphrase)
            held.pop(vendor, None)
            self._seal(held, passphrase)
        left = self._listed()
        left.pop(vendor, None)
        self._list(left)
        self._known.pop(vendor, None)
        return True

    # --------------------------------------------------------------------- the index

    def _listed(self) -> dict[str, str]:
        try:
            read = json.loads(self._index.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(read, dict):
            return {}
        return {str(name): str(where) for name, where in read.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON of any shape

    def _list(self, where: Mapping[str, str]) -> None:
        self._write(self._index, json.dumps(dict(where), indent=1, sort_keys=True) + "\n")

    def _stamp(self) -> tuple[int, int]:
        def changed(path: Path) -> int:
            try:
                return path.stat().st_mtime_ns
            except OSError:
                return 0

        return changed(self._index), changed(self._file)

    # ------------------------------------------------------------------ the key store

    def _from_store(self, vendor: str) -> str | None:
        store = _key_store()
        if store is None:
            raise CredentialError(
                f"The key of {vendor} is in a key store that does not answer.",
                remedy="Unlock it, or install `coai[keys]` into this environment.",
            )
        with _asking():
            return store.get_password(SERVICE, vendor)

    # ------------------------------------------------------------- the encrypted file

    def _passphrase(self, ask: Callable[[str], str] | None) -> str:
        given = self._environment.get(PASSPHRASE, "")
        if not given and ask is not None:
            given = ask("Passphrase of the encrypted file: ")
        if not given:
            raise CredentialError(
                "The encrypted file of keys is locked.",
                remedy=f"Set {PASSPHRASE} to its passphrase, or put the key into the environment.",
            )
        return given

    def _opened(self, passphrase: str) -> dict[str, str]:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only who keeps keys so

        try:
            sealed: Any = json.loads(self._file.read_text("utf-8"))
            salt, nonce, words = (
                base64.b64decode(sealed[name]) for name in ("salt", "nonce", "sealed")
            )
            opened = _cipher(passphrase, salt).decrypt(nonce, words, SERVICE.encode())
            return {str(name): str(key) for name, key in json.loads(opened).items()}
        except InvalidTag:
            raise CredentialError(
                "That is not the passphrase of the encrypted file of keys, or the file is damaged.",
                remedy=f"Try again, or delete {self._file} and sign in anew.",
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CredentialError(
                f"{self._file} cannot be read ({type(error).__name__}).",
                remedy="Delete it and sign in anew.",
            ) from None

    def _seal(self, keys: Mapping[str, str], passphrase: str) -> None:
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        words = json.dumps(dict(keys)).encode()
        sealed = _cipher(passphrase, salt).encrypt(nonce, words, SERVICE.encode())
        parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
        encoded = {name: base64.b64encode(part).decode() for name, part in parts.items()}
        self._write(self._file, json.dumps(encoded) + "\n")

    def _write(self, path: Path, text: str) -> None:
        try:
            own_folder(path.parent)
            write_own_file(path, text)
        except OSError as error:
            raise CredentialError(
                f"{path} cannot be written: {error.strerror or type(error).__name__}.",
                remedy="See that its folder can be written to and its disk has room.",
            ) from None


def checked(key: str) -> str:
    """Return a key; raises `CredentialError` for what is none, without repeating it."""
    if not key or len(key) > MOST_CHARACTERS or not key.isascii() or not key.isprintable():
        raise CredentialError("This is no key.", remedy="Copy it anew from the vendor's page.")
    return key


def _cipher(passphrase: str, salt: bytes) -> Any:  # noqa: ANN401 - imported only then
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415 - as above

    return AESGCM(Scrypt(salt=salt, **SCRYPT).derive(passphrase.encode()))


def _key_store() -> KeyringBackend | None:
    """Return the system's key store; None where there is none that is safe."""
    try:
        import keyring  # noqa: PLC0415 - only who keeps keys pays its import
        from keyring.backends import fail, null  # noqa: PLC0415 - as above
    except ImportError:
        return None
    store = keyring.get_keyring()
    # Other backends write files in the clear, or under a cipher of their own.
    is_system = type(store).__module__.startswith("keyring.backends.")
    unusable = isinstance(store, fail.Keyring | null.Keyring)
    return store if is_system and not unusable else None


@contextmanager
def _asking() -> Generator[None]:
    """Turn whatever a key store raises into our error, without its words: they may quote a key."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - backends raise what their systems' libraries do
        raise CredentialError(
            f"The system's key store refuses it ({type(error).__name__}).",
            remedy="Unlock it and try again, or put the key into the environment.",
        ) from None


_shared: dict[Path, Keys] = {}


def users_keys() -> Keys:
    """Return the user's keys, one object a process, which remembers what it has read."""
    return _shared.setdefault(location(), Keys(location()))
