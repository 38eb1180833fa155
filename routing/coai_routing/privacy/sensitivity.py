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
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from coai_routing.privacy.file_names import FOLDS_CASE, spellings_of
from coai_routing.privacy.ignore_patterns import PatternsError, judge, parse_ignore_file
from coai_routing.privacy.personal import find_personal
from coai_routing.privacy.secret_files import secret_file_pattern
from coai_routing.privacy.secrets import find_secrets, redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coai_routing.privacy.ignore_patterns import IgnoreFile
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
class ShownFile:
    """A file of which a request shows something, with the rules that its own project sets."""

    names: tuple[str, ...]
    """All that it goes by (`file_names.py`), relative to the folder that the rules are for, and
    with slashes. That any of them is private is enough."""
    rules: SensitivityRules
    folds_case: bool = FOLDS_CASE
    """Whether its file system takes `A` and `a` for the same."""
    hard_linked: bool = False
    """Whether it has names that nobody can tell, of which one may be private."""


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
    request: ModelRequest, rules: SensitivityRules, *, paths: Iterable[str | ShownFile] = ()
) -> Sensitivity:
    """Say what is sensitive about a request that shows parts of the files at `paths`.

    A path is judged by the rules of the request. A ShownFile brings its own, and what the request
    says is judged by these too.
    """
    files = [
        path if isinstance(path, ShownFile) else ShownFile(_slashed(spellings_of(path)), rules)
        for path in paths
    ]
    found: dict[Reason, None] = {}
    for reason in _reasons(request, rules, files):
        found[reason] = None
        if len(found) == MOST_REASONS:
            break
    return Sensitivity(tuple(found))


def _slashed(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.replace("\\", "/") for name in names)


def _reasons(
    request: ModelRequest, rules: SensitivityRules, files: Sequence[ShownFile]
) -> Iterator[Reason]:
    everyone = tuple(dict.fromkeys((rules, *(file.rules for file in files))))
    if any(each.privacy_mode for each in everyone):
        yield Reason("privacy_mode", "privacy mode is on")
    if request.sensitive:
        yield Reason("caller", "whoever asked marked it as sensitive")
    for file in files:
        yield from _about_file(file)
    emails_of = dict.fromkeys(each.emails for each in everyone if each.personal_data)
    for text in texts_of(request):
        for secret in find_secrets(text):
            yield Reason("secret", f"a secret ({secret.kind})")
        for emails in emails_of:
            for datum in find_personal(text, emails=emails):
                yield Reason("personal", f"personal data ({datum.kind})")
        for each in everyone:
            for number, pattern in enumerate(each.patterns, start=1):
                if _compiled(pattern).search(text):
                    yield Reason("pattern", f"your pattern number {number} of `privacy.patterns`")


def _about_file(file: ShownFile) -> Iterator[Reason]:
    for name in file.names:
        if (pattern := secret_file_pattern(PurePosixPath(name))) is not None:
            yield Reason("file", f"a file that usually holds secrets ({pattern})")
    patterns = file.rules.private_files
    if not patterns:
        return
    if file.hard_linked:
        yield Reason("file", "a file with more than one name (hard links), and some are private")
    try:
        private = any(_is_private(name, patterns, file.folds_case) for name in file.names)
    except PatternsError as error:
        yield Reason("file", f"a file that `privacy.private` may mean: {error}")
        return
    if private:
        yield Reason("file", "a file that is marked private")


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
def _is_private(name: str, patterns: tuple[str, ...], ignore_case: bool) -> bool:  # noqa: FBT001
    parts = [part for part in name.split("/") if part]
    return judge(parts, {0: _patterns(patterns, ignore_case)}) is not None


@functools.lru_cache(maxsize=64)
def _patterns(patterns: tuple[str, ...], ignore_case: bool) -> IgnoreFile:  # noqa: FBT001
    return parse_ignore_file("privacy.private", "\n".join(patterns), ignore_case=ignore_case)
