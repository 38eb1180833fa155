"""Filling in the middle by a model that only chats: the prompt, and what is cut off its answers.

Chat models were not trained on the control tokens of code models. They are shown the same prompt
between tags, told what to do with it, and now and then repeat a tag.
"""

from __future__ import annotations

import re
from typing import Final

from coai_routing.registry.catalog import FimFormat

CHAT: Final = FimFormat(
    prefix="<before>",
    suffix="</before><after>",
    middle="</after><insert>",
    order="psm",
    stop=("</insert>",),
    control=("<before>", "</before>", "<after>", "</after>", "<insert>"),
)
"""How a document is shown. Other files are left out: as little as possible leaves the machine."""

INSTRUCTION: Final = (
    "You complete code in an editor. Between <before> and </before> stands a file's text up to the "
    "cursor, between <after> and </after> what follows it, and after <insert> what was already "
    "written at the cursor. Go on from exactly there. Answer with nothing but the text to insert: "
    "no explanation, no code fence, nothing that stands before or after the cursor already. Keep "
    "to the file's style, be brief, and stop where the statement or block is whole."
)

_ENDS: Final = ("</insert>",)
_BEGINNING: Final = re.compile(r"\s*<insert>")
_MAY_BEGIN: Final = re.compile(r"\s*(?:<(?:i(?:n(?:s(?:e(?:rt?)?)?)?)?)?)?\Z")


class Bare:
    """Takes tags off an answer that comes in pieces; what else is around code, completion knows."""

    def __init__(self) -> None:
        self._held = ""
        self._begun = False
        self.over = False
        """Whether the answer has ended, whatever else comes."""

    def take(self, piece: str) -> str:
        """Take the next piece and return what is certain to be part of the answer."""
        if self.over:
            return ""
        self._held += piece
        if not self._begun:
            if (fence := _BEGINNING.match(self._held)) is not None:
                self._held = self._held[fence.end() :]
            elif _MAY_BEGIN.match(self._held) is not None:
                return ""
            self._begun = True
        found = [at for end in _ENDS if (at := self._held.find(end)) >= 0]
        if found:
            self.over = True
            said, self._held = self._held[: min(found)], ""
            return said
        # What may be the beginning of an end waits for the next piece.
        keep = max(
            (n for end in _ENDS for n in range(1, len(end)) if self._held.endswith(end[:n])),
            default=0,
        )
        cut = len(self._held) - keep
        said, self._held = self._held[:cut], self._held[cut:]
        return said

    def rest(self) -> str:
        """Return what was held back, now that nothing more comes."""
        said, self._held = self._held, ""
        return "" if not self._begun and said.lstrip().startswith("<") else said
