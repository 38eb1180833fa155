"""Untrusted text as Markdown that shows it as it is: the one way by which any gets into Markdown.

What stands in a file, in a rule or in a model's answer is data. In an editor's hover it could
otherwise be a picture, which is loaded and so tells its server whatever its address holds, a link
that is not ours, a fence that ends ours, or HTML. So text is escaped (`text`, `prose`) or stands
between more backticks than it has (`code`, `fenced`), and only `link` makes a link.

Characters that are not seen, or that change the order of what is seen, are shown by their number:
text direction marks can make code look like other code (CVE-2021-42574), and tag characters carry
instructions that only a model reads.

The grammar is CommonMark's (https://spec.commonmark.org/0.31.2/) with GitHub's tables, strike-outs
and bare addresses, which editors have too.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote, urlsplit

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
"""Controls, formats, direction marks, blanks that are letters, variation selectors, private use,
tags, halves of pairs and what is no character. `\t` and `\n` are seen."""

_PICTURE_STYLE: Final = "\ufe0f"
"""Asks for the coloured form of the symbol before it; without one it is unseen like the others."""

_MARKS: Final = re.compile(
    r"[\\`*\[\]<&~|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # spans
    r"|^[#+=>:-]|^[0-9]{1,9}(?=[.)](?: |$))"  # blocks
    r"|:(?=//)|@|(?i:(?<=www)\.)"  # bare addresses
)
"""What Markdown may take for more than itself. `\\` before punctuation is allowed everywhere
(section 2.4)."""

_SCHEMES: Final = frozenset({"https", "http", "file"})

_LANGUAGE: Final = re.compile(r"[^A-Za-z0-9_+#.-]")


def seen(text: str) -> str:
    """Return text in which every character is seen; line ends are line feeds."""
    return _UNSEEN.sub(_shown, text.replace("\r\n", "\n").replace("\r", "\n"))


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    before = match.string[match.start() - 1 : match.start()]
    if character == _PICTURE_STYLE and before and unicodedata.category(before) == "So":
        return character
    return f"⟨U+{ord(character):04X}⟩"


def text(untrusted: str) -> str:
    """Return text as one line of Markdown."""
    return _MARKS.sub(_escaped, " ".join(seen(untrusted).split()))


def _escaped(match: re.Match[str]) -> str:
    mark = match[0]
    # A digit cannot be escaped; what follows it, and makes it an item's number, can.
    return f"{mark}\\" if mark.isdecimal() else f"\\{mark}"


def prose(untrusted: str) -> str:
    """Return text of several lines as paragraphs that keep its line ends."""
    paragraphs = re.split(r"\n[ \t]*\n\s*", seen(untrusted).strip())
    lines = ("\\\n".join(map(text, each.split("\n"))) for each in paragraphs)
    return "\n\n".join(filter(None, lines))


def code(untrusted: str) -> str:
    """Return text as a code span in one line (section 6.1); a table's bars are kept out."""
    line = " ".join(seen(untrusted).split())
    fence = "`" * (_longest_run(line) + 1)
    padding = " " if not line or line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def fenced(untrusted: str, language: str = "") -> str:
    """Return text as a fenced block (section 4.5) that no line of it can end."""
    shown = seen(untrusted).rstrip("\n")
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}{_LANGUAGE.sub('', language)}\n{shown}\n{fence}"


def link(label: str, address: str) -> str:
    """Return a link to an address of ours, or the label alone if nobody may be sent there."""
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        scheme = ""
    if scheme not in _SCHEMES:
        return text(label)
    # As it is, but for what would end it.
    return f"[{text(label)}]({quote(address, safe='%/:=&?~#+!$,;@*[]', errors='replace')})"


def _longest_run(shown: str) -> int:
    return max(map(len, re.findall("`+", shown)), default=0)
