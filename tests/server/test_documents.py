from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from coai_agents.source import Encoding
from coai_server.lsp.documents import Documents, Folder, folders_at_start, normal_uri
from tests.support.lsp_client import ServerProcess
from tests.support.reference_text import ENCODINGS, ReferenceDocument, documents, edits

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from coai_agents.source import Source
    from tests.support.lsp_client import Json
    from tests.support.reference_text import EncodingName

A = "file:///work/a.py"

# URIs and folders


@pytest.mark.parametrize(
    "spellings",
    [
        ["file:///c%3A/x/y.py", "file:///C:/x/y.py", "file:///c:/x/y.py", "file:/C:/x/y.py"],
        ["file:///c%3a", "file:///C:"],
        ["file:///a%20b", "file:///a b", "FILE:///a%20b", "file://localhost/a%20b"],
        ["file:///%C3%A4", "file:///ä", "file:///%c3%a4"],
        ["file:///%61(b)", "file:///a%28b%29"],
        ["file://Server/share/x", "file://server/share/x"],
        ["file:///%ff", "file:///%FF"],
        ["file:///a%23b", "file:///a%23%62"],
    ],
)
def test_spellings_of_one_file_are_one_uri(spellings: Sequence[str]) -> None:
    assert len({normal_uri(spelling) for spelling in spellings}) == 1
    (normal,) = {normal_uri(normal_uri(spelling)) for spelling in spellings}
    assert normal == normal_uri(spellings[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:///a", "file:///b"),
        ("file:///a", "file:///A"),
        ("file:///a", "file:///a/"),
        ("file:///c:/x", "file:///d:/x"),
        ("file:///a%23b", "file:///a#b"),
        ("file:///a?b", "file:///a%3Fb"),
        ("file:///a", "untitled:/a"),
        ("file://one/a", "file://two/a"),
        ("file:///%FF", "file:///%FE"),
    ],
)
def test_different_files_stay_different(one: str, other: str) -> None:
    assert normal_uri(one) != normal_uri(other)


@pytest.mark.parametrize(
    "uri",
    ["untitled:Untitled-1", "vscode-notebook-cell:/a%20b#C1", "", "x", "git:/A?{}", "http://[bad"],
)
def test_other_uris_stay_as_they_are(uri: str) -> None:
    assert normal_uri(uri) == uri


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        ("file:///work/a.py", True),
        ("file:///work/deep/a.py", True),
        ("file:///work", True),
        ("file:///w%6Frk/a.py", True),
        ("file:///workshop/a.py", False),
        ("file:///a.py", False),
        ("untitled:1", False),
    ],
)
@pytest.mark.parametrize("folder", ["file:///work", "file:///work/"])
def test_a_folder_contains_what_lies_in_it(folder: str, uri: str, inside: bool) -> None:
    assert Folder(folder).contains(uri) is inside


@pytest.mark.parametrize(
    ("given", "folders"),
    [
        ({}, ()),
        ({"workspace_folders": []}, ()),
        (
            {
                "workspace_folders": [types.WorkspaceFolder("file:///a", "A")],
                "root_uri": "file:///b",
            },
            (Folder("file:///a", "A"),),
        ),
        ({"root_uri": "file:///b", "root_path": "/c"}, (Folder("file:///b"),)),
        ({"root_path": "/c d"}, (Folder("file:///c%20d"),)),
        ({"root_path": "C:\\x"}, (Folder("file:///C:/x"),)),
    ],
)
def test_folders_come_from_what_the_client_knows_of_them(
    given: dict[str, object], folders: tuple[Folder, ...]
) -> None:
    params = types.InitializeParams(capabilities=types.ClientCapabilities(), **given)  # pyright: ignore[reportArgumentType] (a table of keywords)
    assert folders_at_start(params) == folders


def test_folders_change_and_the_innermost_one_counts() -> None:
    store = Documents()
    store.start(encoding="utf-8", folders=[Folder("file:///a", "A"), Folder("file:///b", "B")])
    seen: list[tuple[Folder, ...]] = []
    store.on_folders.append(seen.append)
    inner = Folder("file:///a/b%63", "inner")
    store.change_folders(
        added=[inner, Folder("file:///a", "A again")], removed=[Folder("file:///b/")]
    )
    assert [folder.name for folder in store.folders] == ["B", "inner", "A again"]
    store.change_folders(added=[], removed=[Folder("file:///b"), Folder("file:///unknown")])
    assert store.folders == (inner, Folder("file:///a", "A again"))
    assert seen[-1] == store.folders
    assert store.folder_of("file:///a/bc/x.py") == inner
    assert store.folder_of("file:///a/x.py") == Folder("file:///a", "A again")
    assert store.folder_of("file:///x.py") is None
    assert store.encoding is Encoding.UTF_8


