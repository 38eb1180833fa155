"""Where imports lead: the likeliest path first, and never out of the workspace folder."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.context.imports import Place, import_paths, sibling_paths
from coai_agents.context.outlines import Imported
from coai_agents.syntax import GRAMMARS


def paths(
    language: str,
    file: str,
    module: str,
    name: str | None = None,
    *,
    tops: tuple[str, ...] = (),
    go: tuple[str, str] | None = None,
) -> tuple[str, ...]:
    module_of = None if go is None else (go[0], PurePosixPath(go[1]))
    place = Place(PurePosixPath(file), tops, module_of)
    return import_paths(language, Imported(module, name, name or module), place)


@pytest.mark.parametrize(
    ("language", "file", "module", "name", "wanted"),
    [
        ("python", "app/views.py", "app.models", "User", "app/models.py"),
        ("python", "app/views.py", "app.models", None, "app/models/__init__.py"),
        ("python", "app/views.py", "app", "models", "app/models.py"),
        ("python", "src/app/views.py", "app.models", "*", "src/app/models.py"),
        ("python", "lib/py/app/views.py", "app.models", "User", "lib/py/app/models.py"),
        ("python", "app/views.py", ".models", "User", "app/models.py"),
        ("python", "app/views.py", ".", "models", "app/models.py"),
        ("python", "app/a/views.py", "..b.models", "User", "app/b/models.py"),
        ("typescript", "src/a/x.ts", "./y", "f", "src/a/y.ts"),
        ("typescript", "src/a/x.ts", "../y.js", "f", "src/y.ts"),
        ("typescript", "src/a/x.ts", "..", "f", "src/index.ts"),
        ("typescript", "src/a/x.ts", "./y", "f", "src/a/y/index.tsx"),
        ("typescriptreact", "src/a/x.tsx", "@/ui/button", "f", "src/ui/button.tsx"),
        ("javascript", "packages/p/src/x.js", "@/y", "f", "packages/p/src/y.js"),
        ("java", "src/main/java/a/b/C.java", "a.d", "E", "src/main/java/a/d/E.java"),
        ("java", "a/b/C.java", "a.d.E", "field", "a/d/E.java"),
        ("java", "a/b/C.java", "a.d", "*", "a/d/*.java"),
        ("rust", "src/a/b.rs", "crate::c", "D", "src/c.rs"),
        ("rust", "src/a/b.rs", "crate::c", "D", "src/c/mod.rs"),
        ("rust", "src/a/b.rs", "super::c", "D", "src/a/c.rs"),
        ("rust", "src/a/mod.rs", "super::c", "D", "src/c.rs"),
        ("rust", "src/a/b.rs", "super::super::c", "D", "src/c.rs"),
        ("rust", "src/main.rs", "helper", "D", "src/helper.rs"),
        ("rust", "src/a/b.rs", "super", "D", "src/a/mod.rs"),
        ("rust", "src/a/b.rs", "crate", "D", "src/lib.rs"),
        ("c", "src/x.c", "y.h", None, "src/y.h"),
        ("cpp", "src/x.cpp", "lib/y.h", None, "include/lib/y.h"),
        ("ruby", "app/models/user.rb", "helper", None, "app/models/helper.rb"),
        ("ruby", "bin/x.rb", "shop/cart", None, "lib/shop/cart.rb"),
        ("php", "src/A.php", "App\\Models", "User", "src/Models/User.php"),
        ("php", "src/A.php", "other.php", None, "src/other.php"),
        ("shellscript", "bin/x.sh", "./lib.sh", None, "bin/lib.sh"),
    ],
)
def test_where_an_import_may_be(
    language: str, file: str, module: str, name: str | None, wanted: str
) -> None:
    assert wanted in paths(language, file, module, name)


def test_a_relative_import_goes_to_the_submodule_first() -> None:
    assert paths("python", "app/views.py", ".", "models")[0] == "app/models.py"


def test_packages_may_begin_in_a_directory_of_the_workspace_folder() -> None:
    found = paths("python", "agents/one/x.py", "other.y", "Z", tops=("agents", "routing"))
    assert "routing/other/y.py" in found


@pytest.mark.parametrize("module", ["logging", "os.path", "json"])
def test_the_standard_library_is_not_in_the_workspace(module: str) -> None:
    assert paths("python", "app/views.py", module, "x") == ()


def test_go_packages_are_directories_of_the_module() -> None:
    go = ("example.org/m", "service")
    assert paths("go", "service/a/x.go", "example.org/m/b", go=go) == ("service/b/*.go",)
    assert paths("go", "service/a/x.go", "example.org/m", go=go) == ("service/*.go",)
    assert paths("go", "service/a/x.go", "example.org/more", go=go) == ()
    assert paths("go", "service/a/x.go", "fmt") == ()


def test_what_leads_out_of_the_folder_is_left_out() -> None:
    assert paths("python", "views.py", "...x", "y") == ()
    assert paths("typescript", "x.ts", "../../y", "f") == ()
    assert paths("c", "x.c", "/usr/include/stdio.h") == ()
    assert paths("shellscript", "a/x.sh", "../../y.sh") == ()


def test_a_file_does_not_import_itself() -> None:
    assert "app/models.py" not in paths("python", "app/models.py", "app.models", "User")


def test_unknown_languages_and_empty_modules_lead_nowhere() -> None:
    assert paths("cobol", "x.cob", "y") == ()
    assert paths("python", "x.py", "") == ()


@pytest.mark.parametrize(
    ("language", "file", "seen"),
    [
        ("go", "a/x.go", ("a/*.go",)),
        ("java", "a/X.java", ("a/*.java",)),
        ("csharp", "X.cs", ("*.cs",)),
        ("c", "src/x.c", ("src/x.h", "src/x.hpp", "src/x.hh")),
        ("cpp", "src/x.hpp", ("src/x.h", "src/x.hh")),
        ("python", "x.py", ()),
    ],
)
def test_what_is_seen_without_an_import(language: str, file: str, seen: tuple[str, ...]) -> None:
    assert sibling_paths(language, Place(PurePosixPath(file))) == seen


parts = st.text(st.sampled_from("ab.:/\\@~-_ *\x00é"), max_size=8)


@given(
    st.sampled_from(sorted(GRAMMARS)),
    st.lists(st.sampled_from(["src", "a", "b"]), max_size=3),
    parts,
    st.none() | parts,
)
def test_whatever_is_written_as_a_module_leads_to_places_within(
    language: str, folders: list[str], module: str, name: str | None
) -> None:
    file = "/".join((*folders, "x.rs"))
    for path in paths(language, file, module, name, tops=("a",), go=("a", "b")):
        assert not path.startswith("/")
        assert ".." not in path.split("/")
