"""A place of weights that takes connections and never answers: a download that can be stopped."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

_PATIENCE_SECONDS: Final = 10.0


@contextmanager
def silent_hub() -> Generator[str]:
    """Listen on loopback; the address is for HF_ENDPOINT."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:  # closed: the test is over
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(_PATIENCE_SECONDS)
        for one in taken:
            one.close()
