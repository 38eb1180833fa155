"""The control connection between a host and its users: newline-delimited JSON on loopback.

Both sides prove that they know the token of the state file, and neither ever sends it, so a
stranger who got the port after a host learns nothing and cannot pass for one:

    user  {"nonce": U}
    host  {"nonce": H, "proof": HMAC-SHA256(token, "host" U H)}
    user  {"proof": HMAC-SHA256(token, "user" U H)}
    host  a status, now and whenever it changes

That a user is there is the open connection itself, which the kernel closes however the user ends.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coai_routing.errors import EngineError
from coai_routing.pool.speed import Speed

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from coai_routing.engine.record import HostRecord

_Line = TypeVar("_Line", bound=BaseModel)


class ControlError(EngineError):
    """The other side of a control connection is gone, or is not what it should be."""


class _Hello(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    nonce: str = Field(min_length=32, max_length=128)
    proof: str = ""


class _Proof(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    proof: str


class HostStatus(BaseModel):
    """What a host tells its users."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Literal["loading", "ready", "failed"]
    pid: int
    version: str
    model: str
    users: int = 0
    message: str = ""
    """What went wrong, when `phase` is `failed`."""
    base_url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    speed: Speed | None = None
    asleep: bool = False


def _prove(token: str, role: Literal["host", "user"], user_nonce: str, host_nonce: str) -> str:
    told = f"{role}\n{user_nonce}\n{host_nonce}"
    return hmac.new(token.encode(), told.encode(), hashlib.sha256).hexdigest()


def _check(proof: str, expected: str) -> None:
    if not hmac.compare_digest(proof.encode(), expected.encode()):
        raise ControlError("The process at the engine's control port does not know our token.")


def send_line(writer: StreamWriter, line: BaseModel) -> None:
    """Queue one message."""
    writer.write(line.model_dump_json().encode() + b"\n")


async def receive_line(reader: StreamReader, kind: type[_Line]) -> _Line:
    """Wait for one message; raises ControlError when the connection ends or speaks otherwise."""
    try:
        raw = await reader.readline()
    except (OSError, ValueError) as error:  # ValueError: longer than a line of ours can be
        raise ControlError(f"The engine's control connection broke: {error}.") from error
    if not raw.endswith(b"\n"):
        raise ControlError("The engine's control connection ended.")
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise ControlError("What answers at the engine's control port is no engine.") from error


async def greet_host(reader: StreamReader, writer: StreamWriter, record: HostRecord) -> None:
    """Do the user's side of the handshake; raises ControlError if the host cannot prove itself."""
    nonce = secrets.token_hex(32)
    send_line(writer, _Hello(nonce=nonce))
    answer = await receive_line(reader, _Hello)
    _check(answer.proof, _prove(record.token, "host", nonce, answer.nonce))
    send_line(writer, _Proof(proof=_prove(record.token, "user", nonce, answer.nonce)))


async def greet_user(reader: StreamReader, writer: StreamWriter, token: str) -> None:
    """Do the host's side of the handshake; raises ControlError if the user cannot prove itself."""
    nonce = secrets.token_hex(32)
    hello = await receive_line(reader, _Hello)
    send_line(writer, _Hello(nonce=nonce, proof=_prove(token, "host", hello.nonce, nonce)))
    answer = await receive_line(reader, _Proof)
    _check(answer.proof, _prove(token, "user", hello.nonce, nonce))
