"""Rules of the user's own, found by ast-grep: which this process has, and what they find.

A process has the rules that it was last told of with `use`, so that an analysis, the verification
of a fix and an audit see the same ones. They are read again when a file of theirs has changed.
ast-grep is imported when there is a first rule.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast

from coai_agents.analysis.findings.findings import Finding
from coai_agents.analysis.rules.rules import know
from coai_agents.source import Edit, Span, path_of
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ast_grep_py import Config, SgNode
    from pathspec import GitIgnoreSpec

    from coai_agents.analysis.findings.findings import Notes
    from coai_agents.analysis.rules.user_rule_files import UserRule, UserRuleError
    from coai_agents.source import Source

MOST_CHARACTERS: Final = 1_000_000
"""Longer texts are not searched."""

MOST_FINDINGS: Final = 1_000
"""Of one rule in one file."""

MOST_FILES: Final = 1_000
"""Of rules."""

MOST_BYTES: Final = 256 * 1024
"""Of one of them."""

SUFFIXES: Final = frozenset({".yml", ".yaml"})

ORIGIN: Final = "user"

_LANGUAGES: Final = {
    "shellscript": "bash",
    "javascriptreact": "javascript",
    "typescriptreact": "tsx",
    "jsonc": "json",
    "dockercompose": "yaml",
    "terraform": "hcl",
}
"""By LSP's identifier of a language: ast-grep's name where it is another."""

_META: Final = re.compile(r"\$\$\$([A-Z_][A-Z0-9_]*)|\$([A-Z_][A-Z0-9_]*)")


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule with its globs compiled."""

    rule: UserRule
    files: GitIgnoreSpec | None
    ignores: GitIgnoreSpec | None

    def looks_at(self, path: str) -> bool:
        if self.ignores is not None and self.ignores.match_file(path):
            return False
        return self.files is None or self.files.match_file(path)


@dataclass(slots=True)
class _Rulebook:
    """What this process has."""

    places: tuple[str, ...] = ()
    stamp: tuple[tuple[str, int, int], ...] = ()
    rules: dict[str, list[_Ready]] = field(default_factory=dict[str, "list[_Ready]"])
    """By language."""
    problems: tuple[UserRuleError, ...] = ()
    digest: str = ""


_book = _Rulebook()


