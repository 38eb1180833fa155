"""What chat models put around code: fences, a sentence before it, thoughts, an apology.

A model that was told to answer with code and nothing else answers with code and something else
often enough. What is around the code is taken off while it streams in, and what is no code at all
is not shown. A document that is text, a comment or a string may well hold all of this: there only
what a model's own machinery leaves behind is taken off, and a fence in the middle of a line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.completion.stop.nesting import read

if TYPE_CHECKING:
    from coai_agents.completion.stop.fitting import Ground

_MACHINERY: Final = re.compile(
    r"<\|[\w.:-]{1,40}\|>|<\uff5c[^\n\uff5c]{1,40}\uff5c>|</s>|<fim_(?:prefix|suffix|middle|pad)>|<EOT>"
    r"|<file_sep>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
)
"""Control tokens of model families, as text: there they mean the end of the answer."""

_THOUGHT: Final = re.compile(
    r"\s*<(think|thinking|thought|reasoning|reflection|scratchpad)>(.*?)(?:</\1>\s*|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_FENCE: Final = re.compile(r"[ \t\n]*(```+|~~~+)[ \t]*([\w+#.-]*)[ \t]*\n")
_HALF_THE_MARKS: Final = re.compile(r"\s*[`~]{1,2}\Z")
_HALF_A_FENCE: Final = re.compile(r"\s*(?:`+|~+)[ \t]*[\w+#.-]*\Z")
_SHORT_FENCE: Final = re.compile(r"\s*```(?!`)")
_TAG: Final = re.compile(
    r"\s*<(insert|code|completion|answer|output|result|middle|fill)>\n?", re.IGNORECASE
)

_REFUSAL: Final = re.compile(
    r"\s*(?:I'?m (?:so )?sorry|I am (?:so )?sorry|(?:I'm|I am) (?:unable|not able)"
    r"|Sorry[,!. ]|(?:My )?[Aa]pologies|I apologi[sz]e|I can(?:no|')t\b|I can not\b"
    r"|I (?:do not|don't|won't|will not|could not|couldn't) "
    r"|As an? (?:AI|language|large|assistant)|Unfortunately[, ])"
)
_OPENING: Final = re.compile(
    r"(?:Sure|Certainly|Of course|Absolutely|Okay|OK|Alright|Great|Got it|No problem|Yes|Right)\b"
    r"|Here(?:'s| is| are| you go)\b|Below (?:is|are)\b"
    r"|(?:The|This is the|Your)(?: \w+)? (?:complet|missing|follow|insert|code|answer|correct"
    r"|result|snippet|text|line|solution|next|remaining|updated|full)\w*\b"
    r"|(?:Completion|Answer|Output|Response|Completed code|Code|Solution|Insert)\s*:"
    r"|To (?:complete|finish|fill)\b|I(?:'ll|'ve| will| would| have|'d)\b|Let(?:'s| me)\b"
    r"|(?:You|We) (?:can|could|should|need|may|might)\b|(?:Based on|Given) (?:the|your)\b"
    r"|It (?:looks|seems|appears)\b|\*\*\w+|Nothing (?:to|needs|is)\b"
    r"|No (?:completion|further|additional|more|code|change)\w* \w+|There (?:is|are) no\w*\b"
)
_PHRASES: Final = (
    *("Sure", "Certainly", "Of course", "Absolutely", "Okay", "OK", "Alright", "Great", "Got it"),
    *("No problem", "No completion", "Yes", "Right", "Here", "Below is", "The complet", "The code"),
    *("The missing", "This is the", "Your", "Completion:", "Answer:", "Output:", "Response:"),
    *("Code:", "Solution:", "Insert:", "To complete", "I'm", "I am", "I'll", "I've", "I will"),
    *("I cannot", "I can't", "I apologize", "Let's", "Let me", "You can", "We can", "Based on"),
    *("Given the", "It looks", "Sorry", "Apologies", "My apologies", "As an AI", "There is no"),
    *("Unfortunately", "**"),
)
"""Beginnings of such sentences; a first line that is not over may become one."""

_AFTERWARDS: Final = re.compile(
    r"\s*(?:(?:#+ |\*\*)?(?:Explanation|Note|Notes|Example|Output|Usage)\b(?:\*\*)?\s*(?::|$)"
    r"|(?:This|The|These|Here|It|In this|Note that|You|We|I|Let me|Hope|Where|Please|Now|If you"
    r"|That)(?:'s|'ll)? [A-Za-z`])"
)
_WORDS: Final = 5
"""So many words in a row are a sentence, even without its full stop."""

_FEWEST_WORDS: Final = 4
"""Fewer words after the code may be code."""

_LANGUAGES: Final = re.compile(
    r"\A(?:bash|c|cpp|csharp|css|go|html|java|javascript|js|json|jsx|kotlin|php|py|python|rb|ruby"
    r"|rs|rust|sh|shell|sql|swift|text|ts|tsx|typescript|xml|yaml) (?=\S)"
)


def code_of(raw: str, ground: Ground, *, whole: bool) -> str:
    """Return what of an answer, streamed so far, is meant for the document.

    While it cannot be told yet what its beginning is, that is nothing. `whole` is true when no more
    will come.
    """
    text = _without_thoughts(raw, whole=whole)
    found = _MACHINERY.search(text)
    if found is not None:
        text, whole = text[: found.start()], True
    elif not whole:
        text = _without_half_a_token(text)
    if ground.prose or ground.in_text:
        fences = not ground.mid_line and (ground.prose or ground.in_lines_of_text)
        return text if fences else _out_of_text(text, ground, whole=whole)
    text, fenced = _unfenced(text, ground, whole=whole)
    if fenced:
        return text
    plain = text.replace("\u2019", "'")
    if not whole and _may_be_prose(plain):
        return ""
    if _REFUSAL.match(plain):
        return ""
    bare = _without_preamble(text, ground, whole=whole)
    return _without_marks(_without_afterword(bare, ground, whole=whole), ground)


def _out_of_text(text: str, ground: Ground, *, whole: bool) -> str:
    """Leave out a fence, and a sentence before it, where a text cannot go on with a fence.

    Without the fence the sentence may be what the text goes on with.
    """
    inner, fenced = _unfenced(text, ground, whole=whole)
    if fenced:
        return inner
    line, newline, rest = text.lstrip().partition("\n")
    opening = _OPENING.match(line.replace("\u2019", "'"))
    if opening is None or not (line.rstrip().endswith(":") or not newline):
        return text
    inner, fenced = _unfenced(rest.lstrip("\n"), ground, whole=whole)
    if fenced:
        return inner
    undecided = not whole and not rest.strip()
    return "" if undecided else text


def _without_thoughts(raw: str, *, whole: bool) -> str:
    while (thought := _THOUGHT.match(raw)) is not None:
        raw = raw[thought.end() :]
    begun = raw.lstrip()
    if not whole and begun and any(f"<{name}>".startswith(begun.lower()) for name in _THOUGHTS):
        return ""
    return raw


_THOUGHTS: Final = ("think", "thinking", "thought", "reasoning", "reflection", "scratchpad")


def _without_half_a_token(text: str) -> str:
    """Hold back what may become a control token with the next piece."""
    start = max(text.rfind("<"), text.rfind("["))
    half = re.compile(r"<(?:\|[\w.:-]*\|?|\uff5c[^\n\uff5c]*|/s?|fim_\w*|EO?T?)?\Z|\[/?I?N?S?T?\Z")
    return text[:start] if start >= 0 and half.match(text, start) else text


def _unfenced(text: str, ground: Ground, *, whole: bool) -> tuple[str, bool]:
    """Return what is between fences, and whether there were any."""
    tag = None if ground.markup or ground.in_text else _TAG.match(text)
    if tag is not None and f"<{tag[1]}" not in text[tag.end() :]:
        inner = text[tag.end() :]
        end = inner.lower().find(f"</{tag[1].lower()}>")
        return (inner if end < 0 else inner[:end].rstrip("\n")), True
    fence = _FENCE.match(text)
    if fence is not None:
        return _up_to_fence(text[fence.end() :], fence[1]), True
    short = _SHORT_FENCE.match(text)
    if short is not None and not ground.in_text:
        inner = text[short.end() :]
        end = inner.find("```")
        if end >= 0:
            return _LANGUAGES.sub("", inner[:end]).strip(), True
        # The fence's first line is not over, or nothing came after it.
        return "", True
    if not whole and (_HALF_A_FENCE if ground.in_text else _HALF_THE_MARKS).match(text):
        return "", True
    return text, False


def _up_to_fence(inner: str, fence: str) -> str:
    end = re.search(
        rf"^[ \t]*{re.escape(fence[0])}{{3,}}[ \t]*$|{re.escape(fence)}[ \t]*$", inner, re.MULTILINE
    )
    if end is None:
        return re.sub(r"\n?[ \t]*[`~]{1,2}\Z", "", inner)
    return inner[: end.start()].removesuffix("\n")


def _may_be_prose(text: str) -> bool:
    """Say whether a first line that is not over may be a sentence to the reader."""
    begun = text.lstrip()
    if "\n" in begun or not begun:
        return False
    if _OPENING.match(begun) or _REFUSAL.match(begun):
        return True
    return any(phrase.startswith(begun) for phrase in _PHRASES)


def _without_preamble(text: str, ground: Ground, *, whole: bool) -> str:
    """Leave out sentences to the reader before the code, and the fence after them."""
    while True:
        begun = text.lstrip()
        line, newline, rest = begun.partition("\n")
        if not _OPENING.match(begun.replace("\u2019", "'")) or not _is_sentence(line):
            return text
        quoted = re.search(r"(?::|\bis|\bbe)\s*`([^`\n]+)`", line)
        if quoted is not None:
            return quoted[1]
        if not newline:
            return ""
        text = rest.lstrip("\n")
        inner, fenced = _unfenced(text, ground, whole=whole)
        if fenced:
            return inner


def _is_sentence(line: str) -> bool:
    """Say whether a line that begins as a sentence does is one, and not code."""
    bare = re.sub(r"`[^`]*`", "", line).rstrip(" *")
    if not bare:
        return False
    words = bare.split()
    if re.search(r"[=;{}\[\]<>]|\w\(|\)\.|\w\.\w", bare):
        return False
    return bare.endswith((":", ".", "!", "?")) or len(words) >= _WORDS


def _without_afterword(text: str, ground: Ground, *, whole: bool) -> str:
    """Cut where the code is over and the reader is spoken to again."""
    position = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        complete = whole or number + 1 < len(lines)
        stripped = line.strip()
        if number and stripped.startswith(("```", "~~~")):
            return text[:position].rstrip("\n")
        says = _AFTERWARDS.match(line) is not None and (
            len(stripped.split()) >= _FEWEST_WORDS or stripped.endswith(":")
        )
        if number and complete and says and _is_sentence(stripped):
            before = read(text[:position], ground.lexical)
            if not before.in_string:
                return text[:position].rstrip("\n")
        ended = line.rstrip()
        if ended.endswith("```") and not read(ended[:-3], ground.lexical).in_string:
            return text[: position + len(ended) - 3].rstrip()
        position += len(line) + 1
    return text


def _without_marks(text: str, ground: Ground) -> str:
    """Leave out the backticks around an answer, where a backtick is no part of the language."""
    begun = text.lstrip()
    if ground.backticks or not begun.startswith("`") or begun.startswith("```"):
        return text
    return begun[1:].partition("`")[0]
