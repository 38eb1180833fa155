"""Two workspace folders on disk, and a private file by every name that it goes by."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from coai_routing.privacy.file_names import roots_of
from coai_routing.privacy.shown_files import own_rules
from coai_routing.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coai_routing.privacy.file_names import Root
    from coai_routing.privacy.shown_files import OwnRules
    from coai_routing.settings.loading import LoadedSettings

ALLOWED: Final = {"completion": {"allow_cloud": True}, "routing": {"allow_cloud": True}}
_NFD: Final = unicodedata.normalize("NFD", "größe")


@dataclass(frozen=True)
class TwoFolders:
    """Folder `a`, opened through a link, may send; what `/private/` is in it stays here.

    Of folder `b` nothing may leave by its own settings.
    """

    top: Path
    loaded: LoadedSettings
    roots: tuple[Root, ...]

    def own(self, address: str) -> OwnRules:
        """Return what holds for a file."""
        return own_rules(address, self.roots, self.loaded.for_names)

    @property
    def private(self) -> Mapping[str, str]:
        """Addresses of the private file of `a`, by what is odd about them."""
        a, real = self.top / "a", self.top / "real"
        plain = f"{a}/private/x.py"
        return {
            "plain": f"file://{plain}",
            "path": plain,
            "linked file": f"file://{a}/pub/link.py",
            "linked folder": f"file://{a}/way/x.py",
            "chain of links": f"file://{a}/pub/chain.py",
            "through an alias in there": f"file://{a}/pub/alias.py",
            "dots": f"file://{a}/pub/../private/x.py",
            "dots behind a link": f"file://{a}/deep/../x.py",
            "dots in escapes": f"file://{a}/pub/%2e%2e/private/x.py",
            "real path of the linked folder": f"file://{real}/private/x.py",
            "link from elsewhere": f"file://{self.top}/outside.py",
            "link in the other folder": f"file://{self.top}/b/to_a.py",
            "escaped letters": f"file://{a}/%70rivate/x.py",
            "escaped slash": f"file://{a}/private%2Fx.py",
            "escaped twice": f"file://{a}/%2570rivate/x.py",
            "slashes": f"file://{a}//private///x.py",
            "no authority": f"file:{plain}",
            "this machine": f"file://localhost{plain}",
            "capitals of the scheme": f"FILE://{plain}",
            "not saved": f"untitled:{plain}",
            "not saved, relative": "untitled:private/x.py",
            "cell of a notebook": f"vscode-notebook-cell:{plain}#W0sZmlsZQ",
            "older version": f"git:{plain}?{quote(json.dumps({'path': plain, 'ref': 'HEAD'}))}",
            "version named by the query": f"git:/x?{quote(json.dumps({'path': plain}))}",
            "other machine's": f"vscode-remote://wsl%2Bubuntu{plain}",
            "address in an address": f"view:file://{plain}",
            "in an archive": f"jar:file://{a}/private/x.jar!/x.py",
            "number sign": f"file://{a}/private#1/x.py",
            "question mark": f"file://{a}/private?/x.py",
            "letters composed": f"file://{a}/größe/x.py",
            "letters decomposed": f"file://{a}/{quote(_NFD)}/x.py",
            "capitals, where the file system folds": f"file://{a}/FOLDS/PRIVATE/Y.PY",
        }

    @property
    def open(self) -> Mapping[str, str]:
        """Addresses of files that may leave."""
        a, real = self.top / "a", self.top / "real"
        return {
            "plain": f"file://{a}/pub/y.py",
            "real path": f"file://{real}/pub/y.py",
            "like the pattern, deeper": f"file://{a}/pub/private/z.py",
            "not saved": "untitled:Untitled-1",
        }


def write_two_folders(top: Path) -> TwoFolders:
    """Write the folders."""
    a = top / "real"
    for folder in ("private", "pub/private", "folds/private", _NFD, "private#1", "private?"):
        (a / folder).mkdir(parents=True)
        (a / folder / "x.py").write_text("x = 1\n", encoding="utf-8")
    (top / "a").symlink_to(a)
    (a / "private" / "inner").mkdir()
    (a / "pub" / "y.py").write_text("y = 1\n", encoding="utf-8")
    (a / "private" / "alias.py").symlink_to("../pub/y.py")
    (a / "pub" / "link.py").symlink_to("../private/x.py")
    (a / "pub" / "chain.py").symlink_to("link.py")
    (a / "pub" / "alias.py").symlink_to("../private/alias.py")
    (a / "way").symlink_to("private")
    (a / "deep").symlink_to("private/inner")
    (top / "outside.py").symlink_to(a / "private" / "x.py")
    # Where both cases of a name are one file, the file system folds them.
    lower = a / "folds" / "private" / "y.py"
    lower.write_text("y = 1\n", encoding="utf-8")
    upper = a / "FOLDS" / "PRIVATE"
    upper.mkdir(parents=True)
    (upper / "Y.PY").hardlink_to(lower)
    (upper / "y.py").hardlink_to(lower)
    b = top / "b"
    b.mkdir()
    (b / "z.py").write_text("z = 1\n", encoding="utf-8")
    (b / "to_a.py").symlink_to(a / "private" / "x.py")
    (a / ".coai.toml").write_text(
        '[privacy]\nprivate = ["/private/", "/größe/", "/private#1/", "/private[?]/",'
        ' "/folds/private/"]\n',
        encoding="utf-8",
    )
    (b / ".coai.toml").write_text("[privacy]\nmode = true\n", encoding="utf-8")
    folders = [top / "a", b]
    loaded = load(
        client=ALLOWED,
        environ={},
        user_file=top / "none.toml",
        directory=top,
        workspace_roots=folders,
    )
    return TwoFolders(top, loaded, roots_of(folders))
