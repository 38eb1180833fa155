"""A repository's patterns: bounded, matched in time in proportion to them, off the event loop."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coai_agents.analysis.run.gathering import files_in
from coai_agents.exclusions import decisions as module
from coai_agents.exclusions.decisions import MOST_PATTERNS as MOST_TOGETHER
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions, Ground
from coai_agents.exclusions.folder import MOST_BYTES
from coai_routing.privacy.file_names import look_up
from coai_routing.privacy.ignore_patterns import (
    LONGEST_PATTERN,
    MOST_PATTERNS,
    MOST_WORK,
    PatternsError,
    judge,
    parse_ignore_file,
    work,
)
from coai_routing.privacy.sensitivity import SensitivityRules, assess
from coai_routing.request import Message, ModelRequest
from coai_routing.settings.patterns import rebased

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_routing.privacy.file_names import FileNames, Root

HOSTILE = {
    "stars": "*a" * 14 + "b",
    "many stars": "*a" * 100 + "b",
    "question marks": "?*" * 100 + "b",
    "depths": "**/a/" * 60 + "b",
    "stars in depths": "/".join(["**", "*a*a*a*b"] * 20),
    "brackets": "[a-z]*" * 60 + "1",
    "open brackets": "[" * 400,
    "escapes": "\\*" * 200,
}
PATHS = ("a" * 250, "/".join("a" * 60), "/".join(["a" * 100] * 40))
ASKED = ModelRequest(messages=(Message(role="user", content="x = 1"),))


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE)
def test_a_private_pattern_ends_whatever_it_is(pattern: str) -> None:
    """A matcher that tries every split of fourteen stars would be here for hours."""
    rules = SensitivityRules(private_files=(pattern,))
    assert not assess(ASKED, rules, paths=PATHS)
    assert assess(ASKED, SensitivityRules(private_files=(pattern, "*")), paths=PATHS)


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE)
def test_a_pattern_of_a_project_above_ends_whatever_it_is(pattern: str) -> None:
    assert isinstance(rebased(pattern, ["a" * 100] * 40), tuple)


def test_what_a_list_costs_is_known_before_it_is_matched() -> None:
    """Work is pattern times path: twice of either is twice as much, and no power of it."""
    one = parse_ignore_file("x", "*a*b")
    two = parse_ignore_file("x", "*a*b\n*c*d")
    long = parse_ignore_file("x", "*a*b*c*d")
    parts = ["a" * 100]
    assert work(parts, [two]) == work(parts, [long]) == 2 * work(parts, [one])
    hostile = parse_ignore_file("x", "\n".join(["*a" * 400] * MOST_PATTERNS))
    assert work(["a" * 200], [hostile]) > MOST_WORK
    with pytest.raises(PatternsError, match="too long"):
        judge(["a" * 200], {0: hostile})
    # A long list as people write them is far from that.
    honest = parse_ignore_file("x", "\n".join(f"*.suffix{n}\ndir{n}/" for n in range(1000)))
    assert work(("src", "a", "b", "c", "d", "module_with_a_name.py"), [honest]) < MOST_WORK / 5


@pytest.mark.parametrize(
    ("patterns", "why"),
    [
        ("\n".join(f"a{n}" for n in range(MOST_PATTERNS + 1)), "more than"),
        ("a" * (LONGEST_PATTERN + 1), "more than"),
        ("\n".join(["*a" * 400] * (MOST_PATTERNS - 1)), "too long"),
    ],
)
def test_a_list_that_is_too_much_makes_everything_private(patterns: str, why: str) -> None:
    rules = SensitivityRules(private_files=tuple(patterns.split("\n")))
    found = assess(ASKED, rules, paths=["b" * 200])
    assert why in str(found)


# ----------------------------------------------------------------------------------- ignore files


def nested(top: Path, count: int, text: str, name: str = ".coaiignore") -> Path:
    folder = top
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / name).write_text(text, encoding="utf-8")
        folder /= f"d{number}"
        folder.mkdir()
    return folder / "x.py"


def asked(top: Path, **rules: Any) -> Exclusions:  # noqa: ANN401 - fields of the rules
    return Exclusions(lambda _: ExclusionRules(**rules), roots=[top])


@pytest.mark.parametrize(
    ("name", "count", "text"),
    [
        (".coaiignore", 6, "a\n" * (MOST_BYTES // 2 + 1)),
        (".gitignore", 6, "a\n" * (MOST_BYTES // 2 + 1)),
        (".coaiignore", 1, "\n".join(f"a{n}" for n in range(MOST_PATTERNS + 1))),
        (".coaiignore", 1, "a" * (LONGEST_PATTERN + 1)),
        (".coaiignore", 6, "\n".join(f"{n:x}" for n in range(MOST_TOGETHER // 5))),
        (".coaiignore", 6, "\n".join("?*a" * 100 + str(n) for n in range(400))),
    ],
)
def test_ignore_files_that_are_too_much_exclude_what_they_speak_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, count: int, text: str
) -> None:
    path = nested(tmp_path, count, text, name)
    exclusions = asked(tmp_path)
    refusal = exclusions.refusal(path, "context")
    assert refusal is not None
    assert refusal.reason is Ground.UNREADABLE
    # The reason is there for the user, once in the log.
    assert refusal.why
    exclusions.refusal(path, "completion")
    assert sum(refusal.file in record.getMessage() for record in caplog.records) == 1


def test_settings_that_are_too_much_exclude_everything(tmp_path: Path) -> None:
    many = tuple(f"a{n}" for n in range(MOST_PATTERNS + 1))
    refusal = asked(tmp_path, privacy=many).refusal(tmp_path / "x.py", "completion")
    assert refusal is not None
    assert refusal.reason is Ground.UNREADABLE


async def test_patterns_are_compiled_and_matched_off_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = nested(tmp_path, 6, "*a*b*c\n" * 1000)
    worked: list[threading.Thread] = []

    def watched(*arguments: Any, **names: Any) -> Any:  # noqa: ANN401 - whatever is called
        worked.append(threading.current_thread())
        return real(*arguments, **names)

    exclusions = asked(tmp_path)
    for where in ("read_folder", "by_coaiignore", "look_up"):
        real = getattr(module, where)
        with monkeypatch.context() as patched:
            patched.setattr(module, where, watched)
            exclusions.forget(tmp_path / ".coaiignore")
            both = await asyncio.gather(
                *(exclusions.judged(path, use) for use in ("completion", "context"))
            )
            assert both == [None, None]
    assert worked
    assert threading.main_thread() not in worked


async def test_who_asks_twice_at_once_is_answered_by_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def counted(address: str, roots: Sequence[Root]) -> FileNames:
        looks.append(address)
        return look_up(address, roots)

    monkeypatch.setattr(module, "look_up", counted)
    exclusions = asked(tmp_path)
    await asyncio.gather(*(exclusions.judged(tmp_path / "x.py", "completion") for _ in range(9)))
    assert len(looks) == 1


# ------------------------------------------------------------- harmless patterns mean what git says

names = st.sampled_from(["a", "b", "ab", "a.py", "src", "build"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
pieces = st.sampled_from(["a", "b", "ab", "*.py", "*", "src", "build", "?b", "[ab]", "a*", "**"])
patterns = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(pieces, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "/"]),
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@settings(deadline=None)
@given(lines=st.lists(patterns, max_size=4), path=paths)
def test_harmless_patterns_mean_what_git_says(
    repository: Path, lines: list[str], path: str
) -> None:
    private = assess(ASKED, SensitivityRules(private_files=tuple(lines)), paths=[path])
    (repository / ".gitignore").write_text("\n".join(lines), encoding="utf-8")
    command = ["git", "-C", repository, "check-ignore", "--no-index", "-q", path]
    assert bool(private) == (subprocess.run(command, check=False).returncode == 0)


def test_the_same_list_means_what_git_says(tmp_path: Path) -> None:
    lines = ["/private/", "*.sql", "!open.sql", "gen/**/x.py", "**/tmp", "doc?", "[a-c].txt"]
    asked_about = [
        "private/a.py", "x/private/a.py", "a.sql", "open.sql", "db/open.sql", "gen/x.py",
        "gen/a/b/x.py", "gen/x.pyc", "a/tmp", "a/tmp/b", "docs", "doc", "b.txt", "d.txt",
    ]  # fmt: skip
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("\n".join(lines), encoding="utf-8")
    said = subprocess.run(
        ["git", "-C", tmp_path, "check-ignore", "--no-index", *asked_about],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    assert said == [path for path in asked_about if _is_private(lines, path)]


def _is_private(lines: Sequence[str], path: str) -> bool:
    return bool(assess(ASKED, SensitivityRules(private_files=tuple(lines)), paths=[path]))


def test_an_audit_looks_at_files_of_which_patterns_say_too_much(tmp_path: Path) -> None:
    for name in (".gitignore", ".coaiignore"):
        nested(tmp_path / name[1:], 5, "\n".join("?*a" * 100 + str(n) for n in range(400)), name)
    leaf = nested(tmp_path / "leaf", 0, "")
    leaf.write_text("x = 1\n", encoding="utf-8")
    assert leaf in files_in([tmp_path])
