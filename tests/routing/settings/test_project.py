"""What comes with the code is not trusted: a project's settings narrow and do nothing else."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pathspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coai_routing.settings.fields import dotted, leaves
from coai_routing.settings.layers import Layer
from coai_routing.settings.markers import Narrowing
from coai_routing.settings.patterns import rebased
from coai_routing.settings.schema import Settings
from tests.support.settings import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.settings.loading import LoadedSettings

SEVERITIES = ("hint", "information", "warning", "error")

TRIAGED = ("full", "local", "heuristics", "off")

NARROWABLE = {
    "completion.enabled",
    "completion.languages.<name>",
    "completion.exclude",
    "completion.max_tokens",
    "completion.multiline",
    "completion.context",
    "completion.gitignored_context",
    "completion.prefetch",
    "completion.same_change",
    "completion.next_edit",
    "completion.allow_cloud",
    "privacy.mode",
    "privacy.exclude",
    "ledger.enabled",
    "memory.enabled",
    "static.at_least.<name>",
    "static.triage",
    "privacy.personal_data",
    "privacy.emails",
    "privacy.private",
    "routing.allow_cloud",
    "telemetry.enabled",
    "web.enabled",
    "explanations.hover",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_list_of_what_a_project_may_narrow_is_closed() -> None:
    assert {dotted(leaf.path) for leaf in leaves() if leaf.narrowing is not None} == NARROWABLE


@pytest.mark.parametrize(
    ("asked", "held"),
    [("off", "off"), ("cached", "cached"), ("local", "local"), ("full", "local")],
)
def test_a_project_never_has_code_explained_elsewhere(
    machine: Machine, asked: str, held: str
) -> None:
    loaded = machine.load(project=f'explanations.hover = "{asked}"')
    assert loaded.settings.explanations.hover == held


WIDE = """
[completion]
gitignored_context = true
allow_cloud = true
multiline = "always"
exclude = ["mine/", "!mine/not"]
[completion.languages]
markdown = false
[privacy]
personal_data = false
"""


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("completion.enabled = false", "enabled", False),
        ("completion.context = false", "context", False),
        ("completion.gitignored_context = false", "gitignored_context", False),
        ("completion.gitignoredContext = false", "gitignored_context", False),
        ("completion.prefetch = false", "prefetch", False),
        ("completion.allow_cloud = false", "allow_cloud", False),
        ("completion.max_tokens = 16", "max_tokens", 16),
        ("completion.max_tokens = 128", "max_tokens", 128),
        ('completion.multiline = "auto"', "multiline", "auto"),
        ('completion.multiline = "never"', "multiline", "never"),
        ('completion.exclude = ["a", "a"]', "exclude", ("mine/", "!mine/not", "a")),
        ('completion.exclude = ["mine/"]', "exclude", ("mine/", "!mine/not", "mine/")),
        (
            "completion.languages = {c = false}",
            "languages",
            {"markdown": False, "c": False},
        ),
        (
            'completion.languages = {"*" = false, c = true}',
            "languages",
            {"markdown": False, "c": True, "*": False},
        ),
    ],
)
def test_a_project_may_narrow(machine: Machine, text: str, key: str, value: object) -> None:
    loaded = machine.load(user=WIDE, project=text)
    assert loaded.problems == ()
    assert loaded.settings.completion.model_dump()[key] == value
    own = loaded.own.settings
    assert loaded.settings.model_copy(update={"completion": own.completion}) == own


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("privacy.mode = true", "mode", True),
        ("privacy.personal_data = true", "personal_data", True),
        ('privacy.exclude = ["a"]', "exclude", ("a",)),
    ],
)
def test_a_project_may_protect(machine: Machine, text: str, key: str, value: object) -> None:
    loaded = machine.load(user=WIDE, project=text)
    assert loaded.problems == ()
    assert loaded.settings.privacy.model_dump()[key] == value


STRICT = """
[completion]
enabled = false
context = false
prefetch = false
max_tokens = 64
multiline = "never"
exclude = ["mine/"]
languages = {markdown = false}
[privacy]
mode = true
"""
ONLY = "a project file may only "


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("completion.enabled = true", "completion.enabled", "switch it off"),
        ("completion.context = true", "completion.context", "switch it off"),
        ("completion.prefetch = true", "completion.prefetch", "switch it off"),
        ("completion.allow_cloud = true", "completion.allow_cloud", "switch it off"),
        ("completion.gitignored_context = true", "completion.gitignored_context", "switch it off"),
        ("completion.max_tokens = 65", "completion.max_tokens", "lower it"),
        ('completion.multiline = "auto"', "completion.multiline", "choose what does less"),
        (
            'completion.exclude = ["!mine/"]',
            "completion.exclude",
            'add patterns that exclude; "!mine/" includes files again',
        ),
        (
            'privacy.exclude = [" !x"]',
            "privacy.exclude",
            'add patterns that exclude; " !x" includes files again',
        ),
        (
            "completion.languages = {markdown = true}",
            "completion.languages.markdown",
            "switch entries off",
        ),
        ("privacy.mode = false", "privacy.mode", "switch it on"),
        ("privacy.personal_data = false", "privacy.personal_data", "switch it on"),
    ],
)
def test_a_project_may_not_widen(machine: Machine, text: str, key: str, why: str) -> None:
    loaded = machine.load(user=STRICT, project=text)
    assert loaded.settings == loaded.own.settings
    (problem,) = loaded.problems
    assert (problem.key, problem.message, problem.line) == (key, ONLY + why, 1)
    assert problem.file == machine.workspace / ".coai.toml"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("completion.target_latency_ms = 50", "completion.target_latency_ms"),
        ('completion.backend = "ollama"', "completion.backend"),
        ('completion.model = "evil"', "completion.model"),
        ("engine.enabled = false", "engine.enabled"),
        ('engine.model = "/evil.gguf"', "engine.model"),
        ('engine.download = "auto"', "engine.download"),
        ('endpoints.ollama.url = "http://evil.example"', "endpoints.ollama.url"),
        ('endpoints.vllm.api_key = "x"', "endpoints.vllm.api_key"),
        ('endpoints.custom.evil.url = "http://evil.example"', "endpoints.custom.evil.url"),
        ('models.directory = "/evil"', "models.directory"),
        ('models.sources = ["wheels"]', "models.sources"),
        ('models.local_paths = ["/evil"]', "models.local_paths"),
        ('privacy.trusted_hosts = ["evil.example"]', "privacy.trusted_hosts"),
        ('log.file = "/etc/passwd"', "log.file"),
        ('log.level = "debug"', "log.level"),
        ("engine.threads = 'wrong, and still not the project's to say'", None),
    ],
)
def test_a_project_may_set_nothing_else(machine: Machine, text: str, key: str | None) -> None:
    loaded = machine.load(project=text)
    assert loaded.settings == Settings()
    (problem,) = loaded.problems
    if key is not None:
        assert problem.key == key
        assert problem.message.startswith("a project file may not set this")
    assert "evil" not in problem.message


@pytest.mark.parametrize(
    ("project", "client", "languages"),
    [
        ("{python = true}", {"*": False}, {"*": False}),
        ("{python = false}", {"*": True}, {"*": True, "python": False}),
        ("{python = false}", {"python": True}, {"python": True}),
        ('{"*" = false}', {"python": True}, {"python": True, "*": False}),
        ('{"*" = false, python = true}', {"*": True}, {"*": True, "python": True}),
    ],
)
def test_what_the_editor_says_of_a_language_stays(
    machine: Machine, project: str, client: dict[str, bool], languages: dict[str, bool]
) -> None:
    loaded = machine.load(
        project=f"completion.languages = {project}", client={"completion": {"languages": client}}
    )
    served = loaded.settings.completion
    assert {name: served.serves(name) for name in languages} == languages


def test_what_a_greater_layer_says_stays_and_is_no_problem(machine: Machine) -> None:
    loaded = machine.load(
        project="[completion]\nmax_tokens = 100\nenabled = false\nexclude = ['b']",
        client={"completion": {"maxTokens": 64, "enabled": True, "exclude": ["a"]}},
    )
    assert loaded.problems == ()
    completion = loaded.settings.completion
    assert (completion.max_tokens, completion.enabled) == (64, True)
    assert completion.exclude == ("a", "b"), "a project adds patterns to anyone's"
    assert loaded.origins["completion.enabled"].layer is Layer.CLIENT


def test_each_folder_is_narrowed_by_its_own_project(machine: Machine) -> None:
    machine.write("one/.coai.toml", "completion.max_tokens = 64\ncompletion.prefetch = false")
    machine.write("two/.coai.toml", "completion.max_tokens = 32\nprivacy.mode = true")
    machine.write("two/inner/.coai.toml", "completion.max_tokens = 48\ncompletion.context = false")
    (machine.root / "three").mkdir()
    roots = [machine.root / name for name in ("one", "two", "three", "two/inner")]
    loaded = machine.load(roots=roots)
    assert loaded.problems == ()

    def seen(path: Path | str | None) -> tuple[int, bool, bool, bool]:
        held = loaded.for_path(path)
        completion = held.completion
        return completion.max_tokens, completion.prefetch, completion.context, held.privacy.mode

    assert seen(machine.root / "one" / "a.py") == (64, False, True, False)
    assert seen(str(machine.root / "one")) == (64, False, True, False)
    assert seen(machine.root / "two" / "a" / "b.py") == (32, True, True, True)
    assert seen(machine.root / "two" / "inner" / "b.py") == (32, True, False, True)
    assert seen(machine.root / "one" / ".." / "two" / "b.py") == (32, True, True, True)
    assert seen(machine.root / "three" / "b.py") == (128, True, True, False)
    assert seen(machine.root / "one-more" / "a.py") == (128, True, True, False)
    assert seen(None) == (32, False, False, True), "what is in no file obeys all projects"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_folder_is_known_by_its_link_and_its_target(machine: Machine) -> None:
    machine.write("target/.coai.toml", "privacy.mode = true")
    link = machine.root / "link"
    link.symlink_to(machine.root / "target")
    loaded = machine.load(roots=[link])
    assert loaded.for_path(link / "a.py").privacy.mode
    assert loaded.for_path(machine.root / "target" / "a.py").privacy.mode


@pytest.mark.parametrize(
    ("files", "folder", "max_tokens"),
    [
        pytest.param({".coai.toml": 64}, "", 64, id="in the folder"),
        pytest.param({"pyproject.toml": 64}, "", 64, id="in pyproject.toml"),
        pytest.param({".coai.toml": 64, "pyproject.toml": 32}, "", 64, id="both"),
        pytest.param({".coai.toml": 64, ".git": 0}, "a/b", 64, id="above in the repository"),
        pytest.param(
            {".coai.toml": 64, "a/pyproject.toml": 32, ".git": 0}, "a/b", 32, id="nearest"
        ),
        pytest.param({".coai.toml": 64, "a/.git": 0}, "a/b", 128, id="above the repository"),
        pytest.param({".coai.toml": 64}, "a/b", 128, id="above, without a repository"),
        pytest.param({".coai.toml": 64, "a/b/.git": 0}, "a/b", 128, id="folder is a repository"),
    ],
)
def test_the_project_file_is_the_nearest_of_the_repository(
    machine: Machine, files: dict[str, int], folder: str, max_tokens: int
) -> None:
    for name, tokens in files.items():
        table = "[tool.coai.completion]" if name.endswith("pyproject.toml") else "[completion]"
        machine.write(f"repo/{name}", f"{table}\nmax_tokens = {tokens}\n")
    root = machine.root / "repo" / folder
    root.mkdir(parents=True, exist_ok=True)
    loaded = machine.load(roots=[root])
    assert loaded.settings.completion.max_tokens == max_tokens
    assert loaded.for_path(root / "x.py") == loaded.settings


def test_two_project_files_in_one_directory_are_a_problem(machine: Machine) -> None:
    pyproject = machine.write("workspace/pyproject.toml", "[tool.coai.privacy]\nmode = true")
    loaded = machine.load(project="")
    (problem,) = loaded.problems
    assert (problem.file, problem.key) == (pyproject, "tool.coai")
    assert problem.message == "is not read, as .coai.toml in the same directory counts"
    assert not loaded.settings.privacy.mode


@pytest.mark.parametrize(
    "text",
    [
        "[tool.coaxial]\nx = 1",
        "# coai\n[tool.other]\nx = 1",
        "tool = 'coai'",
        "[project]\nname = 'coai'\nbroken = \n",
        b"\xff coai",
        b"#" * 300_000,
    ],
)
def test_a_pyproject_that_does_not_speak_of_us_is_none_of_ours(
    machine: Machine, text: str | bytes
) -> None:
    machine.write("workspace/pyproject.toml", text)
    loaded = machine.load()
    assert loaded.problems == ()
    assert loaded.settings == Settings()


def test_only_our_part_of_a_pyproject_is_checked(machine: Machine) -> None:
    machine.write(
        "workspace/pyproject.toml",
        "[project]\nname = \n[tool.coai.completion]\nenabled = fasle\nmax_tokens = 'x'\n"
        "prefetch = false\n",
    )
    loaded = machine.load()
    assert [(p.line, p.key) for p in loaded.problems] == [(4, ""), (5, "completion.max_tokens")]
    assert not loaded.settings.completion.prefetch


def test_one_project_of_two_folders_reports_once(machine: Machine) -> None:
    machine.write("repo/.coai.toml", "engine.slots = 9")
    (machine.root / "repo" / ".git").mkdir()
    roots = [machine.root / "repo" / name for name in ("a", "b")]
    assert len(machine.load(roots=roots).problems) == 1


def test_a_project_file_that_is_no_file_is_a_problem(machine: Machine) -> None:
    (machine.workspace / ".coai.toml").mkdir(parents=True)
    (problem,) = machine.load().problems
    assert problem.message == "is not a file"


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in directories there")
def test_a_pipe_for_a_project_file_does_not_hang(machine: Machine) -> None:
    machine.workspace.mkdir()
    os.mkfifo(machine.workspace / ".coai.toml")
    (problem,) = machine.load().problems
    assert problem.message == "is not a file"


@pytest.mark.parametrize(
    ("pattern", "below", "expected"),
    [
        ("*.pem", "a", ["*.pem"]),
        ("private/", "a/b", ["private/"]),
        ("a", "a/b", ["*"]),
        ("a/", "a", ["*"]),
        ("B", "a/b", ["*"]),
        ("/a", "a", ["*"]),
        ("/a/x.py", "a", ["/x.py"]),
        ("a/x.py ", "a", ["/x.py"]),
        ("a/x\\ ", "a", ["/x\\ "]),
        ("a/b/", "a", ["/b/"]),
        ("a/b/c", "a/b", ["/c"]),
        ("a/*/c", "a/b", ["/c"]),
        ("a/?/c/d", "a/b", ["/c/d"]),
        ("a/[xyz]/c", "a/b", ["/c"]),
        ("a/**", "a", ["*"]),
        ("a/**/", "a", ["*"]),
        ("a/**", "a/b", ["*"]),
        ("**/c", "a/b", ["/**/c"]),
        ("**/b", "a/b", ["*"]),
        ("**/b/c", "a/b", ["/c", "/**/b/c"]),
        ("a/**/c", "a/b", ["/**/c"]),
        ("**/**/**/**/**/x", "a/a/a/a/a/a/a/a", ["/**/x"]),
        ("c/x.py", "a", []),
        ("/c", "a", []),
        ("**", "a", ["*"]),
        ("/", "a", ["/"]),
    ],
)
def test_a_pattern_is_read_from_the_folder(pattern: str, below: str, expected: list[str]) -> None:
    moved = rebased(pattern, below.split("/"))
    assert set(expected) <= set(moved)
    assert len(expected) == len(moved) or "**/**" in pattern


def test_patterns_of_a_project_above_hold_in_the_folder(machine: Machine) -> None:
    machine.write("repo/.coai.toml", "privacy.exclude = ['a/secret/', 'b/x', '*.key', '!a/y']")
    (machine.root / "repo" / ".git").mkdir()
    loaded = machine.load(roots=[machine.root / "repo" / "a"])
    assert loaded.settings.privacy.exclude == ("/secret/", "*.key")
    assert len(loaded.problems) == 1, "the pattern that includes"


PARTS = st.sampled_from(["a", "b", "ab", "A", "*", "**", "?", "a*", "[ab]", "[!a]"])
PATTERNS = st.tuples(
    st.sampled_from(["", "/"]),
    st.lists(PARTS, min_size=1, max_size=4).map("/".join),
    st.sampled_from(["", "/"]),
).map("".join)
PATH_PARTS = st.lists(st.sampled_from(["a", "b", "ab", "A"]), min_size=1, max_size=3)


@settings(max_examples=200)
@given(PATTERNS, PATH_PARTS, PATH_PARTS)
@example("a/**/", ["a"], ["a"])
@example("a/**/**/", ["a"], ["a"])
def test_a_pattern_read_from_below_excludes_all_that_it_did(
    pattern: str, below: Sequence[str], inside: Sequence[str]
) -> None:
    whole = pathspec.GitIgnoreSpec.from_lines([pattern])
    moved = pathspec.GitIgnoreSpec.from_lines(rebased(pattern, below))
    if whole.match_file("/".join((*below, *inside))):
        assert moved.match_file("/".join(inside))


def test_a_rule_must_say_how_it_narrows() -> None:
    with pytest.raises(NotImplementedError):
        Narrowing[int]("do nothing").meet(1, 2)


# What follows holds the property itself, with a judge that shares no code with the rules.

SWITCHES = (
    "enabled",
    "context",
    "gitignored_context",
    "prefetch",
    "allow_cloud",
    "same_change",
    "next_edit",
)
LANGUAGES = ("python", "go", "c++", "*", "unheard-of")
LINES = ("always", "auto", "never")
PROBES = ("a", "a/b", "b/a", "a/a/b", "x.pem", "b/x.pem", "README.md", "b")


def assert_not_wider(after: Settings, before: Settings) -> None:
    """Judge whether settings are nowhere wider than before."""
    for switch in SWITCHES:
        assert getattr(after.completion, switch) <= getattr(before.completion, switch), switch
    for language in LANGUAGES:
        assert after.completion.serves(language) <= before.completion.serves(language), language
    assert after.completion.max_tokens <= before.completion.max_tokens
    assert LINES.index(after.completion.multiline) >= LINES.index(before.completion.multiline)
    assert after.privacy.mode >= before.privacy.mode
    assert after.ledger.enabled <= before.ledger.enabled
    assert after.memory.enabled <= before.memory.enabled
    assert after.privacy.personal_data >= before.privacy.personal_data
    assert after.privacy.emails >= before.privacy.emails
    assert after.routing.allow_cloud <= before.routing.allow_cloud
    now_said, then_said = after.explanations.hover, before.explanations.hover
    assert EXPLAINED.index(now_said) >= EXPLAINED.index(then_said)
    for rule, severity in before.static.at_least.items():
        now_least = after.static.at_least.get(rule, "hint")
        assert SEVERITIES.index(now_least) >= SEVERITIES.index(severity), rule
    assert TRIAGED.index(after.static.triage) >= TRIAGED.index(before.static.triage)
    assert_equal_but(after.static, before.static, ("at_least", "triage"))
    for new, old in (
        (after.completion.exclude, before.completion.exclude),
        (after.privacy.exclude, before.privacy.exclude),
        (after.privacy.private, before.privacy.private),
    ):
        now, then = map(pathspec.GitIgnoreSpec.from_lines, (new, old))
        assert set(then.match_files(PROBES)) <= set(now.match_files(PROBES))
    completion_keys = (*SWITCHES, "languages", "max_tokens", "multiline", "exclude")
    assert_equal_but(after.completion, before.completion, completion_keys)
    assert_equal_but(after.ledger, before.ledger, ("enabled",))
    assert_equal_but(after.memory, before.memory, ("enabled",))
    privacy_keys = ("mode", "exclude", "personal_data", "emails", "private")
    assert_equal_but(after.privacy, before.privacy, privacy_keys)
    assert_equal_but(after.routing, before.routing, ("allow_cloud",))
    assert not after.telemetry.enabled or before.telemetry.enabled
    assert_equal_but(after.telemetry, before.telemetry, ("enabled",))
    sections = ("completion", "privacy", "routing", "ledger", "memory", "static", "explanations")
    assert not after.web.enabled or before.web.enabled
    assert_equal_but(after.web, before.web, ("enabled",))
    sections = (*sections, "telemetry", "web")
    assert_equal_but(after, before, sections)


def assert_equal_but(after: Any, before: Any, keys: Sequence[str]) -> None:  # noqa: ANN401 - models of any section
    assert after.model_dump(exclude=set(keys)) == before.model_dump(exclude=set(keys))


IGNORE_LINES = st.sampled_from(
    ["a", "b/", "*.pem", "!a", "!*.pem", " !b", "!", "\\!a", "/a/b", "!/a/b", "**", "!**", "#a"]
)
EXCLUDES = st.lists(IGNORE_LINES, min_size=1, max_size=4)
EXPLAINED = ["full", "local", "cached", "off"]
"""From the most that is said to the least."""

MAPS = st.dictionaries(st.sampled_from(LANGUAGES), st.booleans(), min_size=1, max_size=4)
RIGHT_VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{f"completion.{switch}": st.booleans() for switch in SWITCHES},
    "completion.languages": MAPS,
    "completion.exclude": EXCLUDES,
    "completion.max_tokens": st.integers(16, 1024),
    "completion.multiline": st.sampled_from(LINES),
    "completion.target_latency_ms": st.integers(50, 10_000),
    "completion.backend": st.sampled_from(["auto", "ollama", "box"]),
    "engine.enabled": st.booleans(),
    "engine.model": st.sampled_from(["a", "/b.gguf"]),
    "engine.download": st.sampled_from(["ask", "auto", "never"]),
    "endpoints.ollama.url": st.sampled_from(["http://a", "https://b:1/v1"]),
    "endpoints.vllm.api_key": st.just("key"),
    "endpoints.custom.box.url": st.just("http://box"),
    "privacy.mode": st.booleans(),
    "ledger.enabled": st.booleans(),
    "memory.enabled": st.booleans(),
    "privacy.personal_data": st.booleans(),
    "privacy.emails": st.booleans(),
    "privacy.private": EXCLUDES,
    "routing.allow_cloud": st.booleans(),
    "telemetry.enabled": st.booleans(),
    "web.enabled": st.booleans(),
    "explanations.hover": st.sampled_from(EXPLAINED),
    "static.triage": st.sampled_from(TRIAGED),
    "static.at_least": st.dictionaries(
        st.sampled_from(["weak-hash", "security", "*"]), st.sampled_from(SEVERITIES), max_size=2
    ),
    "static.severity": st.just({"*": "hint"}),
    "static.disabled": st.just(["*"]),
    "privacy.exclude": EXCLUDES,
    "privacy.trusted_hosts": st.lists(st.sampled_from(["a", "b:1"]), max_size=2),
    "models.sources": st.lists(st.sampled_from(["path", "wheels"]), max_size=2),
    "log.level": st.sampled_from(["debug", "error"]),
}
WRONG_VALUES = (
    st.integers() | st.text(max_size=4) | st.booleans() | MAPS | st.lists(IGNORE_LINES, max_size=2)
)


LAYERS = ("user", "environment", "editor")


@st.composite
def cases(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Draw a few settings; for each what the user's layers say, if any, and what comes with code.

    Few, and each in a project file: among many that are seldom set together nothing would clash.
    """
    keys = draw(
        st.lists(st.sampled_from(sorted(RIGHT_VALUES)), min_size=1, max_size=3, unique=True)
    )
    said: dict[str, dict[str, Any]] = {name: {} for name in (*LAYERS, "project", "env file")}
    for key in keys:
        right = RIGHT_VALUES[key]
        for name in draw(st.sampled_from([(), ("user",), ("user", "editor"), ("environment",)])):
            said[name][key] = draw(right)
        said["project"][key] = draw(right | right | right | WRONG_VALUES)
        if draw(st.booleans()):
            said["env file"][key] = draw(right | right | right | WRONG_VALUES)
    return said


