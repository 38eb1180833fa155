"""TOML with line numbers: where keys stand, and what is read when some of it is broken."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_routing.settings.located_toml import MAX_BROKEN_STATEMENTS, read_toml

DOCUMENT = '''\
# comment with [brackets] and "quotes"
top = 1

[completion]  # more
exclude = [
  "a]", # ]
  """b
[not.a.table]
c = 1""",
]
max_tokens = 64
languages = { python = true, "c++" = false }

  [ endpoints . "custom" . 'box' ]
url = 'http://x'
other.nested."key.dot" = {x = [1,
2]}
"quoted" = 3
last = 4'''


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("completion",), 4),
        (("completion", "exclude"), 5),
        (("completion", "max_tokens"), 11),
        (("completion", "languages", "c++"), 12),
        (("endpoints", "custom", "box"), 14),
        (("endpoints", "custom", "box", "url"), 15),
        (("endpoints", "custom", "box", "other", "nested", "key.dot"), 16),
        (("endpoints", "custom", "box", "other", "nested", "key.dot", "x"), 16),
        (("endpoints", "custom", "box", "quoted"), 18),
        (("endpoints", "custom", "box", "last"), 19),
        (("nowhere",), None),
    ],
)
def test_each_key_has_its_line(path: tuple[str, ...], line: int | None, end: str) -> None:
    document = read_toml(DOCUMENT.replace("\n", end))
    assert document.broken == ()
    assert document.line(path) == line


@pytest.mark.parametrize(
    ("text", "values", "broken_lines"),
    [
        pytest.param("", {}, [], id="nothing"),
        pytest.param("a = 1\nb = \nc = 3", {"a": 1, "c": 3}, [2], id="no value"),
        pytest.param("a = flase\nb = 2", {"b": 2}, [1], id="no literal"),
        pytest.param('a = "x\nb = 2', {"b": 2}, [1], id="open string"),
        pytest.param("a b = 1\nb = 2", {"b": 2}, [1], id="two words for a key"),
        pytest.param("= 1\nb = 2", {"b": 2}, [1], id="no key"),
        pytest.param('"\\q" = 1\nb = 2', {"b": 2}, [1], id="wrong escape in a key"),
        pytest.param('["\\q"]\na = 1\n[b]', {"b": {}}, [1], id="wrong escape in a header"),
        pytest.param("a = 1\na = 2\nb = 3", {"a": 1, "b": 3}, [2], id="set twice"),
        pytest.param("a = 1\na = 2", {"a": 1}, [2], id="set twice at the end"),
        pytest.param("a = [1,\n\nb = 2\n", {"b": 2}, [1], id="open list before a key"),
        pytest.param("a = [1,\n[b]\nc = 2\n", {"b": {"c": 2}}, [1], id="open list before a table"),
        pytest.param("a = [1,\n2\n", {}, [1], id="open list at the end"),
        pytest.param("a = [\n1 2,\n]\nb = 2", {"b": 2}, [1], id="error inside a list"),
        pytest.param('x = 1\na = """\nb = 2\n', {"x": 1}, [2], id="open long string"),
        pytest.param("[a\nb = 1\n[c]\nd = 2", {"c": {"d": 2}}, [1], id="open header"),
        pytest.param("x = 1\n[a\nb = 1\n", {"x": 1}, [2], id="open last header"),
        pytest.param("[a]\n[a]\nb = 1\n[c]", {"a": {}, "c": {}}, [2], id="table twice"),
        pytest.param("# \x01\na = 1", {"a": 1}, [1], id="control character in a comment"),
        pytest.param("a = 1\n\x00\nb = 2", {"a": 1, "b": 2}, [2], id="control character"),
        pytest.param("a = 1\rb = 2\nc = 3", {"c": 3}, [1], id="lone carriage return"),
        pytest.param(f"a = {'9' * 5000}\n", {}, [1], id="number of too many digits"),
        pytest.param(f"x = 1\na = {'[' * 9999}\n", {}, [1], id="nested too deeply"),
        pytest.param(f"x = 1\na{'.a' * 2000} = 1\n", {"x": 1}, [2], id="key of too many parts"),
    ],
)
def test_what_is_broken_is_left_out_and_the_rest_read(
    text: str, values: dict[str, Any], broken_lines: list[int]
) -> None:
    document = read_toml(text)
    assert document.values == values
    assert [broken.line for broken in document.broken] == broken_lines
    assert all(broken.reason and "(at" not in broken.reason for broken in document.broken)


def test_a_broken_statement_says_in_which_table_it_stands() -> None:
    document = read_toml("a = \n[tool.coai]\nb = \n[tool.coai.completion]\nc = \n")
    assert {(broken.line, broken.table) for broken in document.broken} == {
        (1, ()),
        (3, ("tool", "coai")),
        (5, ("tool", "coai", "completion")),
    }


def test_what_is_no_toml_at_all_is_given_up() -> None:
    document = read_toml("\n".join(f"line {number} of a poem" for number in range(1000)))
    assert document.values == {}
    assert len(document.broken) == MAX_BROKEN_STATEMENTS


SCALARS = (
    st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8)
)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\x7f"), min_size=1, max_size=4
) | st.sampled_from(["a", "b", "c-d"])


def toml_value(value: object, *, breaks: bool) -> str:
    """Write a value; a JSON string is a TOML string, save for astral characters' escapes."""
    if isinstance(value, list):
        joint = ",\n # ] note\n" if breaks else ", "
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - any list will do
        return f"[{joint.join(toml_value(item, breaks=breaks) for item in items)}]"
    return json.dumps(value, ensure_ascii=False)


@given(
    tables=st.dictionaries(
        NAMES,
        st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
        max_size=4,
    ),
    breaks=st.booleans(),
)
def test_lines_are_those_that_were_written(tables: dict[str, Any], breaks: bool) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table, pairs in tables.items():
        expected[table,] = len(lines) + 1
        lines.append(f"[{toml_value(table, breaks=False)}]")
        for key, value in pairs.items():
            expected[table, key] = len(lines) + 1
            text = f"{toml_value(key, breaks=False)} = {toml_value(value, breaks=breaks)}"
            lines += [*text.split("\n"), "# note"]
    document = read_toml("\n".join(lines))
    assert document.values == tables
    assert document.broken == ()
    assert {path: document.line(path) for path in expected} == expected


@given(st.text(st.sampled_from("a=1.[]{}\"'#\n\r\t ,\\x"), max_size=60) | st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    document = read_toml(text)
    last_line = text.count("\n") + 1
    assert all(1 <= broken.line <= last_line for broken in document.broken)
    if document.broken == ():
        assert document.values == tomllib.loads(text)
