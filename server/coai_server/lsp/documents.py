"""The open documents as immutable snapshots, and the workspace's folders.

pygls changes its documents in place and splits them at line ends that LSP does not have, so its
store is not used: nothing of ours may call `server.workspace.get_text_document`. Here a document is
one `Source` after the other. Whoever took a snapshot keeps it, whatever the user types meanwhile.

A snapshot has the URI that the client used when it opened the document, so it can be sent back as
it is. Other spellings of the same URI find the same document: see `normal_uri`.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, unquote_to_bytes, urlsplit

from lsprotocol import types

from coai_agents.source import Edit, Encoding, Position, Source, Span, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

Opened: TypeAlias = "Callable[[Source], None]"
Changed: TypeAlias = "Callable[[Source, Source], None]"

_DRIVE = re.compile(r"/[A-Za-z]:(?=/|$)")


def normal_uri(uri: str) -> str:
    """Return one spelling for all spellings of a file's URI; of any other the URI itself.

    VS Code writes `file:///c%3A/x` where others write `file:///C:/x` and some `file:/C:/x`. Percent
    encoding, the drive's case, and an empty or local host make no difference; the rest of the path
    does, even on file systems where it would not.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    if parts.scheme != "file":
        return uri
    path = quote(unquote_to_bytes(parts.path.encode("utf-8", "surrogatepass")), safe="/:")
    if _DRIVE.match(path):
        path = f"/{path[1].lower()}{path[2:]}"
    host = "" if parts.netloc.lower() == "localhost" else parts.netloc.lower()
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"file://{host}{path}{query}{fragment}"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the workspace, with the URI as the client spells it."""

    uri: str
    name: str = ""

    @property
    def path(self) -> Path | None:
        """Where it is on disk, or None if it is not there."""
        return path_of(self.uri)

    def contains(self, uri: str) -> bool:
        """Say whether a document lies in this folder or is it."""
        folder = normal_uri(self.uri).rstrip("/")
        document = normal_uri(uri)
        return document == folder or document.startswith(f"{folder}/")


def folders_at_start(params: types.InitializeParams) -> tuple[Folder, ...]:
    """Return the folders of an `initialize` request, also of a client that knows only one root."""
    if params.workspace_folders:
        return tuple(Folder(folder.uri, folder.name) for folder in params.workspace_folders)
    if params.root_uri:
        return (Folder(params.root_uri),)
    if params.root_path:
        slashed = params.root_path.replace("\\", "/")
        rooted = slashed if slashed.startswith("/") else f"/{slashed}"
        return (Folder(f"file://{quote(rooted, safe='/:')}"),)
    return ()


class Documents:
    """What the client has open, as it was told by the last notification that was handled.

    Every method is synchronous and belongs to the event loop's thread. Listeners are called after
    the store has changed; one that fails is logged and keeps neither the others nor the store.
    """

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._lost: set[str] = set()
        self._folders: tuple[Folder, ...] = ()
        self._encoding = Encoding.UTF_16
        self.on_open: list[Opened] = []
        self.on_change: list[Changed] = []
        """Called with the snapshot before and the one after."""
        self.on_save: list[Opened] = []
        self.on_close: list[Opened] = []
        """Called with the last snapshot there was."""
        self.on_folders: list[Callable[[tuple[Folder, ...]], None]] = []
        """Called with the folders there are now."""

    def start(self, *, encoding: str, folders: Iterable[Folder]) -> None:
        """Take what `initialize` settled: how positions count, and the folders."""
        self._encoding = Encoding(encoding)
        self._folders = tuple(folders)

    @property
    def encoding(self) -> Encoding:
        """What positions that the client sends and gets are counted in."""
        return self._encoding

    def snapshot(self, uri: str) -> Source | None:
        """Return an open document as it is now, or None if it is not open."""
        return self._sources.get(normal_uri(uri))

    def open_sources(self) -> tuple[Source, ...]:
        """Return a snapshot of every open document, the one opened first first."""
        return tuple(self._sources.values())

    def is_out_of_step(self, uri: str) -> bool:
        """Say whether a change was refused, so that the client may have another text than we do.

        It ends when the client sends the whole text, by a full change or by opening it again.
        """
        return normal_uri(uri) in self._lost

    def open(self, item: types.TextDocumentItem) -> None:
        """Keep a document's first snapshot; of one that is open already, this is the text now."""
        key = normal_uri(item.uri)
        if key in self._sources:
            logger.warning("%s was opened twice; its text is that of the second time.", item.uri)
            del self._sources[key]
        source = Source(item.uri, item.text, language=item.language_id, version=item.version)
        self._sources[key] = source
        self._lost.discard(key)
        _tell(self.on_open, source)

    def change(
        self,
        document: types.VersionedTextDocumentIdentifier,
        changes: Sequence[types.TextDocumentContentChangeEvent],
    ) -> None:
        """Apply a notification's changes one after the other, and tell of all of them at once.

        A change of a document that is not open, or to a version that is not newer, is not applied.
        """
        key = normal_uri(document.uri)
        before = self._sources.get(key)
        if before is None:
            logger.warning("Ignored a change of %s, which is not open.", document.uri)
            return
        if document.version <= before.version:
            logger.warning(
                "Ignored a change of %s to version %d, because version %d is here already.",
                document.uri,
                document.version,
                before.version,
            )
            self._lost.add(key)
            return
        after = before
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangeWholeDocument):
                edit = Edit(None, change.text)
                self._lost.discard(key)
            else:
                start, end = change.range.start, change.range.end
                span = after.span_at(
                    Position(start.line, start.character),
                    Position(end.line, end.character),
                    self._encoding,
                )
                edit = Edit(span, change.text)
            after = after.apply(edit, version=document.version)
        if not changes:
            after = before.apply(Edit(Span(0, 0), ""), version=document.version)
        self._sources[key] = after
        _tell(self.on_change, before, after)

    def save(self, document: types.TextDocumentIdentifier) -> None:
        """Tell that a document was saved, if it is open."""
        source = self.snapshot(document.uri)
        if source is None:
            logger.warning("Ignored that %s was saved, which is not open.", document.uri)
            return
        _tell(self.on_save, source)

    def close(self, document: types.TextDocumentIdentifier) -> None:
        """Forget a document."""
        key = normal_uri(document.uri)
        source = self._sources.pop(key, None)
        self._lost.discard(key)
        if source is None:
            logger.warning("Ignored that %s was closed, which is not open.", document.uri)
            return
        _tell(self.on_close, source)

    def lose_track(self, uri: str) -> None:
        """Take note that a change of a document could not be read."""
        key = normal_uri(uri)
        if key in self._sources:
            self._lost.add(key)

    @property
    def folders(self) -> tuple[Folder, ...]:
        """The workspace's folders, in the client's order."""
        return self._folders

    def folder_of(self, uri: str) -> Folder | None:
        """Return the innermost folder that a document lies in, or None."""
        around = [folder for folder in self._folders if folder.contains(uri)]
        return max(around, key=lambda folder: len(normal_uri(folder.uri)), default=None)

    def path_in_folder(self, uri: str) -> str:
        """Return a document's path within its folder; its bare name where it is in none."""
        folder = self.folder_of(uri)
        root = "" if folder is None else folder.uri.rstrip("/") + "/"
        return uri.removeprefix(root) if root else uri.rpartition("/")[2]

    def change_folders(self, *, added: Iterable[Folder], removed: Iterable[Folder]) -> None:
        """Take folders away and add others; one that is there already is replaced."""
        added = tuple(added)
        gone = {normal_uri(folder.uri) for folder in (*added, *removed)}
        kept = (folder for folder in self._folders if normal_uri(folder.uri) not in gone)
        self._folders = (*kept, *added)
        _tell(self.on_folders, self._folders)


def _tell(listeners: Sequence[Callable[..., None]], *arguments: object) -> None:
    for listener in tuple(listeners):
        try:
            listener(*arguments)
        except Exception:
            name = getattr(listener, "__qualname__", repr(listener))
            logger.exception("%s failed.", name)
