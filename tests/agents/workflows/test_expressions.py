"""Expressions: what they give, what they refuse, and that nothing in them can fail or run on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.workflows.definition.evaluating import evaluate, type_of
from coai_agents.workflows.definition.expressions import ExpressionError, parse
from coai_agents.workflows.definition.types import ANY, Json, misfit, read_type

VALUES: dict[str, Json] = {
    "input": "Fix the bug",
    "review": {"score": 7, "issues": ["a", "b"], "good": True, "by": {"name": "Ann"}},
    "empty": None,
    "list": [1, 2, 3],
    "with-dash": 1,
}
STATES = {"review": "done", "empty": "skipped"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("review.score > 5", True),
        ("review.score >= 7 and review.good", True),
        ("review.score < 5 or length(review.issues) == 2", True),
        ("not review.good", False),
        ("'bug' in lower(input)", True),
        ("review.issues.1", "b"),
        ('review.by.name == "Ann"', True),
        ("list.9", None),
        ("nothing.at.all", None),
        ("nothing > 3", False),
        ("nothing == null", True),
        ("'a' < 1", False),
        ("2 in list", True),
        ("true in list", False),
        ("1 == true", False),
        ("status(review) == 'done'", True),
        ("status(other)", "skipped"),
        ("exists(empty)", False),
        ("[1, 'two', review.score]", [1, "two", 7]),
        ("with-dash == 1", True),
        ("(1 == 1) == true", True),
        ("not not true", True),
        ("-3 < 2.5", True),
        ('"a\\"b\\n"', 'a"b\n'),
        ("review.score > 5 and review.score < 6 or true", True),
    ],
)
def test_what_an_expression_gives(text: str, value: Json) -> None:
    assert evaluate(parse(text), VALUES, STATES) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "1 + 1",
        "a.",
        "a.b.",
        "open('x')",
        "__import__('os')",
        "a[0]",
        "a if b else c",
        "lambda: 1",
        "1 2",
        "(1",
        "[1, 2",
        "'unclosed",
        "a == ",
        "and",
        "x" * 2000,
        "(" * 200 + "1" + ")" * 200,
        "not " * 200 + "1",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@given(st.text(alphabet="ab.()[]<>=!'\"019 ,-_ndotri\\", max_size=40))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError:
        return
    evaluate(expression, VALUES, STATES)
    try:
        type_of(expression, {"a": ANY, "b": read_type({"n": "number"})})
    except ExpressionError:
        return


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        ("text", "x", 1),
        ("number", 1.5, True),
        ("integer", 3, 3.5),
        ("boolean", False, 0),
        ("pass | stop", "stop", "maybe"),
        (["text"], ["a"], ["a", 1]),
        ({"score": "number", "by": {"name": "text"}}, {"score": 1, "by": {"name": ""}}, {"by": {}}),
        ("any", None, ...),
    ],
)
def test_types_hold_values_apart(spec: Json, good: Json, bad: Json) -> None:
    wanted = read_type(spec)
    assert misfit(good, wanted) == ""
    assert bad is ... or misfit(bad, wanted) != ""


@pytest.mark.parametrize("spec", ["txt", [], ["text", "text"], {}, {"a b": "text"}, 3, None, "a |"])
def test_what_is_no_type_is_refused(spec: Json) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_type(spec)
