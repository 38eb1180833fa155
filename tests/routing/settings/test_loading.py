"""Loading settings: which layer counts, what is wrong in one, and what is shown of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import platformdirs
import pytest
from pydantic import SecretStr

from coai_routing.settings.files import LARGEST_FILE, default_user_file
from coai_routing.settings.layers import Layer, Origin, describe, short_path
from coai_routing.settings.loading import MASK, load, rows
from coai_routing.settings.schema import Settings
from tests.support.settings import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

CANARY = "sk-canary-4711"

USER = "[completion]\nmax_tokens = 100\n"
PROJECT = "[completion]\nmax_tokens = 90\n"
ENVIRON = {"COAI_COMPLETION__MAX_TOKENS": "110"}
CLIENT = {"completion": {"maxTokens": 120}}
OVERRIDES = {"completion.max_tokens": "130"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def messages(machine: Machine, user: str | bytes | None = None) -> list[str]:
    """Return the problems of a user file, without the directory."""
    problems = machine.load(user=user).problems
    return [str(problem).replace(f"{machine.root}{os.sep}", "") for problem in problems]


@pytest.mark.parametrize(
    ("layers", "value", "layer"),
    [
        ({}, 128, Layer.DEFAULT),
        ({"user": USER}, 100, Layer.USER),
        ({"user": USER, "project": PROJECT}, 90, Layer.PROJECT),
        ({"user": USER, "project": PROJECT, "environ": ENVIRON}, 110, Layer.ENVIRONMENT),
        ({"user": USER, "environ": ENVIRON, "client": CLIENT}, 120, Layer.CLIENT),
        ({"project": PROJECT, "client": CLIENT}, 120, Layer.CLIENT),
        ({"client": CLIENT, "overrides": OVERRIDES}, 130, Layer.COMMAND_LINE),
    ],
)
def test_the_greater_layer_counts(
    machine: Machine, layers: dict[str, Any], value: int, layer: Layer
) -> None:
    loaded = machine.load(**layers)
    assert loaded.problems == ()
    assert loaded.settings.completion.max_tokens == value
    assert loaded.origins["completion.max_tokens"].layer is layer


def test_nothing_set_gives_the_defaults(machine: Machine) -> None:
    loaded = machine.load()
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {Origin(Layer.DEFAULT)}


def test_entries_of_a_table_are_taken_one_by_one(machine: Machine) -> None:
    loaded = machine.load(
        user='[completion.languages]\nmarkdown = false\nc = false\n[endpoints.custom.box]\nurl="http://b"',
        environ={"COAI_ENDPOINTS__CUSTOM__BOX__KIND": "ollama"},
        client={"completion": {"languages": {"c": True}}},
    )
    assert loaded.problems == ()
    assert loaded.settings.completion.languages == {"markdown": False, "c": True}
    assert loaded.settings.endpoints.custom["box"].kind == "ollama"
    assert loaded.settings.endpoints.custom["box"].url == "http://b"
    assert loaded.origins["completion.languages.markdown"].describe().startswith("user file")
    assert loaded.origins["completion.languages.c"].describe() == "editor"
    assert (
        loaded.origins["endpoints.custom.box.kind"].describe()
        == "environment variable COAI_ENDPOINTS__CUSTOM__BOX__KIND"
    )


def test_a_list_takes_the_place_of_a_lesser_one(machine: Machine) -> None:
    loaded = machine.load(
        user='completion.exclude = ["a"]', client={"completion": {"exclude": ["b"]}}
    )
    assert loaded.settings.completion.exclude == ("b",)


@pytest.mark.parametrize(
    "client",
    [
        {"completion": {"targetLatencyMs": 500, "languages": {"c++": False}}},
        {"completion": {"target_latency_ms": 500, "languages": {"c++": False}}},
        {"completion.targetLatencyMs": 500, "completion.languages": {"c++": False}},
        {"coai": {"completion": {"targetLatencyMs": 500, "languages.c++": False}}},
        {"completion": {"targetLatencyMs": 500, "enabled": None, "languages": {"c++": False}}},
    ],
    ids=["nested", "snake_case", "dotted", "in a section", "null for what is not set"],
)
def test_an_editor_may_write_settings_in_several_ways(
    machine: Machine, client: dict[str, Any]
) -> None:
    loaded = machine.load(client=client)
    assert loaded.problems == ()
    assert loaded.settings.completion.target_latency_ms == 500
    assert loaded.settings.completion.languages == {"c++": False}


def test_a_command_line_may_give_text_and_values(machine: Machine, tmp_path: Path) -> None:
    loaded = machine.load(
        overrides={
            "engine.threads": "4",
            "engine.slots": 2,
            "completion.exclude": '["a", "b"]',
            "completion.languages": {"c": "off"},
            "models.directory": tmp_path,
            "models.local_paths": (tmp_path,),
            "endpoints.vllm.api_key": SecretStr(CANARY),
            "privacy.mode": "on",
        }
    )
    assert loaded.problems == ()
    settings = loaded.settings
    assert (settings.engine.threads, settings.engine.slots) == (4, 2)
    assert settings.completion.exclude == ("a", "b")
    assert settings.completion.languages == {"c": False}
    assert settings.models.directory == tmp_path
    assert settings.models.local_paths == (tmp_path,)
    assert settings.endpoints.vllm.key() == CANARY
    assert settings.privacy.mode


USER_FILE = "user file config/config.toml"
WHOLE = "expected a whole number from 16 to 1024"
PATTERNS = 'expected a list of gitignore patterns such as ["*.pem", "private/"]'
LANGUAGES = 'expected a table of language ids and true or false, such as { "markdown" = false }'
BACKENDS = "auto, embedded, cloud, ollama, lmstudio, llama_server, vllm"
RESERVED = f"{BACKENDS}, anthropic, openai, gemini, mistral, deepseek, openrouter, azure"
NAME = "expected a name of small letters, digits, - and _"
ABSOLUTE = "expected an absolute path, or one that begins with ~"
SOURCES = 'expected a list of "path", "huggingface" and "wheels"'
ADDRESS = "expected an http:// or https:// address without user name, query or fragment"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('max_tokens = "many"', f'completion.max_tokens: {WHOLE}, got "many"'),
        ('max_tokens = "64"', f'completion.max_tokens: {WHOLE}, got "64"'),
        ("max_tokens = 8", f"completion.max_tokens: {WHOLE}, got 8"),
        ("max_tokens = 64.5", f"completion.max_tokens: {WHOLE}, got 64.5"),
        ("max_tokens = inf", f"completion.max_tokens: {WHOLE}, got inf"),
        ("max_tokens = true", f"completion.max_tokens: {WHOLE}, got true"),
        ("max_tokens = [64]", f"completion.max_tokens: {WHOLE}, got a list"),
        ("max_tokens = {a = 1}", f"completion.max_tokens: {WHOLE}, got a table"),
        ("max_tokens = 2026-01-01", f"completion.max_tokens: {WHOLE}, got a date"),
        ("maxTokens = 8", f"completion.max_tokens: {WHOLE}, got 8"),
        ('enabled = "yes"', 'completion.enabled: expected true or false, got "yes"'),
        ("enabled = 1", "completion.enabled: expected true or false, got 1"),
        (
            'multiline = "some"',
            'completion.multiline: expected "auto", "always" or "never", got "some"',
        ),
        ('model = ""', 'completion.model: expected text that is not empty, got ""'),
        ('exclude = "*.md"', f'completion.exclude: {PATTERNS}, got "*.md"'),
        ("exclude = [1]", f"completion.exclude: {PATTERNS}, got 1 in it"),
        (
            "languages = true",
            f"completion.languages: {LANGUAGES}, got true",
        ),
        ('languages = {"c++" = 1}', 'completion.languages."c++": expected true or false, got 1'),
        (
            'backend = "olama"',
            f'completion.backend: expected one of {BACKENDS}, got "olama"',
        ),
        (
            "max_token = 8",
            "completion.max_token: is not a setting; did you mean completion.max_tokens?",
        ),
        (
            "maxToken = 8",
            "completion.maxToken: is not a setting; did you mean completion.max_tokens?",
        ),
        ("threads = 8", "completion.threads: is not a setting; did you mean engine.threads?"),
        ("zzz = 8", "completion.zzz: is not a setting"),
        ('"\\u001b[31m" = 8', 'completion."\\u001b[31m": is not a setting'),
        (
            'enabled = "\\u001b[31m"',
            'completion.enabled: expected true or false, got "\\u001b[31m"',
        ),
        (
            f'enabled = "{"x" * 100}"',
            f'completion.enabled: expected true or false, got "{"x" * 60}..."',
        ),
    ],
)
def test_a_wrong_value_names_file_line_key_and_what_was_expected(
    machine: Machine, text: str, problem: str
) -> None:
    user = f"[completion]\n# a note\n{text}\ntimeout_ms = 7000\n"
    assert messages(machine, user=user) == [f"{USER_FILE}:3: {problem}"]
    settings = machine.load().settings
    expected = Settings().completion.model_copy(update={"timeout_ms": 7000})
    assert settings.completion == expected, "the default counts, and the rest of the file"


@pytest.mark.parametrize(
    ("user", "problem"),
    [
        (
            "completion = 1",
            f"{USER_FILE}:1: completion: expected a table of settings, got a number",
        ),
        (
            "threads = 1",
            f"{USER_FILE}:1: threads: is not a setting; did you mean engine.threads?",
        ),
        (
            "[endpoints.custom.box]",
            f"{USER_FILE}:1: endpoints.custom.box: is left out, as it has no url that can be used",
        ),
        (
            '[endpoints.custom.vllm]\nurl = "http://b"',
            f'{USER_FILE}:1: endpoints.custom: {NAME} other than {RESERVED}, got "vllm"',
        ),
        (
            '[endpoints.custom]\nbox = "http://b"',
            f"{USER_FILE}:2: endpoints.custom.box: expected a table of settings, got text",
        ),
        (
            'endpoints.custom = "http://b"',
            f"{USER_FILE}:1: endpoints.custom: expected a table, got text",
        ),
        (
            '[endpoints.vllm]\nurl = "box:80"',
            f"{USER_FILE}:2: endpoints.vllm.url: {ADDRESS}, got text",
        ),
        (
            'models.directory = "models"',
            f'{USER_FILE}:1: models.directory: {ABSOLUTE}, got "models"',
        ),
        (
            'models.sources = ["path", "ftp"]',
            f'{USER_FILE}:1: models.sources: {SOURCES}, got "ftp" in it',
        ),
        (
            "completion.max_tokens = 64\ncompletion.maxTokens = 65",
            f"{USER_FILE}:2: completion.max_tokens: is set twice; what counts is in {USER_FILE}:1",
        ),
        ("[log]\nlevel = ", f"{USER_FILE}:2: expected TOML, got: Invalid value"),
        (b"[log]\nlevel = '\xff'", f"{USER_FILE}:2: is not UTF-8 text"),
        (b"#" * (LARGEST_FILE + 1), f"{USER_FILE}: is larger than 256 KiB"),
    ],
)  # fmt: skip
def test_a_wrong_user_file_is_a_problem_and_no_more(
    machine: Machine, user: str | bytes, problem: str
) -> None:
    assert messages(machine, user=user) == [problem]


def test_a_syntax_error_costs_its_statement_only(machine: Machine) -> None:
    loaded = machine.load(user="[completion]\nenabled = \nmax_tokens = 64\n[privacy\n[log]\nx")
    assert [(p.line, p.key) for p in loaded.problems] == [(2, ""), (4, ""), (6, "")]
    assert loaded.settings.completion.max_tokens == 64


def test_the_good_part_of_a_list_of_exclusions_counts(machine: Machine) -> None:
    loaded = machine.load(user='privacy.exclude = ["a", "!", "b"]')
    assert loaded.settings.privacy.exclude == ("a", "b")
    loaded = machine.load(user='privacy.exclude = ["!"]')
    assert loaded.settings.privacy.exclude == ()
    assert len(loaded.problems) == 1


def test_the_next_lower_layer_shows_through_a_wrong_value(machine: Machine) -> None:
    loaded = machine.load(
        user='[completion]\nmax_tokens = 64\nbackend = "ollama"',
        client={"completion": {"maxTokens": "lots", "backend": "nowhere"}},
    )
    assert loaded.settings.completion.max_tokens == 64
    assert loaded.settings.completion.backend == "ollama"
    assert [(p.key, p.origin.describe(), p.file) for p in loaded.problems] == [
        ("completion.max_tokens", "editor", None),
        ("completion.backend", "editor", None),
    ]


def test_a_backend_may_be_a_custom_endpoint_that_is_whole(machine: Machine) -> None:
    user = 'completion.backend = "box"\n[endpoints.custom.box]\n'
    assert machine.load(user=user + 'url = "http://box"').settings.completion.backend == "box"
    assert machine.load(user=user).settings.completion.backend == "auto"


def test_a_user_file_that_is_a_directory_is_a_problem(machine: Machine) -> None:
    machine.user_file.mkdir(parents=True)
    assert messages(machine) == [f"{USER_FILE}: is not a file"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_user_file_that_cannot_be_read_is_a_problem(machine: Machine) -> None:
    machine.user_file.parent.mkdir()
    machine.user_file.symlink_to(machine.user_file)
    (message,) = messages(machine)
    assert message.startswith(f"{USER_FILE}: cannot be read: ")


def test_a_path_that_no_file_can_have_is_a_problem(machine: Machine) -> None:
    loaded = load(environ={}, user_file=Path("a\0b"), directory=machine.root)
    (problem,) = loaded.problems
    assert problem.message.startswith("cannot be read: ")


@pytest.mark.parametrize(
    "client",
    [
        [],
        "text",
        {1: 2},
        {"completion": []},
        {"completion": {"enabled": object()}},
        {"completion": {"exclude": [object()]}},
        {"completion": {"model": "\ud800"}},
        {"": 1, ".": 1, "completion.": 1, ".completion": 1},
    ],
)
def test_an_editor_can_send_anything(machine: Machine, client: object) -> None:
    loaded = machine.load(client=cast("dict[str, Any]", client))
    assert loaded.settings == Settings()
    assert loaded.problems


def test_nesting_without_end_is_a_wrong_value(machine: Machine) -> None:
    nested: list[Any] = []
    nested.append(nested)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (nested, deep):
        loaded = machine.load(client={"completion": {"exclude": value}})
        assert [p.message for p in loaded.problems] == [f"{PATTERNS}, got a list"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"COAI_COMPLETION__MAX_TOKENS": "64"}, {"max_tokens": 64}),
        ({"COAI_COMPLETION__MAXTOKENS": "64"}, {"max_tokens": 64}),
        ({"coai_completion__maxTokens": "64"}, {"max_tokens": 64}),
        ({"COAI_COMPLETION__ENABLED": "off"}, {"enabled": False}),
        ({"COAI_COMPLETION__ENABLED": ""}, {}),
        ({"COAI_COMPLETION__MODEL": "7"}, {"model": "7"}),
        ({"COAI_COMPLETION__EXCLUDE": '["a"]'}, {"exclude": ("a",)}),
        ({"COAI_COMPLETION__LANGUAGES__GO": "false"}, {"languages": {"go": False}}),
        ({"COAI_COMPLETION__LANGUAGES": '{"go": false}'}, {"languages": {"go": False}}),
        (
            {"COAI_COMPLETION": '{"maxTokens": 64, "enabled": false}'},
            {"max_tokens": 64, "enabled": False},
        ),
        (
            {"COAI_COMPLETION__MAX_TOKENS": "32", "COAI_COMPLETION": '{"maxTokens": 64}'},
            {"max_tokens": 32},
        ),
        ({"COMPLETION": '{"maxTokens": 64}', "COMPLETION__MAX_TOKENS": "64"}, {}),
    ],
)
def test_the_environment_sets_what_a_variable_names(
    machine: Machine, environ: dict[str, str], expected: dict[str, Any]
) -> None:
    loaded = machine.load(environ=environ)
    assert loaded.problems == ()
    assert loaded.settings.completion == Settings().completion.model_copy(update=expected)


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("COAI_COMPLETION__MAX_TOKENS", "many", f'completion.max_tokens: {WHOLE}, got "many"'),
        ("COAI_COMPLETION__EXCLUDE", "*.md", f'completion.exclude: {PATTERNS}, got "*.md"'),
        ("COAI_COMPLETION__EXCLUDE", '["!"]', f'completion.exclude: {PATTERNS}, got "!" in it'),
        ("COAI_COMPLETION__EXCLUDE", "[" * 99999, None),
        ("COAI_LOG", "debug", "log: expected a table of settings, got text"),
        ("COAI_LOG__LEVL", "debug", "log.levl: is not a setting; did you mean log.level?"),
        ("COAI_NONSENSE", "1", "nonsense: is not a setting"),
        ("COAI_", "1", '"": is not a setting'),
    ],
)
def test_a_wrong_variable_is_a_problem_that_takes_no_other_with_it(
    machine: Machine, variable: str, text: str, problem: str | None
) -> None:
    environ = {variable: text, "COAI_ENGINE__SLOTS": "2"}
    loaded = machine.load(environ=environ)
    (found,) = loaded.problems
    if problem is not None:
        assert str(found) == f"environment variable {variable}: {problem}"
    assert loaded.settings == Settings().model_copy(
        update={"engine": Settings().engine.model_copy(update={"slots": 2})}
    )


ENV_TEXT = """\
# for all
OTHER = x

