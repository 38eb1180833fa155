"""Every value of every enumeration in what we serve is read as the nearest meaning."""

from __future__ import annotations

import enum
import typing
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from lsprotocol import types
from pygls.protocol import default_converter

from coai_server.lsp.decoding import decode_params
from coai_server.lsp.enums import EnumReader, nearest, protocol_enums
from tests.server.test_serve import URI, Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD: list[object] = [
    *(0, -1, 3, 99, 2**70, 1.5, float("inf"), float("nan"), True, None, [], {}, [1]),
    *("", "invoked", "AUTOMATIC", "2", " warning ", "no such thing", "\ud800"),
]

WHERE = {"line": 0, "character": 0}
RANGE = {"start": WHERE, "end": WHERE}
DOCUMENT = {"uri": URI}


def diagnostic(**more: object) -> dict[str, Any]:
    return {"range": RANGE, "message": "x", **more}


def code_action(**context: object) -> dict[str, Any]:
    return {"textDocument": DOCUMENT, "range": RANGE, "context": {"diagnostics": [], **context}}


SERVED: list[tuple[str, type[enum.Enum], typing.Callable[[object], dict[str, Any]]]] = [
    (
        "textDocument/inlineCompletion",
        types.InlineCompletionTriggerKind,
        lambda odd: {
            "textDocument": DOCUMENT,
            "position": WHERE,
            "context": {"triggerKind": odd},
        },
    ),
    (
        "textDocument/codeAction",
        types.CodeActionTriggerKind,
        lambda odd: code_action(triggerKind=odd),
    ),
    ("textDocument/codeAction", types.CodeActionKind, lambda odd: code_action(only=[odd])),
    (
        "textDocument/codeAction",
        types.DiagnosticSeverity,
        lambda odd: code_action(diagnostics=[diagnostic(severity=odd)]),
    ),
    (
        "textDocument/codeAction",
        types.DiagnosticTag,
        lambda odd: code_action(diagnostics=[diagnostic(tags=[odd])]),
    ),
    ("codeAction/resolve", types.CodeActionKind, lambda odd: {"title": "x", "kind": odd}),
    ("codeAction/resolve", types.CodeActionTag, lambda odd: {"title": "x", "tags": [odd]}),
    (
        "codeAction/resolve",
        types.DiagnosticSeverity,
        lambda odd: {"title": "x", "diagnostics": [diagnostic(severity=odd)]},
    ),
    (
        "workspace/didChangeWatchedFiles",
        types.FileChangeType,
        lambda odd: {"changes": [{"uri": URI, "type": odd}]},
    ),
    (
        "textDocument/didOpen",
        types.LanguageKind,
        lambda odd: {"textDocument": {**DOCUMENT, "languageId": odd, "version": 1, "text": ""}},
    ),
    ("$/setTrace", types.TraceValue, lambda odd: {"value": odd}),
]
"""What we serve, with the enumerations in it and how a value gets there."""

METHODS = {
    *(method for method, _, _ in SERVED),
    "textDocument/hover",
    "textDocument/diagnostic",
    "textDocument/didChange",
    "textDocument/didClose",
    "textDocument/didSave",
    "workspace/diagnostic",
    "workspace/didChangeConfiguration",
    "workspace/didChangeWorkspaceFolders",
    "workspace/executeCommand",
}


def enums_in(kind: Any, seen: set[Any]) -> set[type[enum.Enum]]:  # noqa: ANN401 (types)
    """Return the enumerations that values of a type can hold."""
    inner: tuple[Any, ...] = typing.get_args(kind)
    if not inner and isinstance(kind, type) and kind not in seen:
        seen.add(kind)
        if issubclass(kind, enum.Enum):
            return {kind}
        if attrs.has(cast("Any", kind)):
            fields: Any = attrs.fields(attrs.resolve_types(cast("Any", kind)))
            inner = tuple(field.type for field in fields)
    found: set[type[enum.Enum]] = set()
    return found.union(*(enums_in(each, seen) for each in inner))


def test_the_table_has_every_enumeration_of_what_is_served() -> None:
    named = {(method, kind) for method, kind, _ in SERVED}
    unnamed = {
        (method, kind)
        for method in METHODS
        for kind in enums_in(types.METHOD_TO_TYPES[method][2], set())
    } - named
    # A client that sends an action back sends our own edit and command, which hold none.
    assert {kind for _, kind in unnamed} <= {types.CodeActionTag, types.DiagnosticTag}


@pytest.mark.parametrize("kind", protocol_enums(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_any_value_is_some_member(kind: type[enum.Enum], odd: object) -> None:
    assert nearest(odd, kind) in kind


@pytest.mark.parametrize("kind", protocol_enums(), ids=lambda kind: kind.__name__)
def test_a_value_that_is_known_is_itself(kind: type[enum.Enum]) -> None:
    for member in kind:
        assert nearest(member.value, kind) is member
        assert nearest(member.name.upper(), kind) is member


@pytest.mark.parametrize(
    ("odd", "meant"),
    [
        (0, types.InlineCompletionTriggerKind.Invoked),
        ("0", types.InlineCompletionTriggerKind.Invoked),
        ("Invoked", types.InlineCompletionTriggerKind.Invoked),
        (3, types.InlineCompletionTriggerKind.Automatic),
        (None, types.InlineCompletionTriggerKind.Automatic),
        (0, types.CodeActionTriggerKind.Invoked),
        (5, types.DiagnosticSeverity.Hint),
        ("warning", types.DiagnosticSeverity.Warning),
        ({}, types.FileChangeType.Changed),
        ("compact", types.TraceValue.Off),
        ("Markdown", types.MarkupKind.Markdown),
        ("html", types.MarkupKind.PlainText),
    ],
)
def test_what_an_odd_value_means(odd: object, meant: enum.Enum) -> None:
    assert nearest(odd, type(meant)) is meant


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    ("method", "kind", "params"),
    SERVED,
    ids=[f"{method}-{kind.__name__}" for method, kind, _ in SERVED],
)
def test_no_message_is_refused_for_an_odd_value(
    method: str,
    kind: type[enum.Enum],
    params: typing.Callable[[object], dict[str, Any]],
    odd: object,
) -> None:
    del kind
    converter = default_converter()
    EnumReader(converter)
    assert decode_params(converter, method, {"id": 1, "params": params(odd)}) is not None


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home: Path = tmp_path_factory.mktemp("home")
    with Daemon(home, COAI_ENGINE__ENABLED="false") as server:
        server.begin()
        yield server


@pytest.mark.parametrize("odd", [0, 3, "Invoked", None])
def test_a_completion_is_answered_whatever_triggered_it(daemon: Daemon, odd: Any) -> None:  # noqa: ANN401 (JSON)
    assert daemon.complete(odd) == []
