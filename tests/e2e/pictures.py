"""Take over the pictures that the READMEs and the walkthrough show: `python -m tests.e2e.pictures`.

The tests take them; this copies those of the last run.
"""

from __future__ import annotations

import shutil
import sys
from typing import Final

from tests.e2e.tools import EXTENSION
from tests.e2e.workbench import PICTURES

TAKEN: Final = {
    "finding": "finding",
    "ghost-text-basket": "ghost-text",
    "menu": "menu",
    "models": "models",
    "quick-fix": "quick-fix",
    "why": "why",
}
"""Pictures as the tests name them, and as the texts do."""


def main() -> None:
    """Copy the pictures; fail if a test has not taken one."""
    for taken, shown in TAKEN.items():
        shutil.copy(PICTURES / f"{taken}.png", EXTENSION / "media" / f"{shown}.png")
    sys.stdout.write(f"{len(TAKEN)} pictures are in {EXTENSION / 'media'}.\n")


if __name__ == "__main__":
    main()