export COAI_COMPLETION__MAX_TOKENS=64
COAI_COMPLETION__TIMEOUT_MS = '7000' # ms
"""


def test_an_env_file_in_the_home_directory_is_the_users(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(machine.elsewhere))
    monkeypatch.setenv("USERPROFILE", str(machine.elsewhere))
    loaded = machine.load(env_file=ENV_TEXT, user=USER)
    assert loaded.problems == ()
    assert loaded.settings.completion.max_tokens == 64
    assert loaded.settings.completion.timeout_ms == 7000
    file = machine.elsewhere / ".env"
    assert loaded.origins["completion.max_tokens"] == Origin(Layer.ENVIRONMENT, file, 4)
    described = loaded.origins["completion.timeout_ms"].describe()
    assert described == f"environment {Path('~') / '.env'}:5"


def test_an_env_file_beside_the_user_file_is_the_users(machine: Machine) -> None:
    machine.write("config/.env", ENV_TEXT)
    loaded = machine.load(directory=machine.user_file.parent)
    assert loaded.problems == ()
    assert loaded.settings.completion.timeout_ms == 7000


@pytest.mark.parametrize("named", ["{root}/trusted.env", "../trusted.env"])
def test_an_env_file_that_a_variable_names_is_the_users(machine: Machine, named: str) -> None:
    machine.write("trusted.env", ENV_TEXT)
    environ = {"COAI_ENV_FILE": named.format(root=machine.root)}
    loaded = machine.load(environ=environ, env_file="COAI_PRIVACY__MODE=1")
    assert loaded.problems == ()
    assert loaded.settings.completion.timeout_ms == 7000
    assert not loaded.settings.privacy.mode


def test_an_env_file_that_is_named_must_be_there(machine: Machine) -> None:
    loaded = machine.load(environ={"COAI_ENV_FILE": "nowhere.env"})
    (problem,) = loaded.problems
    assert problem.message == "COAI_ENV_FILE names a file that is not there"
    assert problem.file == machine.elsewhere / "nowhere.env"


def test_the_environment_counts_before_an_env_file(machine: Machine) -> None:
    file = machine.write("trusted.env", ENV_TEXT)
    loaded = machine.load(environ={"COAI_ENV_FILE": str(file), **ENVIRON})
    assert loaded.settings.completion.max_tokens == 110


@pytest.mark.parametrize("roots", [[], ["elsewhere"]], ids=["no workspace", "in the workspace"])
def test_an_env_file_that_may_come_with_code_only_narrows(
    machine: Machine, roots: list[str]
) -> None:
    loaded = machine.load(
        env_file=ENV_TEXT + "COAI_ENDPOINTS__VLLM__URL=http://evil.example\n'COAI_\n",
        roots=[machine.root / root for root in roots],
    )
    assert loaded.settings.completion == Settings().completion.model_copy(update={"max_tokens": 64})
    assert loaded.settings == loaded.own.settings == loaded.for_path(machine.elsewhere / "x.py")
    assert loaded.settings.endpoints == Settings().endpoints
    file = machine.elsewhere / ".env"
    assert [(p.file, p.line, p.key) for p in loaded.problems] == [
        (file, 7, ""),
        (file, 5, "completion.timeout_ms"),
        (file, 6, "endpoints.vllm.url"),
    ]


def test_an_env_file_in_a_home_that_is_the_workspace_only_narrows(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(machine.elsewhere))
    monkeypatch.setenv("USERPROFILE", str(machine.elsewhere))
    loaded = machine.load(env_file=ENV_TEXT, roots=[machine.elsewhere])
    assert [problem.key for problem in loaded.problems] == ["completion.timeout_ms"]


def test_an_env_file_cannot_copy_variables_into_settings(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOLEN", CANARY)
    loaded = machine.load(env_file="COAI_COMPLETION__MAX_TOKENS=${STOLEN}")
    assert CANARY not in str(loaded.problems)
    assert 'got "${STOLEN}"' in str(loaded.problems[0])


def test_an_env_file_of_other_programs_is_none_of_ours(machine: Machine) -> None:
    loaded = machine.load(env_file="OPENAI_API_KEY=x\nthis is not a variable\n'")
    assert loaded.problems == ()


def test_a_current_directory_that_is_gone_does_not_matter(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Path:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "cwd", gone)
    assert load(environ={}, user_file=machine.user_file).settings == Settings()


def test_rows_show_every_setting_with_value_origin_and_meaning(machine: Machine) -> None:
    loaded = machine.load(
        user=f'[completion]\nexclude = ["*.md"]\nlanguages = {{"c++" = false}}\n'
        f'[endpoints.vllm]\napi_key = "{CANARY}"\n',
        project="completion.enabled = false",
        client={"engine": {"threads": 4}},
    )
    shown = {row.key: row for row in rows(loaded)}
    user_file = short_path(machine.user_file)
    assert [shown[key][1:3] for key in (
        "completion.enabled", "completion.exclude", 'completion.languages."c++"', "engine.threads",
        "engine.model", "engine.gpu_layers", "endpoints.custom", "endpoints.vllm.api_key",
        "endpoints.ollama.api_key",
    )] == [
        ("false", f"project file {short_path(machine.workspace / '.coai.toml')}:1"),
        ('["*.md"]', f"user file {user_file}:2"),
        ("false", f"user file {user_file}:3"),
        ("4", "editor"),
        ('"qwen2.5-coder-0.5b"', "default"),
        ("not set", "default"),
        ("{}", "default"),
        (MASK, f"user file {user_file}:5"),
        ("not set", "default"),
    ]  # fmt: skip
    assert all(row.description for row in shown.values())
    outside = {row.key: row for row in rows(loaded, machine.elsewhere / "x.py")}
    assert outside["completion.enabled"][1:3] == ("true", "default")


@pytest.mark.parametrize(
    "layers",
    [
        {"user": f'[endpoints.vllm]\napi_key = "{CANARY}"'},
        {"user": f'[endpoints.vllm]\napi_key = ["{CANARY}"]'},
        {"user": f'[endpoints.vllm]\napi_key = "{CANARY}'},
        {"user": f'[endpoints.vllm]\napi_kye = "{CANARY}"'},
        {"user": f'[endpoints]\nvllm = "{CANARY}"'},
        {"user": f'endpoints = "{CANARY}"'},
        {"user": f'[endpoints.vllm]\nurl = "http://user:{CANARY}@box"'},
        {"user": f'[endpoints.vllm]\nurl = "http://box?key={CANARY}"'},
        {"user": f'[endpoints.custom.box]\nurl="http://b"\napi_key_env = "{CANARY}"'},
        {"user": f'[endpoints.custom.box]\nurl="http://b"\napi_key = "{CANARY}"'},
        {"project": f'[endpoints.vllm]\napi_key = "{CANARY}"'},
        {"env_file": f"COAI_ENDPOINTS__VLLM__API_KEY={CANARY}"},
        {"env_file": f"COAI_ENDPOINTS__VLLM={CANARY}"},
        {"environ": {"COAI_ENDPOINTS__VLLM__API_KEY": CANARY}},
        {"environ": {"COAI_ENDPOINTS__VLLM": CANARY}},
        {"environ": {"COAI_ENDPOINTS": f'{{"vllm": {{"apiKey": "{CANARY}"'}},
        {"environ": {"COAI_API_KEY": CANARY}},
        {"client": {"endpoints": {"vllm": {"apiKey": CANARY}}}},
        {"client": {"endpoints": {"vllm": {"apiKey": {"value": CANARY}}}}},
        {"client": {"endpoints.vllm": CANARY}},
        {"overrides": {"endpoints.vllm.api_key": CANARY}},
    ],
)
def test_no_secret_is_ever_shown(
    machine: Machine, layers: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(0):
        loaded = machine.load(**layers)
    shown = [repr(loaded), repr(rows(loaded)), str(rows(loaded)), caplog.text]
    shown += [str(problem) for problem in loaded.problems]
    shown += [loaded.settings.model_dump_json(), str(loaded.settings.model_dump())]
    assert [text for text in shown if CANARY in text] == []


def test_a_user_file_is_in_the_users_configuration_directory(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, object]] = []

    def config_path(name: str, appauthor: object) -> Path:
        calls.append((name, appauthor))
        return machine.user_file.parent

    monkeypatch.setattr(platformdirs, "user_config_path", config_path)
    machine.write("config/config.toml", USER)
    assert default_user_file() == machine.user_file
    assert load(environ={}, directory=machine.root).settings.completion.max_tokens == 100
    assert calls == [("coai", False)] * 2


def test_threads_that_load_at_the_same_time_agree(machine: Machine) -> None:
    machine.write("config/config.toml", USER)
    machine.write("workspace/.coai.toml", PROJECT)
    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(machine.load, environ=ENVIRON, client=CLIENT) for _ in range(16)]
        loaded = [task.result() for task in tasks]
    assert all(one == loaded[0] for one in loaded)


IMPORTS = """
import sys
from pathlib import Path
from coai_routing.settings.loading import load, rows
loaded = load(environ={environ}, user_file=Path("none"), directory=Path("."))
rows(loaded)
heavy = ("pydantic_settings", "dotenv", "platformdirs", "difflib", "pathspec", "httpx")
sys.stdout.write(" ".join(name for name in heavy if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("environ", "imported"),
    [({}, ""), ({"COAI_ENGINE__SLOTS": "2"}, "pydantic_settings dotenv")],
)
def test_what_is_not_needed_is_not_imported(
    tmp_path: Path, environ: Mapping[str, str], imported: str
) -> None:
    code = IMPORTS.replace("{environ}", repr(environ))
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert finished.stdout == imported


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "nothing"), (1.5, "1.5"), ((1,), "a list"), ({}, "a table"), (b"x", "a bytes")],
)
def test_a_wrong_value_is_described(value: object, shown: str) -> None:
    assert describe(value, discreet=False) == shown


def test_a_path_is_shown_with_the_home_directory_as_a_tilde(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert short_path(tmp_path / "a" / "b") == str(Path("~", "a", "b"))
    assert short_path(tmp_path.parent) == str(tmp_path.parent)


def test_a_problem_reads_as_one_line(machine: Machine) -> None:
    (message,) = messages(machine, user="[completion]\nmax_tokens = 8")
    assert re.fullmatch(r"user file .*config\.toml:2: completion\.max_tokens: expected .*", message)
