"""Whether the model completes at all: asked in several places, as a small one may say nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.e2e.workbench import MODEL_SECONDS

if TYPE_CHECKING:
    from tests.e2e.code_server import CodeServer
    from tests.e2e.workbench import Workbench

HEAD: Final = "\n\ndef {name}(items: list[Item]) -> float:\n    "
BODIES: Final = ("return sum(", "return sum(item.", "for item in ", "return max(item.")
"""What a small model may have nothing to add to; to one of them it has."""

NOTHING: Final = re.compile(r"No suggestion \((?:model_said_nothing|filtered_\w+|timed_out)\)")
"""What the log says when the model was asked and there is nothing to show."""


def completes(workbench: Workbench, code: CodeServer, name: str) -> bool:
    """Write a new function at the end of the open file; say whether it is completed."""
    workbench.press("Control+End")
    for body in BODIES:
        before = len(NOTHING.findall(code.log()))
        text = HEAD.format(name=name) + body
        # As from the clipboard, but for the last key: one request, which is the model's to answer.
        workbench.page.keyboard.insert_text(text[:-1])
        workbench.type(text[-1])

        def answered(before: int = before) -> bool:
            return workbench.ghost() != "" or len(NOTHING.findall(code.log())) > before

        workbench.wait(answered, "the model has answered", seconds=MODEL_SECONDS)
        if workbench.ghost() != "":
            return True
    return False