def toml(values: dict[str, Any]) -> str:
    """Return a layer as TOML."""
    return "\n".join(f"{key} = {toml_value(value)}" for key, value in values.items())


def toml_value(value: Any) -> str:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, dict):
        pairs: dict[str, bool] = value  # pyright: ignore[reportUnknownVariableType] - from MAPS
        return f"{{{', '.join(f'{json.dumps(k)} = {toml_value(v)}' for k, v in pairs.items())}}}"
    return json.dumps(value)


def load_with(own: Sequence[dict[str, Any]], project: str, env_file: str) -> LoadedSettings:
    """Load the user's, the environment's and the editor's layer with a project's."""
    user, environment, client = own
    environ = {
        f"COAI_{key.upper().replace('.', '__')}": value
        if isinstance(value, str)
        else json.dumps(value)
        for key, value in environment.items()
    }
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(Path(directory))
        loaded = machine.load(
            user=toml(user), project=project, env_file=env_file, environ=environ, client=client
        )
        inside = loaded.for_path(machine.workspace / "a.py")
        assert inside == loaded.settings
    return loaded


SLOW = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)  # It writes files, and how fast that is says nothing.


@pytest.mark.parametrize("key", sorted(key.removesuffix(".<name>") for key in NARROWABLE))
@settings(SLOW, max_examples=25)
@given(st.data())
def test_whatever_a_project_asks_of_a_setting_it_gets_no_wider(
    key: str, data: st.DataObject
) -> None:
    own = [{key: data.draw(RIGHT_VALUES[key])}, {}, {}]
    asked = {key: data.draw(RIGHT_VALUES[key])}
    assert_not_wider(load_with(own, toml(asked), "").settings, load_with(own, "", "").settings)


@SLOW
@given(cases())
def test_whatever_a_project_sets_nothing_gets_wider(said: dict[str, dict[str, Any]]) -> None:
    own = [said[name] for name in LAYERS]
    env_file = "\n".join(
        f"COAI_{key.upper().replace('.', '__')}='{json.dumps(value)}'"
        for key, value in said["env file"].items()
    )
    without = load_with(own, "", "")
    loaded = load_with(own, toml(said["project"]), env_file)
    assert_not_wider(loaded.settings, without.settings)
    assert_not_wider(loaded.settings, loaded.own.settings)
    assert_not_wider(loaded.own.settings, without.settings)


@SLOW
@given(st.text(max_size=80) | st.text(st.sampled_from("a.=[]{}\"'#\n "), max_size=80), st.text())
def test_whatever_a_project_says_nothing_gets_wider(project: str, env_file: str) -> None:
    encodable = project.encode("utf-8", "replace").decode()
    loaded = load_with(({}, {}, {}), encodable, env_file.encode("utf-8", "replace").decode())
    assert_not_wider(loaded.settings, Settings())
