"""HTML around PHP: where in a page a value is printed."""

from __future__ import annotations

import re
from typing import Final

_IN_TAG: Final = re.compile(r"<\w[^<>]*=\s*[\"'][^<>\"']*<\?=$")


def printing(before: str) -> str | None:
    """Return what prints an expression behind this text, None if nothing does.

    `echo` between tags, `echo:code` in a script or in quotes of a tag, where a quote ends what is
    text.
    """
    if not before.endswith("<?="):
        return None
    lower = before.lower()
    in_script = lower.rfind("<script") > lower.rfind("</script")
    return "echo:code" if in_script or _IN_TAG.search(before) else "echo"
