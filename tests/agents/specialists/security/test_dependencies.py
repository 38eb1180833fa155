"""Manifests and lock files of every kind, and what is wrong with them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from coai_agents.specialists.security.dependencies.reading import read, read_all, reader_of


class Case(NamedTuple):
    path: str
    text: str
    found: str
    """`name version` of each package, `?` after those of ranges, in order."""
    via: str = ""
    """The way to the last one."""


CASES = (
    Case(
        "requirements-dev.txt",
        '-r base.txt\nTea_Pot[hot]==1.2.0 ; python_version > "3" # why\ncup>=2.0,<3\nany\n'
        "pot @ https://example.org/pot-9.9.zip\nmug==1.0 \\\n    --hash=sha256:0\n",
        "Tea_Pot 1.2.0, cup 2.0?, mug 1.0",
    ),
    Case(
        "requirements.txt",
        "pot==1.0\n    # via -r requirements.in\nleaf==2.0\n    # via\n    #   pot\n",
        "pot 1.0, leaf 2.0",
        "pot 1.0 > leaf 2.0",
    ),
    Case(
        "pyproject.toml",
        '[project]\nname = "x==1"\ndependencies = [\n  "pot==1.0",  # "cup==1"\n  "mug~=2.1",\n]\n'
        '[project.optional-dependencies]\nx = ["saucer===3"]\n[dependency-groups]\n'
        'dev = ["lid==4", {include-group = "y"}]\n[tool.poetry.dependencies]\npython = "3.11"\n'
        'spoon = "5.0"\nfork = { version = "^6.1", extras = [] }\n',
        "pot 1.0, mug 2.1?, saucer 3, lid 4, spoon 5.0, fork 6.1?",
    ),
    Case(
        "uv.lock",
        'version = 1\n[[package]]\nname = "me"\nversion = "0"\nsource = { virtual = "." }\n'
        'dependencies = [\n  { name = "pot" },\n]\n[[package]]\nname = "pot"\nversion = "1.0"\n'
        'source = { registry = "r" }\ndependencies = [\n  { name = "leaf", marker = "x" },\n]\n'
        '[[package]]\nname = "leaf"\nversion = "2.0"\n',
        "pot 1.0, leaf 2.0",
        "pot 1.0 > leaf 2.0",
    ),
    Case(
        "poetry.lock",
        '[[package]]\nname = "pot"\nversion = "1.0"\n\n[package.dependencies]\nLeaf = ">=1"\n\n'
        '[[package]]\nname = "leaf"\nversion = "2.0"\n[metadata]\nname = "no"\nversion = "9"\n',
        "pot 1.0, leaf 2.0",
        "pot 1.0 > leaf 2.0",
    ),
    Case(
        "Pipfile.lock",
        '{"_meta": {"x": {"version": "==9"}}, "default": {"pot": {"version": "==1.0"}}}',
        "pot 1.0",
    ),
    Case("Pipfile", '[packages]\npot = "==1.0"\ncup = "*"\n', "pot 1.0"),
    Case(
        "package.json",
        '{"version": "7.0.0", "dependencies": {"pot": "1.0.0", "@a/cup": "^2.1.0", "x": "*",'
        ' "y": "git+https://example.org/y#1.0"}, "devDependencies": {"z": "npm:mug@3.0.0"}}',
        "pot 1.0.0, @a/cup 2.1.0?, mug 3.0.0",
    ),
    Case(
        "package-lock.json",
        '{"lockfileVersion": 3, "packages": {"": {"dependencies": {"pot": "1"}},'
        '"node_modules/pot": {"version": "1.0.0", "dependencies": {"@a/leaf": "*"}},'
        '"node_modules/pot/node_modules/@a/leaf": {"version": "2.0.0"}}}',
        "pot 1.0.0, @a/leaf 2.0.0",
        "pot 1.0.0 > @a/leaf 2.0.0",
    ),
    Case(
        "npm-shrinkwrap.json",
        '{"lockfileVersion": 1, "dependencies": {"pot": {"version": "1.0.0", "requires":'
        ' {"leaf": "*"}, "dependencies": {"leaf": {"version": "2.0.0"}}}}}',
        "pot 1.0.0, leaf 2.0.0",
        "pot 1.0.0 > leaf 2.0.0",
    ),
    Case(
        "pnpm-lock.yaml",
        "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      pot:\n"
        "        specifier: ^1.0.0\n        version: 1.0.0(x@1.0.0)\npackages:\n  pot@1.0.0:\n"
        "    resolution: {integrity: x}\n  '@a/leaf@2.0.0':\n    resolution: {}\nsnapshots:\n"
        "  pot@1.0.0(x@1.0.0):\n    dependencies:\n      '@a/leaf': 2.0.0\n  '@a/leaf@2.0.0': {}\n",
        "pot 1.0.0, @a/leaf 2.0.0",
        "pot 1.0.0 > @a/leaf 2.0.0",
    ),
    Case(
        "pnpm-lock.yaml",
        "lockfileVersion: 5.4\nspecifiers:\n  pot: ^1.0.0\ndependencies:\n  pot: 1.0.0\npackages:\n"
        "  /pot/1.0.0:\n    dependencies:\n      leaf: 2.0.0\n  /leaf/2.0.0_react@17.0.0:\n",
        "pot 1.0.0, leaf 2.0.0",
        "pot 1.0.0 > leaf 2.0.0",
    ),
    Case(
        "yarn.lock",
        '# yarn lockfile v1\n\npot@^1.0.0, pot@~1.0:\n  version "1.0.0"\n  dependencies:\n'
        '    "@a/leaf" "^2.0.0"\n\n"@a/leaf@^2.0.0":\n  version "2.0.0"\n',
        "pot 1.0.0, @a/leaf 2.0.0",
        "pot 1.0.0 > @a/leaf 2.0.0",
    ),
    Case(
        "yarn.lock",
        '__metadata:\n  version: 6\n\n"pot@npm:^1.0.0":\n  version: 1.0.0\n  dependencies:\n'
        '    leaf: ^2.0.0\n\n"leaf@npm:^2.0.0":\n  version: 2.0.0\n\n"me@workspace:.":\n'
        "  version: 0.0.0-use.local\n  dependencies:\n    pot: ^1.0.0\n",
        "pot 1.0.0, leaf 2.0.0",
        "pot 1.0.0 > leaf 2.0.0",
    ),
    Case(
        "go.mod",
        "module me\n\ngo 1.21\n\nrequire (\n\texample.org/pot v1.0.0\n"
        "\texample.org/leaf v2.0.0+incompatible // indirect\n)\nrequire example.org/old v1.1.0\n"
        "replace example.org/old => example.org/new v1.2.0\nexclude example.org/pot v0.9.0\n"
        "require example.org/here v1.0.0\nreplace example.org/here => ../here\n",
        "example.org/pot 1.0.0, example.org/leaf 2.0.0+incompatible, example.org/new 1.2.0",
    ),
    Case(
        "go.sum",
        "example.org/pot v1.0.0 h1:x=\nexample.org/pot v1.0.0/go.mod h1:x=\n"
        "example.org/pot v1.10.0 h1:x=\nexample.org/pot v1.9.0 h1:x=\n",
        "example.org/pot 1.10.0",
    ),
    Case(
        "pom.xml",
        '<?xml version="1.0"?>\n<project xmlns="urn:m"><properties><pot.v>1.0</pot.v></properties>'
        "<dependencyManagement><dependencies><dependency><groupId>a</groupId>"
        "<artifactId>cup</artifactId><version>[2.0]</version></dependency></dependencies>"
        "</dependencyManagement><dependencies><dependency><groupId>a</groupId>"
        "<artifactId>pot</artifactId><version>${pot.v}</version></dependency><dependency>"
        "<groupId>a</groupId><artifactId>cup</artifactId></dependency><dependency>"
        "<groupId>a</groupId><artifactId>x</artifactId><version>${unknown}</version></dependency>"
        "<dependency><groupId>ä</groupId><artifactId>mug</artifactId><version>[3.0,4)</version>"
        "</dependency></dependencies></project>",
        "a:cup 2.0, a:pot 1.0, ä:mug 3.0?",
    ),
    Case(
        "build.gradle.kts",
        'val potVersion = "1.0"\ndependencies {\n  implementation("a:pot:$potVersion")\n'
        '  // implementation("a:no:9")\n  testImplementation(group = "a", name'
        ' = "cup", version = "2")\n'
        '  api("a:mug:3.+")\n  runtimeOnly(project(":me"))\n}\n',
        "a:pot 1.0, a:mug 3?, a:cup 2",
    ),
    Case(
        "gradle.lockfile",
        "# comment\na:pot:1.0=compileClasspath,runtimeClasspath\nempty=x\n",
        "a:pot 1.0",
    ),
    Case(
        "libs.versions.toml",
        '[versions]\npot = "1.0"\n[libraries]\npot = { module = "a:pot", version.ref = "pot" }\n'
        'cup = "a:cup:2.0"\nmug = { group = "a", name = "mug", version = "3.0" }\n',
        "a:pot 1.0, a:cup 2.0, a:mug 3.0",
    ),
    Case(
        "Cargo.toml",
        '[package]\nversion = "9.0.0"\n[dependencies]\npot = "1.0"\ncup = { version = "=2.0.0" }\n'
        '[dev-dependencies.mug]\nversion = "3.1"\n[target."cfg(unix)".dependencies]\n'
        'renamed = { package = "lid", version = "4" }\n',
        "pot 1.0?, cup 2.0.0, mug 3.1?, lid 4?",
    ),
    Case(
        "Cargo.lock",
        'version = 3\n[[package]]\nname = "me"\nversion = "0.1.0"\ndependencies = [\n "pot",\n]\n'
        '[[package]]\nname = "pot"\nversion = "1.0.0"\nsource ='
        ' "r"\ndependencies = ["leaf 2.0.0"]\n'
        '[[package]]\nname = "leaf"\nversion = "2.0.0"\nsource = "r"\n',
        "me 0.1.0, pot 1.0.0, leaf 2.0.0",
        "me 0.1.0 > pot 1.0.0 > leaf 2.0.0",
    ),
    Case(
        "composer.json",
        '{"require": {"php": ">=8", "a/pot": "1.0.0", "a/cup": "^2.1|^3", "a/x": "dev-main"}}',
        "a/pot 1.0.0, a/cup 2.1?",
    ),
    Case(
        "composer.lock",
        '{"packages": [{"name": "a/pot", "version": "v1.0.0", "require": {"a/leaf": "*"}}],'
        '"packages-dev": [{"name": "a/leaf", "version": "2.0.0"}]}',
        "a/pot v1.0.0, a/leaf 2.0.0",
        "a/pot v1.0.0 > a/leaf 2.0.0",
    ),
    Case(
        "Gemfile",
        "source 'x'\ngem 'pot', '1.0.0'\ngem \"cup\", \"~> 2.1\", require: false\n# gem 'x', '1'\n",
        "pot 1.0.0, cup 2.1?",
    ),
    Case(
        "Gemfile.lock",
        "GEM\n  remote: x\n  specs:\n    pot (1.0.0)\n      leaf (>= 1)\n   "
        " leaf (2.0.0-x86_64-linux)\n"
        "\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  pot (~> 1.0)\n",
        "pot 1.0.0, leaf 2.0.0",
        "pot 1.0.0 > leaf 2.0.0",
    ),
    Case(
        "Me.csproj",
        '<Project><ItemGroup><PackageReference Include="Pot" Version="1.0.0" />\n'
        '<PackageReference Include="Cup"><Version>[2.0.0]</Version></PackageReference>'
        '<PackageReference Include="Mug" Version="[3.0,4.0)"/></ItemGroup></Project>',
        "Pot 1.0.0, Cup 2.0.0, Mug 3.0?",
    ),
    Case(
        "packages.config",
        '<packages>\n  <package id="Pot" version="1.0.0" targetFramework="net48" />\n</packages>',
        "Pot 1.0.0",
    ),
    Case(
        "packages.lock.json",
        '{"version": 1, "dependencies": {"net8.0": {"Pot": {"type": "Direct", "resolved": "1.0.0",'
        ' "dependencies": {"Leaf": "2.0.0"}}, "Leaf": {"type": "Transitive", '
        '"resolved": "2.0.0"}}}}',
        "Pot 1.0.0, Leaf 2.0.0",
        "Pot 1.0.0 > Leaf 2.0.0",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path} {case.text[:12]!r}")
def test_a_file_names_packages_at_their_places(case: Case) -> None:
    reading = read(f"work/{case.path}", case.text)
    assert reading.notes == []
    found = reading.packages
    said = ", ".join(f"{each.name} {each.version}{'' if each.exact else '?'}" for each in found)
    assert said == case.found
    assert " > ".join(found[-1].via) == case.via
    for each in found:
        place = each.edit or each.span
        assert case.text[place.start : place.end] == each.version
        shown = case.text[each.span.start : each.span.end]
        assert each.version in shown or "$" in shown or "ref" in shown


HOSTILE = (
    ("package-lock.json", '{"packages": ' * 5_000),
    ("package-lock.json", "[" * 100_000 + "]" * 100_000),
    ("package.json", '{"dependencies": {"a": "1.0.0"'),
    ("package.json", '{"dependencies": [1, {"a": null}], "devDependencies": "x"}'),
    ("package-lock.json", '{"packages": {"node_modules/a": {"version": {"a": []}}}}'),
    ("composer.lock", "\x00\x01{"),
    ("pom.xml", '<!DOCTYPE x [<!ENTITY a "b">]><project>&a;</project>'),
    ("pom.xml", "<a>" * 10_000),
    ("pom.xml", ""),
    ("a.csproj", "<Project><PackageReference Include='a' Version="),
    ("uv.lock", '[[package]]\nname = "a"\nversion = [[[[\n' * 2_000),
    ("pyproject.toml", "[project]\ndependencies = [" + '"a==1",' * 20_000),
    ("requirements.txt", "a==" + "1." * 200_000),
    ("requirements.txt", "a" * 400_000),
    ("yarn.lock", '"' * 200_000 + ":\n  version 1\n"),
    ("pnpm-lock.yaml", "packages:\n" + "  /" + "a/" * 100_000 + ":\n"),
    ("build.gradle", "'a:b:" * 50_000),
    ("build.gradle", "/*" * 50_000),
    ("go.mod", "require (\n" * 50_000),
    ("Gemfile", "gem " + "(" * 100_000),
    ("Gemfile.lock", "GEM\n" + "    a (1)\n" * 60_000),
)


@pytest.mark.parametrize(("path", "text"), HOSTILE, ids=lambda value: str(value)[:20])
def test_no_text_makes_reading_fail(path: str, text: str) -> None:
    reading = read(path, text)
    assert all("was not read" in note for note in reading.notes)
    assert len(reading.packages) <= 50_000


def test_packages_that_need_each_other_in_a_circle_have_ways_that_end() -> None:
    text = "".join(
        f'[[package]]\nname = "p{n}"\nversion = "1"\ndependencies = [{{ name ='
        f' "p{(n + 1) % 9}" }}]\n'
        for n in range(9)
    )
    root = '[[package]]\nname = "me"\nversion = "0"\nsource = { editable = "." }\n'
    found = read("uv.lock", f'{root}dependencies = [{{ name = "p0" }}]\n{text}').packages
    assert [len(each.via) for each in found] == list(range(1, 10))


def test_a_lock_file_decides_for_ranges_in_its_folder_and_below() -> None:
    manifest = '{"dependencies": {"pot": "^1.0.0", "cup": "2.0.0"}}'
    lock = '{"packages": {"node_modules/pot": {"version": "1.9.0"}}}'
    for path, kept in (("w/package.json", 2), ("w/a/package.json", 2), ("package.json", 3)):
        found = read_all([(path, manifest), ("w/package-lock.json", lock)])
        assert len(found.packages) == kept, path


def test_names_that_only_look_alike_are_no_manifests() -> None:
    for path in ("notes.txt", "package.json.bak", "locks.toml", "src/pom.xml.md", "a/go.modx"):
        assert reader_of(path) is None, path
