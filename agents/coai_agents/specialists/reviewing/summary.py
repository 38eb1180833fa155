"""What a model is shown of a diff: facts first, then as many changed lines as there is room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_routing.privacy.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.reviewing.comments import Comment
    from coai_agents.specialists.reviewing.diffs import Diff, FileChange

MOST_TOKENS: Final = 2_000
CHARACTERS_A_TOKEN: Final = 3.0
"""Of code, for models with vocabularies of 32,000 tokens and more; text has more to a token."""
MOST_CHARACTERS: Final = int(MOST_TOKENS * CHARACTERS_A_TOKEN)
_LINE: Final = 160
"""Characters of one line; longer ones are data or generated."""


def summary_of(diff: Diff, comments: Sequence[Comment]) -> str:
    """Return a diff in at most `MOST_TOKENS` tokens: files, what is known, and changed lines.

    Each file has its share of the room, code before tests; secrets are left out.
    """
    files = sorted(diff.files, key=lambda each: (each.is_test, -len(each.added)))
    head = ["Files:"]
    head += [f"{each.path} +{len(each.added)} -{len(each.removed)}" for each in files[:40]]
    known = [f"{each.path}:{each.line} {each.text}" for each in comments[:15]]
    if known:
        head += ["", "Known already:", *known]
    text = "\n".join(line[:_LINE] for line in head)[: MOST_CHARACTERS // 3]
    left = MOST_CHARACTERS - len(text)
    for number, each in enumerate(files):
        share = max(left // (len(files) - number), 0)
        shown = _lines_of(each, share)
        if shown:
            text += shown
            left -= len(shown)
    return redact(text)[:MOST_CHARACTERS]


def _lines_of(change: FileChange, most: int) -> str:
    """Return a file's changed lines with their numbers, in the order of the text."""
    lines = [(each.number, 1, f"{each.number} + {each.text}") for each in change.added]
    lines += [(each.number, 0, f"{each.number} - {each.text}") for each in change.removed]
    text = f"\n\n{change.path}\n"
    if len(text) > most:
        return ""
    for _, _, line in sorted(lines):
        cut = line[:_LINE]
        if len(text) + len(cut) + 1 > most:
            break
        text += f"{cut}\n"
    return text
