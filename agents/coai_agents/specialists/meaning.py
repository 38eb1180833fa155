"""What an answer about code depends on, as a key: the code's tokens, not how they are laid out.

White space, comments and positions make no difference. What a function calls in its own file does,
since an answer may rest on it: so does the prompt's version and who is asked.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.edits import tokens_within
from coai_agents.syntax.definitions import FUNCTIONS, outline

if TYPE_CHECKING:
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_DIGEST_BYTES: Final = 16


def meaning_key(tree: SyntaxTree, definition: Definition, *what: str) -> str:
    """Return the key of an answer about a function; `what` names the question and its version."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    digest.update("\0".join((tree.source.language, *what)).encode())
    own = tokens_within(tree, definition.span)
    words = {text for _, text in own}
    _add(digest, own)
    for each in outline(tree):
        if each.kind in FUNCTIONS and each.name in words and each.span != definition.span:
            _add(digest, tokens_within(tree, each.span))
    return digest.hexdigest()


def _add(digest: blake2b, tokens: list[tuple[str, str]]) -> None:
    for kind, text in tokens:
        digest.update(f"{kind}\0{text}\0".encode("utf-8", "replace"))
    digest.update(b"\1")
