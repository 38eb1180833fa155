"""How severe a finding is: by who decides the value, what the value can hold, and what it is for.

None of this takes a finding away; it says how loud it is. The table is in docs/findings.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.values import ARGUMENTS, UNSEEN, Kind
from coai_agents.analysis.findings.findings import Severity

if TYPE_CHECKING:
    from coai_agents.analysis.dataflow.values import Taint
    from coai_agents.analysis.rules.rules import Concept

WEAKER: Final = {
    Kind.REMOTE: None,
    Kind.LOCAL: Severity.WARNING,
    Kind.STORED: Severity.WARNING,
    Kind.PARAMETER: Severity.INFORMATION,
}
"""At least so weak is a finding whose data comes from there; None for what the rule says."""

_OWN_MACHINE: Final = frozenset(
    {"header", "html", "log", "path", "redirect", "reflection", "regex", "ssrf"}
)
"""Categories in which whoever starts a program may decide: it is their machine, and their right.
Functions that nobody has seen most often make values harmless for these."""

_OWN_FILES: Final = frozenset({"header", "log", "path", "reflection", "regex"})
"""Categories in which a program most often means what its own files and tables say."""

_UNPACKING: Final = "zip-slip"
"""The rule about what others have packed."""

_FOREIGN: Final = re.compile(r"archive|upload|message|mail|body", re.IGNORECASE)
"""What the label of a source says that reads what others have packed or sent."""

_ONE_LINE: Final = re.compile(
    r"(?i)headers?\b|user_?agent|referr?er|remote_?addr|get_?host|\.host\b|\.method\b|\$_SERVER"
    r"|request_?ur[il]\b|query_?string|original_?url|\brequest\.(?:uri|url)\b|self\.request\.path\b"
)
"""Parts of a request that its reader has taken from one line as they were, percent signs and all,
so that no end of a line can be in them."""

_BY_LINES: Final = frozenset({"header", "log"})
"""Categories in which an end of a line is what does harm."""

_IN_BROWSER: Final = re.compile(r"the page's (?:address|user)")
"""Where a request goes out from the browser of who chose it, and not from a server."""

_RAW_ADDRESS: Final = re.compile(r"(?i)request_?ur[il]\b|original_?url|self\.request\.uri\b")
"""The address of the request itself, not decoded: browsers write as percent signs what would end a
tag or an attribute."""

_OWN_ADDRESS: Final = re.compile(
    r"(?i)request_?ur[il]\b|original_?url|\breq(?:uest)?\.(?:path|uri|url|query)\b|\b(?:full_path|path_info)\b"
)
"""The address of the request itself, which this server has answered: another host can be in it only
behind slashes that were not expected."""


def weakened(severity: Severity, concept: Concept, taint: Taint) -> Severity:
    """Return how severe a finding is by who decides the value, and by what it went through."""
    weaker = [severity, WEAKER[taint.kind] or severity]
    category = concept.category
    if UNSEEN in taint.cleared:
        weaker.append(Severity.WARNING)
    if category in _OWN_MACHINE and (taint.kind is Kind.LOCAL or UNSEEN in taint.cleared):
        weaker.append(Severity.INFORMATION)
    if taint.kind is Kind.LOCAL and ARGUMENTS in taint.cleared:
        weaker.append(Severity.INFORMATION)
    if _is_own(concept, taint):
        weaker.append(Severity.INFORMATION)
    if category == "ssrf" and _IN_BROWSER.search(taint.label):
        weaker.append(Severity.INFORMATION)
    if category in _BY_LINES and _ONE_LINE.search(taint.label):
        weaker.append(Severity.INFORMATION)
    if (category == "html" and _RAW_ADDRESS.search(taint.label)) or (
        category == "redirect" and _OWN_ADDRESS.search(taint.label)
    ):
        weaker.append(Severity.WARNING)
    return max(weaker, key=lambda each: each.rank)


def _is_own(concept: Concept, taint: Taint) -> bool:
    """Say whether a value is what a program says to itself, where it may say what it likes."""
    if taint.kind is not Kind.STORED or concept.id == _UNPACKING:
        return False
    return concept.category in _OWN_FILES and not _FOREIGN.search(taint.label)