@pytest.mark.skipif(os.name == "nt", reason="paths as POSIX writes them")
def test_a_folder_knows_its_path() -> None:
    assert Folder("file:///a%20b").path == Path("/a b")
    assert Folder("vscode-vfs://github/x").path is None


# Documents


def _item(uri: str = A, version: int = 1, text: str = "one\ntwo\n") -> types.TextDocumentItem:
    return types.TextDocumentItem(uri=uri, language_id="python", version=version, text=text)


def _at(version: int, uri: str = A) -> types.VersionedTextDocumentIdentifier:
    return types.VersionedTextDocumentIdentifier(version=version, uri=uri)


def _whole(text: str) -> types.TextDocumentContentChangeWholeDocument:
    return types.TextDocumentContentChangeWholeDocument(text)


def _insert(line: int, character: int, text: str) -> types.TextDocumentContentChangePartial:
    place = types.Position(line, character)
    return types.TextDocumentContentChangePartial(types.Range(place, place), text)


@pytest.fixture
def store() -> Documents:
    opened = Documents()
    opened.start(encoding="utf-16", folders=[])
    opened.open(_item())
    return opened


def _text(store: Documents, uri: str = A) -> tuple[int, str] | None:
    source = store.snapshot(uri)
    return source and (source.version, source.text)


def test_changes_of_one_notification_follow_one_another(store: Documents) -> None:
    store.change(_at(2), [_insert(0, 3, "!"), _insert(0, 4, "\n"), _insert(1, 0, "x")])
    assert _text(store) == (2, "one!\nx\ntwo\n")
    store.change(_at(3), [_insert(0, 0, "lost"), _whole("a\r\nb"), _insert(1, 9, "c")])
    assert _text(store) == (3, "a\r\nbc")
    store.change(_at(9), [])
    assert _text(store) == (9, "a\r\nbc")


def test_a_snapshot_does_not_change(store: Documents) -> None:
    before = store.snapshot(A)
    store.change(_at(2), [_whole("new")])
    assert before is not None
    assert (before.version, before.text, before.language) == (1, "one\ntwo\n", "python")


