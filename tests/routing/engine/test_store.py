"""The model store: what is there, what a name stands for, and removing it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import (
    ModelFileError,
    ModelNotPulledError,
    ModelStoreError,
    UnknownModelError,
)
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.weights.stamps import is_stamped
from coai_routing.weights.store import ModelState, ModelStore
from coai_routing.weights.store_files import hash_file
from tests.support import weights
from tests.support.file_server import FileServer, Served, file_server
from tests.support.sources import (
    LIMITS,
    bytes_fetched,
    isolate,
    names_in,
    put,
    there,
    until,
)
from tests.support.tiny_gguf import write_tiny_gguf
from tests.support.weights import FILE_NAME, HUGGING_FACE_PATH, NAME, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CATALOG = weights.catalog(weights.hugging_face(), weights.hugging_face(weights.MIRROR))
WRONG = bytes(len(WEIGHTS))


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch)


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture
def served(server: FileServer) -> Served:
    return server.serve(HUGGING_FACE_PATH, WEIGHTS)


@pytest.fixture
def store(server: FileServer, tmp_path: Path) -> ModelStore:
    return ModelStore(
        tmp_path / "models",
        CATALOG,
        sources=("huggingface",),
        hugging_face=server.url,
        limits=LIMITS,
    )


class TestWhatIsThere:
    @pytest.mark.parametrize(
        ("content", "suffix", "state", "present", "size"),
        [
            (None, "", ModelState.ABSENT, False, 0),
            (b"", ".part", ModelState.ABSENT, False, 0),
            (WEIGHTS[:1000], ".part", ModelState.PARTIAL, False, 1000),
            (WEIGHTS, "", ModelState.UNVERIFIED, True, len(WEIGHTS)),
            (WEIGHTS[:1000], "", ModelState.BROKEN, False, 1000),
        ],
    )
    def test_a_model_is_listed_with_its_state(
        self,
        store: ModelStore,
        *,
        content: bytes | None,
        suffix: str,
        state: ModelState,
        present: bool,
        size: int,
    ) -> None:
        if content is not None:
            put(store, content, suffix)
        (status,) = store.listed()
        assert status.model == CATALOG.model(NAME)
        assert status.path == store.path(NAME) == store.directory / FILE_NAME
        assert (status.state, status.present, status.bytes_present) == (state, present, size)

    async def test_a_pulled_model_is_ready(self, store: ModelStore, served: Served) -> None:
        path = await store.pull(NAME)
        assert path == store.path(NAME) == store.resolve(NAME)
        assert store.status(NAME).state is ModelState.READY
        assert there(store)

    def test_the_real_catalogue_is_listed_without_a_directory(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path / "none", builtin_catalog())
        assert {status.state for status in store.listed()} == {ModelState.ABSENT}
        assert not store.directory.exists()

    def test_looking_at_the_store_loads_no_http_client(self) -> None:
        code = (
            "import sys, coai_routing.weights.store\n"
            "sys.exit(str({'httpx', 'filelock'} & set(sys.modules) or '') or None)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestResolving:
    def test_a_model_that_is_absent_says_how_to_get_it(self, store: ModelStore) -> None:
        with pytest.raises(ModelNotPulledError) as caught:
            store.resolve(NAME)
        assert str(caught.value) == (
            "made-up is not on this machine yet. Fetch it with `coai models pull made-up`."
        )

    def test_a_model_that_is_partly_there_says_how_much(self, store: ModelStore) -> None:
        put(store, WEIGHTS[:500_000], ".part")
        with pytest.raises(ModelNotPulledError, match=r"Only 0 of 1 MB .* models pull made-up"):
            store.resolve(NAME)

    @pytest.mark.parametrize("content", [WRONG, WEIGHTS[:-1]], ids=["wrong", "short"])
    def test_wrong_weights_are_set_aside_and_count_as_absent(
        self, store: ModelStore, content: bytes
    ) -> None:
        put(store, content)
        with pytest.raises(
            ModelNotPulledError, match=r"it is now made-up\.gguf\.corrupt-1\. Fetch"
        ):
            store.resolve(NAME)
        assert names_in(store.directory) == ["made-up.gguf.corrupt-1"]

    def test_right_weights_from_elsewhere_are_hashed_once(
        self, store: ModelStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashed: list[Path] = []

        def count(path: Path) -> str:
            hashed.append(path)
            return hash_file(path)

        monkeypatch.setattr("coai_routing.weights.store.hash_file", count)
        path = put(store, WEIGHTS)
        for _ in range(3):
            assert store.resolve(NAME) == path
            assert store.status(NAME).state is ModelState.READY
        assert hashed == [path]

    def test_weights_that_changed_are_hashed_again(self, store: ModelStore) -> None:
        path = put(store, WEIGHTS)
        store.resolve(NAME)
        path.write_bytes(WRONG)
        os.utime(path, ns=(1, 1))
        with pytest.raises(ModelNotPulledError, match="was not made-up as it was published"):
            store.resolve(NAME)

    def test_the_users_own_file_works(
        self, store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_tiny_gguf(tmp_path / "own.gguf")
        assert store.resolve(str(path)) == path
        monkeypatch.chdir(tmp_path)
        assert store.resolve("own.gguf") == path
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        assert store.resolve("~/own.gguf") == path
        path.write_bytes(path.read_bytes()[:300_000])
        with pytest.raises(ModelFileError, match="truncated"):
            store.resolve(str(path))

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("qwen2.5-coder-0.6b", "Did you mean qwen2.5-coder-0.5b? Known models: qwen2.5"),
            ("Qwen2.5-Coder-1.5B", "Did you mean qwen2.5-coder-1.5b?"),
            ("/nowhere/x.gguf", "Known models: qwen2.5-coder-0.5b, qwen2.5-coder-1.5b; or give"),
            ("", "or give the path of a GGUF file."),
            ("a\0b", "Known models"),
            ("~nobody-of-that-name/x.gguf", "Known models"),
        ],
    )
    def test_an_unknown_name_gets_the_closest_one(
        self, tmp_path: Path, name: str, hint: str
    ) -> None:
        store = ModelStore(tmp_path, builtin_catalog())
        with pytest.raises(UnknownModelError) as caught:
            store.resolve(name)
        assert hint in caught.value.remedy

    async def test_an_unknown_name_is_unknown_everywhere(self, store: ModelStore) -> None:
        for ask in (store.path, store.status, store.remove):
            with pytest.raises(UnknownModelError):
                ask("mad-up")
        with pytest.raises(UnknownModelError, match="Did you mean made-up"):
            await store.pull("mad-up")


class TestRemoving:
    async def test_everything_of_a_model_goes(self, store: ModelStore, served: Served) -> None:
        assert store.remove(NAME) == 0
        await store.pull(NAME)
        put(store, WRONG[:5], ".corrupt-2")
        put(store, WRONG[:7], ".part")
        put(store, b"{}", ".part.json")
        other = store.directory / "other.gguf"
        other.touch()
        freed = store.remove(NAME)
        assert len(WEIGHTS) + 12 < freed < len(WEIGHTS) + 1000
        assert set(names_in(store.directory)) <= {f"{FILE_NAME}.lock", "other.gguf"}
        assert store.status(NAME).state is ModelState.ABSENT

    async def test_a_model_that_is_being_fetched_stays(
        self, store: ModelStore, served: Served
    ) -> None:
        served.hold_at = 600_000
        pull = asyncio.create_task(store.pull(NAME))
        await until(lambda: bytes_fetched(store) >= 500_000)
        with pytest.raises(ModelStoreError, match="is being fetched by another process"):
            store.remove(NAME)
        served.release.set()
        assert is_stamped(await pull, store.status(NAME).model)

    def test_a_directory_that_cannot_be_written_to_says_so(self, tmp_path: Path) -> None:
        (tmp_path / f"{FILE_NAME}.lock").mkdir()
        with pytest.raises(ModelStoreError, match="cannot be read or written"):
            ModelStore(tmp_path, CATALOG).remove(NAME)