def files_of(places: Iterable[Path]) -> list[Path]:
    """Return the files of rules in folders, those that are named, and none that are not there."""
    found: dict[Path, None] = {}
    for place in places:
        if place.is_file():
            found[place] = None
        elif place.is_dir():
            inside = (path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
            found.update(dict.fromkeys(sorted(path for path in inside if path.is_file())))
    return list(found)[:MOST_FILES]


def use(places: Sequence[str]) -> None:
    """Have the rules of these folders and files from now on; what is wrong is in `problems`."""
    if not places and not _book.places:
        return
    files = files_of(Path(place) for place in places)
    stamp = tuple(_stamp(file) for file in files)
    if tuple(places) == _book.places and stamp == _book.stamp:
        return
    from coai_agents.analysis.rules.user_rule_files import read_rules  # noqa: PLC0415 - most have no rules

    digest = _digest(files)
    read = read_rules(files)
    problems = list(read.problems)
    rules: dict[str, list[_Ready]] = {}
    for rule in read.rules:
        problem = _refusal(rule)
        if problem is not None:
            problems.append(problem)
        else:
            rules.setdefault(rule.language, []).append(
                _Ready(rule, _globs(rule.files), _globs(rule.ignores))
            )
    _book.places, _book.stamp = tuple(places), stamp
    _book.rules, _book.problems, _book.digest = rules, tuple(problems), digest
    know(rule.concept for rule in all_rules())


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        about = file.stat()
    except OSError:
        return str(file), 0, -1
    return str(file), about.st_mtime_ns, about.st_size


def _digest(files: Sequence[Path]) -> str:
    if not files:
        return ""
    from importlib.metadata import version  # noqa: PLC0415 - only where there are rules

    digest = hashlib.sha256(version("ast-grep-py").encode())
    for file in files:
        try:
            content = hashlib.sha256(read_file(file, MOST_BYTES)).digest()
        except OSError:
            content = b""
        digest.update(f"{file}\0".encode("utf-8", "replace") + content)
    return digest.hexdigest()


def digest() -> str:
    """Return what changes whenever what these rules find may; empty where there are no files."""
    return _book.digest


def all_rules() -> list[UserRule]:
    """Return the rules that this process has."""
    return [ready.rule for some in _book.rules.values() for ready in some]


def problems() -> tuple[UserRuleError, ...]:
    """Return what is wrong with rules, and so left out."""
    return _book.problems


def _globs(patterns: Sequence[str]) -> GitIgnoreSpec | None:
    """Compile ast-grep's globs; those that begin in a project count in any folder."""
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - only where rules name files

    anchored = (pattern.removeprefix("./") for pattern in patterns)
    return GitIgnoreSpec.from_lines(
        each if each.startswith(("/", "**/")) else f"**/{each}" for each in anchored
    )


def _refusal(rule: UserRule) -> UserRuleError | None:
    """Return what ast-grep has against a rule, if anything."""
    from ast_grep_py import SgRoot  # noqa: PLC0415 - native code, loaded on first use

    try:
        SgRoot("", rule.language).root().find(cast("Config", rule.config))
    except (RuntimeError, TypeError, ValueError) as error:
        return rule.place.problem_about(f"ast-grep refuses the rule: {_cause(error)}.")
    except Exception as error:
        # What the binding raises for a field that it does not know has no class of its own.
        if type(error) is not Exception:
            raise
        return rule.place.problem_about(f"ast-grep refuses the rule: {_cause(error)}.")
    return None


def _cause(error: Exception) -> str:
    """Return the innermost reason, without the backtrace that ast-grep may add."""
    chain = str(error).split("Stack backtrace:")[0].strip()
    causes = re.split(r"Caused by:|\n\s+\d+: ", chain)
    return " ".join(causes[-1].split()).rstrip(".")


def findings(source: Source, notes: Notes, deadline: float) -> list[Finding]:
    """Return what the user's rules find in a document; `notes` says what was left out."""
    if not _book.rules:
        return []
    language = _LANGUAGES.get(source.language, source.language)
    path = path_of(source.uri)
    name = source.uri if path is None else path.as_posix()
    ready = [
        each for each in _book.rules.get(language, ()) if not each.rule.off and each.looks_at(name)
    ]
    if not ready:
        return []
    if len(source.text) > MOST_CHARACTERS:
        notes.append("The file is too large for your own rules.")
        return []
    from ast_grep_py import SgRoot  # noqa: PLC0415 - native code, loaded on first use

    root = SgRoot(source.text, language).root()
    found: list[Finding] = []
    for each in ready:
        if perf_counter() > deadline:
            notes.hurry("The time for one file was over: not all of your own rules were tried.")
            break
        matches = root.find_all(cast("Config", each.rule.config))
        found += [_finding(source, each.rule, match) for match in matches[:MOST_FINDINGS]]
    return found


def _finding(source: Source, rule: UserRule, match: SgNode) -> Finding:
    concept = rule.concept
    return Finding(
        rule=concept.id,
        span=_span(match),
        message=_filled(concept.message, match, source.text),
        severity=concept.severity,
        uri=source.uri,
        version=source.version,
        cwe=concept.cwe,
        origin=ORIGIN,
    )


def _span(node: SgNode) -> Span:
    where = node.range()
    return Span(where.start.index, where.end.index)


def _filled(template: str, match: SgNode, text: str) -> str:
    """Put what a match's variables stand for into a text."""

    def meant(variable: re.Match[str]) -> str:
        several, one = variable.group(1), variable.group(2)
        if several is not None:
            nodes = match.get_multiple_matches(several)
            if not nodes:
                return ""
            return text[_span(nodes[0]).start : _span(nodes[-1]).end]
        node = match.get_match(one)
        if node is not None:
            return node.text()
        changed = match.get_transformed(one)
        return variable.group(0) if changed is None else changed

    return _META.sub(meant, template)


def proposals(source: Source, finding: Finding) -> list[tuple[Edit, ...]]:
    """Return the edits that the rule of a finding would make; not verified."""
    rule = next((each for each in all_rules() if each.concept.id == finding.rule), None)
    if finding.origin != ORIGIN or rule is None or rule.fix is None:
        return []
    from ast_grep_py import SgRoot  # noqa: PLC0415 - native code, loaded on first use

    for match in SgRoot(source.text, rule.language).root().find_all(cast("Config", rule.config)):
        if _span(match) == finding.span:
            line = source.line_text(source.line_at(finding.span.start))
            margin = line[: len(line) - len(line.lstrip())]
            changed = _filled(rule.fix, match, source.text).replace("\n", f"\n{margin}")
            return [(Edit(finding.span, changed),)]
    return []


def failures(rule: UserRule) -> Iterable[str]:
    """Yield what of a rule's own snippets does not hold."""
    from ast_grep_py import SgRoot  # noqa: PLC0415 - native code, loaded on first use

    def found(text: str) -> bool:
        return SgRoot(text, rule.language).root().find(cast("Config", rule.config)) is not None

    for number, text in enumerate(rule.snippets.invalid):
        if not found(text):
            yield f"{rule.concept.id}, invalid snippet {number}: it is not found"
    for number, text in enumerate(rule.snippets.valid):
        if found(text):
            yield f"{rule.concept.id}, valid snippet {number}: it is found"


def to_document() -> dict[str, Any]:
    """Return what this process has as JSON: rules, and what is wrong with others."""
    return {
        "concepts": [rule.concept.model_dump(mode="json") for rule in all_rules()],
        "problems": [
            {"file": str(each.file), "line": each.line, "problem": each.problem}
            for each in _book.problems
        ],
    }


def know_document(document: Mapping[str, Any]) -> None:
    """Take the rules of another process's `to_document` for those that there are."""
    from coai_agents.analysis.rules.rules import OwnConcept  # noqa: PLC0415 - beside `know`

    know(OwnConcept.model_validate(each) for each in document["concepts"])