@pytest.mark.parametrize("version", [-1, 0, 1])
def test_a_change_to_a_version_that_is_not_newer_is_ignored_and_known(
    store: Documents, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert not store.is_out_of_step(A)
    store.change(_at(version), [_insert(0, 0, "x")])
    assert _text(store) == (1, "one\ntwo\n")
    assert store.is_out_of_step(A)
    assert "version 1 is here already" in caplog.text
    store.change(_at(2), [_insert(0, 0, "x")])
    assert store.is_out_of_step(A)
    store.change(_at(3), [_whole("all of it")])
    assert not store.is_out_of_step(A)


def test_a_change_that_could_not_be_read_is_known_until_the_text_comes_anew(
    store: Documents,
) -> None:
    store.lose_track("file:///work/%61.py")
    store.lose_track("file:///not/open")
    assert store.is_out_of_step(A)
    assert not store.is_out_of_step("file:///not/open")
    store.open(_item(version=1, text="again"))
    assert not store.is_out_of_step(A)


def test_opening_twice_takes_the_second_text_whatever_its_version(
    store: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    store.change(_at(7), [_whole("x")])
    store.open(_item(version=1, text="second"))
    assert _text(store) == (1, "second")
    assert "opened twice" in caplog.text
    store.change(_at(2), [_whole("third")])
    assert _text(store) == (2, "third")


def test_what_concerns_no_open_document_is_logged_and_ignored(
    store: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    store.close(types.TextDocumentIdentifier(A))
    store.close(types.TextDocumentIdentifier(A))
    store.change(_at(2), [_whole("x")])
    store.save(types.TextDocumentIdentifier(A))
    assert _text(store) is None
    assert len([record for record in caplog.records if "not open" in record.message]) == 3


def test_any_spelling_finds_the_document_and_it_keeps_the_clients(store: Documents) -> None:
    store.open(_item("file:///c%3A/x.py", text="x"))
    store.change(_at(2, "file:///C:/x.py"), [_whole("y")])
    source = store.snapshot("file:///c:/x.py")
    assert source is not None
    assert (source.uri, source.text) == ("file:///c%3A/x.py", "y")
    assert [each.uri for each in store.open_sources()] == [A, "file:///c%3A/x.py"]
    store.close(types.TextDocumentIdentifier("file:/C:/x.py"))
    assert [each.uri for each in store.open_sources()] == [A]


def test_listeners_are_told_after_the_fact_and_do_not_disturb_each_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Documents()
    told: list[object] = []

    def fail(*_: Source) -> None:
        raise RuntimeError("a listener's own trouble")

    def tell_change(before: Source, after: Source) -> None:
        assert store.snapshot(A) is after
        told.append((before.version, after.version, after.edits_since(before) is not None))

    def tell(source: Source) -> None:
        told.append((source.version, store.snapshot(A) is source))

    store.on_open += [fail, tell]
    store.on_change += [fail, tell_change]
    store.on_save += [fail, tell]
    store.on_close += [fail, tell]
    with caplog.at_level(logging.ERROR):
        store.open(_item())
        store.change(_at(4), [_insert(0, 0, "x"), _insert(0, 0, "y")])
        store.change(_at(4), [_insert(0, 0, "ignored")])
        store.save(types.TextDocumentIdentifier(A))
        store.close(types.TextDocumentIdentifier(A))
    assert told == [(1, True), (1, 4, True), (4, True), (4, False)]
    assert caplog.text.count("RuntimeError: a listener's own trouble") == 4


# Through a real server


@pytest.fixture(scope="module", params=ENCODINGS)
def editor(request: pytest.FixtureRequest) -> Generator[tuple[ServerProcess, EncodingName]]:
    encoding: EncodingName = request.param
    with ServerProcess() as server:
        answer = server.initialize({"general": {"positionEncodings": [encoding]}})
        assert answer["capabilities"]["positionEncoding"] == encoding
        yield server, encoding
        assert server.call("test/pyglsDocuments") == 0


def _open(server: ServerProcess, text: str, version: int = 1, uri: str = A) -> None:
    document = {"uri": uri, "languageId": "python", "version": version, "text": text}
    server.notify("textDocument/didOpen", {"textDocument": document})


def _change(server: ServerProcess, version: int, changes: Sequence[Json]) -> None:
    document = {"uri": A, "version": version}
    server.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_servers_text_is_the_editors_after_any_edits(
    editor: tuple[ServerProcess, EncodingName], data: st.DataObject
) -> None:
    server, encoding = editor
    text = data.draw(documents())
    document = ReferenceDocument(text, encoding)
    _open(server, text)
    version = 1
    for _ in range(data.draw(st.integers(0, 4))):
        changes: list[Json] = []
        for _ in range(data.draw(st.integers(0, 3))):
            edit = data.draw(edits(document))
            document.apply(edit)
            changes.append(edit.as_json())
        version += data.draw(st.integers(1, 3))
        _change(server, version, changes)
    expected = {"uri": A, "version": version, "text": document.text, "outOfStep": False}
    assert server.call("test/text", {"uri": A}) == expected
    server.notify("textDocument/didClose", {"textDocument": {"uri": A}})


def test_a_change_that_cannot_be_decoded_is_known(
    editor: tuple[ServerProcess, EncodingName],
) -> None:
    server, _ = editor
    _open(server, "text")
    _change(server, 2, [{"range": {"start": 1}, "text": "x"}])
    server.notify("textDocument/didChange", {"textDocument": 1})
    assert server.call("test/text", {"uri": A})["outOfStep"] is True
    _change(server, 3, [{"text": "all"}])
    server.notify("textDocument/didSave", {"textDocument": {"uri": A}})
    assert server.notification("test/saved")["params"] == {"version": 3}
    expected = {"uri": A, "version": 3, "text": "all", "outOfStep": False}
    assert server.call("test/text", {"uri": A}) == expected


def test_folders_follow_the_clients_notifications(
    editor: tuple[ServerProcess, EncodingName],
) -> None:
    server, _ = editor
    one, two = ({"uri": f"file:///{name}", "name": name} for name in ("one", "two"))

    def change(added: list[Json], removed: list[Json]) -> list[str]:
        event = {"added": added, "removed": removed}
        server.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        return server.call("test/folders")

    assert change([one, two], []) == ["file:///one", "file:///two"]
    assert change([], [one, {"uri": "file:///never", "name": ""}]) == ["file:///two"]
    assert change([], [two]) == []
