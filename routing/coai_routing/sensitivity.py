"""Whether what a request says may leave this machine, and why not.

Sensitive is what holds a secret (`secrets.py`), personal data (`personal.py`) or what the user's
own patterns match, what comes from a file that holds secrets or that the user marked private, and
everything in privacy mode. A reason names what was found and never repeats it.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from coai_routing.personal import find_personal
from coai_routing.secret_files import secret_file_pattern
from coai_routing.secrets import find_secrets, redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from coai_routing.request import ModelRequest

MOST_REASONS: Final = 8
"""Reasons that are kept; the first one settles the matter."""


@dataclass(frozen=True, slots=True)
class SensitivityRules:
    """What counts as sensitive besides secrets and their files, which always do."""

    privacy_mode: bool = False
    personal_data: bool = True
    emails: bool = False
    """Whether e-mail addresses of authors, licences and examples are personal data, too."""
    patterns: tuple[str, ...] = ()
    """Regular expressions of the user's own."""
    private_files: tuple[str, ...] = ()
    """Gitignore patterns of files whose content must stay here."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request is sensitive, without what was found."""

    kind: str
    """`secret`, `personal`, `pattern`, `file` or `privacy_mode`."""
    detail: str

    def __str__(self) -> str:
        """Say it in a few words."""
        return self.detail


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What is sensitive about a request; nothing if there is no reason."""

    reasons: tuple[Reason, ...] = ()

    def __bool__(self) -> bool:
        """Say whether the request must stay on this machine."""
        return bool(self.reasons)

    def __str__(self) -> str:
        """List the reasons."""
        return "; ".join(map(str, self.reasons)) or "nothing sensitive found"


def assess(
    request: ModelRequest, rules: SensitivityRules, *, paths: Iterable[str] = ()
) -> Sensitivity:
    """Say what is sensitive about a request that shows parts of the files at `paths`."""
    found: dict[Reason, None] = {}
    for reason in _reasons(request, rules, tuple(paths)):
        found[reason] = None
        if len(found) == MOST_REASONS:
            break
    return Sensitivity(tuple(found))


def _reasons(
    request: ModelRequest, rules: SensitivityRules, paths: tuple[str, ...]
) -> Iterator[Reason]:
    if rules.privacy_mode:
        yield Reason("privacy_mode", "privacy mode is on")
    if request.sensitive:
        yield Reason("caller", "whoever asked marked it as sensitive")
    for path in paths:
        if (pattern := secret_file_pattern(PurePath(path))) is not None:
            yield Reason("file", f"a file that usually holds secrets ({pattern})")
        elif rules.private_files and _is_private(path, rules.private_files):
            yield Reason("file", "a file that is marked private")
    for text in texts_of(request):
        for secret in find_secrets(text):
            yield Reason("secret", f"a secret ({secret.kind})")
        if rules.personal_data:
            for datum in find_personal(text, emails=rules.emails):
                yield Reason("personal", f"personal data ({datum.kind})")
        for number, pattern in enumerate(rules.patterns, start=1):
            if _compiled(pattern).search(text):
                yield Reason("pattern", f"your pattern number {number} of `privacy.patterns`")


def texts_of(request: ModelRequest) -> tuple[str, ...]:
    """Return everything that a provider would send of a request."""
    texts = [request.prompt, request.suffix, *(m.content for m in request.messages), *request.stop]
    if request.json_schema is not None:
        texts.append(json.dumps(request.json_schema, ensure_ascii=False))
    return tuple(text for text in texts if text)


def characters_of(request: ModelRequest) -> int:
    """Return about how many characters a provider would send; a JSON schema is not counted."""
    return (
        len(request.prompt or "")
        + len(request.suffix or "")
        + sum([len(message.content) for message in request.messages])
    )


def redacted(request: ModelRequest) -> ModelRequest:
    """Return the request with a marker in the place of each secret."""
    change: dict[str, Any] = {
        "prompt": None if request.prompt is None else redact(request.prompt),
        "suffix": None if request.suffix is None else redact(request.suffix),
        "messages": tuple(
            message.model_copy(update={"content": redact(message.content)})
            for message in request.messages
        ),
    }
    return request.model_copy(update=change)


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@functools.lru_cache(maxsize=1024)
def _is_private(path: str, patterns: tuple[str, ...]) -> bool:
    return _spec(patterns).match_file(path.replace("\\", "/").lstrip("/"))


@functools.lru_cache(maxsize=16)
def _spec(patterns: tuple[str, ...]) -> Any:  # noqa: ANN401 - pathspec's class is imported late
    import pathspec  # noqa: PLC0415 - only where a user has such patterns

    return pathspec.GitIgnoreSpec.from_lines(patterns)
