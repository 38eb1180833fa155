"""The token of who runs the server: a file that only they can read."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from coai_routing.own_files import own_file, own_folder, write_own_file

if TYPE_CHECKING:
    from pathlib import Path

_BYTES: Final = 32


def token_file(state: Path) -> Path:
    """Return where the token is."""
    return state / "token"


def own_token(state: Path) -> str:
    """Return the token, made on first use; its file is for its user alone. Raises OSError."""
    file = token_file(state)
    own_folder(state)
    if not file.exists():
        write_own_file(file, f"coai_own_{secrets.token_urlsafe(_BYTES)}\n")
    own_file(file)
    token = file.read_text("utf-8").strip()
    if len(token) < _BYTES:
        # Somebody emptied it, or a disk was full: a short secret is none.
        file.unlink()
        return own_token(state)
    return token
