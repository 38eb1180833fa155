"""One code-server with a home of its own: VS Code, the extension, the real server, the real model.

Whatever the user of this machine has set does not reach it, and it leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from tests.e2e.tools import VsCode

START_SECONDS: Final = 90.0
_INSTALL_SECONDS: Final = 120

_SETTINGS: Final[dict[str, Any]] = {
    # VS Code and a browser keep two processors busy, and a request ends early on a busy machine.
    "coai.completion.patienceMs": 30_000,
    # What the browser types must arrive as it is.
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.autoIndent": "none",
    "editor.formatOnType": False,
    # The widget of ordinary completions would stand over the ghost text in pictures.
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.wordBasedSuggestions": "off",
    "editor.minimap.enabled": False,
    "chat.disableAIFeatures": True,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "files.autoSave": "off",
    "files.simpleDialog.enable": True,
    "telemetry.telemetryLevel": "off",
    "window.commandCenter": False,
    "window.dialogStyle": "custom",
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}


@dataclass(frozen=True)
class CodeServer:
    """A running code-server."""

    home: Path
    url: str
    process: subprocess.Popen[bytes]

    @property
    def settings_file(self) -> Path:
        """The settings of this machine, which VS Code follows while it runs.

        With a server and a browser, settings of the scope `machine` are the server's.
        """
        return self.home / "user" / "Machine" / "settings.json"

    def set(self, **changes: object) -> None:
        """Change the machine's settings as an editor of the file would; `None` takes one out.

        Names have `__` for a dot: `coai__completion__enabled=False`.
        """
        settings = json.loads(self.settings_file.read_text(encoding="utf-8"))
        for name, value in changes.items():
            dotted = name.replace("__", ".")
            if value is None:
                settings.pop(dotted, None)
            else:
                settings[dotted] = value
        self.settings_file.write_text(json.dumps(settings, indent=2), encoding="utf-8")

    def setting(self, name: str) -> object:
        """Return what the machine's settings say now."""
        try:
            return json.loads(self.settings_file.read_text(encoding="utf-8")).get(name)
        except ValueError:  # VS Code is writing it right now
            return None

    def forget_settings(self) -> None:
        """Take every setting of this machine out."""
        self.settings_file.write_text("{}", encoding="utf-8")

    def language_servers(self) -> list[psutil.Process]:
        """Return the processes of `coai serve`."""
        return [one for one in self._descendants() if _is_language_server(one)]

    def engines(self) -> list[psutil.Process]:
        """Return the engine's processes; they are nobody's children, so their home tells them."""
        marks = ("coai_routing.engine", str(self.home))
        return [one for one in psutil.process_iter() if all(m in _arguments(one) for m in marks)]

    def extension_host(self) -> psutil.Process:
        """Return the process that runs extensions, the youngest if the page was loaded anew."""
        hosts = [one for one in self._descendants() if "--type=extensionHost" in _arguments(one)]
        return max(hosts, key=lambda one: one.create_time())

    def log(self) -> str:
        """Return what the extension has written to its log, of all windows."""
        logs = (self.home / "user" / "logs").rglob("*COAI*.log")
        return "\n".join(one.read_text(encoding="utf-8", errors="replace") for one in logs)

    def extension_host_errors(self) -> list[str]:
        """Return what extension hosts have logged as errors, unhandled rejections among it."""
        logs = (self.home / "user" / "logs").rglob("remoteexthost.log")
        lines = [
            line
            for one in logs
            for line in one.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
        return [line for line in lines if "[error]" in line or "rejected promise" in line]

    def _descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def close(self) -> None:
        """End it and everything that it has started."""
        everything = [*self._descendants(), *self.engines()]
        self.process.terminate()
        _, alive = psutil.wait_procs([psutil.Process(self.process.pid)], timeout=5)
        for one in [*alive, *everything]:
            if one.is_running():
                one.kill()
        psutil.wait_procs(everything, timeout=10)
        self.process.wait(timeout=10)


def _arguments(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile, or is somebody else's
        return ""


def _is_language_server(process: psutil.Process) -> bool:
    arguments = _arguments(process).split()
    return "serve" in arguments and any(part.endswith("coai") for part in arguments)


@contextmanager
def code_server(
    tools: VsCode,
    vsix: Path,
    home: Path,
    folder: Path,
    *,
    variables: Mapping[str, str],
    settings: Mapping[str, object] | None = None,
    trust_everything: bool = True,
) -> Generator[CodeServer]:
    """Run code-server with the extension installed and `folder` as its workspace."""
    for name in ("user/User", "user/Machine", "extensions"):
        (home / name).mkdir(parents=True, exist_ok=True)
    (home / "user" / "Machine" / "settings.json").write_text("{}", encoding="utf-8")
    wanted = {**_SETTINGS, **(settings or {})}
    (home / "user" / "User" / "settings.json").write_text(json.dumps(wanted), encoding="utf-8")
    # Where VS Code runs on a server, a login shell says what the PATH is.
    (home / ".profile").write_text(f"export PATH={variables['PATH']}\n", encoding="utf-8")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("COAI_", "COVERAGE_", "XDG_"))},
        "HOME": str(home),
        **variables,
    }
    places = ["--user-data-dir", str(home / "user"), "--extensions-dir", str(home / "extensions")]
    program = [str(tools.node), str(tools.server), *places]
    subprocess.run(
        [*program, "--install-extension", str(vsix)],
        env=environment,
        check=True,
        capture_output=True,
        timeout=_INSTALL_SECONDS,
    )
    port = _free_port()
    quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"]
    trust = ["--disable-workspace-trust"] if trust_everything else []
    address = f"127.0.0.1:{port}"
    with (home / "code-server.log").open("wb") as log:
        process = subprocess.Popen(
            [*program, *quiet, *trust, "--auth", "none", "--bind-addr", address, str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = CodeServer(home, f"http://{address}/?folder={folder}", process)
    try:
        _wait_for(port, process, home)
        yield server
    finally:
        server.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    log = (home / "code-server.log").read_text(encoding="utf-8", errors="replace")
    raise AssertionError(f"code-server does not answer:\n{log[-4000:]}")
