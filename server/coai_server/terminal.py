"""Untrusted text in a terminal: names of files, source code, and what models and servers say.

A terminal does what control characters say: it moves, changes its title, writes to the clipboard
(OSC 52). Others change what is read: text that runs the other way, and characters without width
(CVE-2021-42574, "Trojan Source"). None of them gets through, and what was there is seen.
"""

from __future__ import annotations

import unicodedata
from functools import cache

_SHOWN_AS = "\N{REPLACEMENT CHARACTER}"

_KEPT = "\t\n"

_WITHOUT_WIDTH = (
    "\N{COMBINING GRAPHEME JOINER}\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}"
    "\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}"
)
"""What is a letter or a mark for Unicode, and shows nothing."""


def printable(text: str) -> str:
    """Return text of equal length that cannot steer a terminal; lines and tabs are kept.

    Controls become blanks. What only changes how other characters are read becomes U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def one_line(text: str) -> str:
    """Return the same in one line: the name of a file must not look like two."""
    return printable(text).translate({ord("\t"): " ", ord("\n"): " "})


@cache
def _shown(character: str) -> str:
    if character in _KEPT:
        return character
    kind = unicodedata.category(character)
    if kind == "Cc":
        return " "
    hidden = kind in ("Cf", "Cs", "Co", "Zl", "Zp") or character in _WITHOUT_WIDTH
    return _SHOWN_AS if hidden or _selects(character) else character


def _selects(character: str) -> bool:
    """Say whether a character is a variation selector, which can carry hidden text."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
