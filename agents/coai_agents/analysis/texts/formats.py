"""Which kind of file a document is, where its language alone does not say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coai_agents.source import Source

BY_LANGUAGE: Final = {
    "blade": "blade",
    "c": "c",
    "cpp": "cpp",
    "django-html": "jinja",
    "dockercompose": "compose",
    "dockerfile": "dockerfile",
    "ejs": "ejs",
    "erb": "erb",
    "github-actions-workflow": "workflow",
    "haml": "haml",
    "handlebars": "handlebars",
    "html.erb": "erb",
    "jinja": "jinja",
    "jinja-html": "jinja",
    "jsp": "jsp",
    "kotlin": "kotlin",
    "razor": "razor",
    "aspnetcorerazor": "razor",
    "rust": "rust",
    "scala": "scala",
    "shellscript": "shell",
    "slim": "slim",
    "sql": "sql",
    "svelte": "svelte",
    "terraform": "terraform",
    "twig": "twig",
    "vue": "vue",
}
"""By LSP's language identifier, as the usual extensions of editors name them."""

BY_SUFFIX: Final = {
    ".blade.php": "blade",
    ".bash": "shell",
    ".bats": "shell",
    ".c": "c",
    ".cc": "cpp",
    ".component.html": "angular",
    ".cpp": "cpp",
    ".cshtml": "razor",
    ".cxx": "cpp",
    ".ddl": "sql",
    ".dockerfile": "dockerfile",
    ".ebuild": "shell",
    ".ejs": "ejs",
    ".erb": "erb",
    ".h": "c",
    ".haml": "haml",
    ".handlebars": "handlebars",
    ".hbs": "handlebars",
    ".hcl": "terraform",
    ".hh": "cpp",
    ".hpp": "cpp",
    ".htm": "html",
    ".html": "html",
    ".ipynb": "notebook",
    ".j2": "jinja",
    ".jinja": "jinja",
    ".jinja2": "jinja",
    ".jsp": "jsp",
    ".jspf": "jsp",
    ".jspx": "jsp",
    ".ksh": "shell",
    ".kt": "kotlin",
    ".kts": "kotlin",
    ".mustache": "handlebars",
    ".njk": "jinja",
    ".nunjucks": "jinja",
    ".pgsql": "sql",
    ".plsql": "sql",
    ".psql": "sql",
    ".razor": "razor",
    ".rhtml": "erb",
    ".rs": "rust",
    ".sc": "scala",
    ".scala": "scala",
    ".sh": "shell",
    ".slim": "slim",
    ".sql": "sql",
    ".svelte": "svelte",
    ".tag": "jsp",
    ".tf": "terraform",
    ".tf.json": "terraform",
    ".tofu": "terraform",
    ".tofu.json": "terraform",
    ".twig": "twig",
    ".vue": "vue",
    ".zsh": "shell",
}

UNREAD: Final = frozenset(
    {".coffee", ".cfm", ".dart", ".ex", ".exs", ".groovy", ".gradle", ".jl", ".lua", ".pl", ".pm"}
    | {".pug", ".jade", ".ps1", ".r", ".swift", ".vb", ".zig"}
    | {".ascx", ".aspx", ".bat", ".bicep", ".clj", ".cmd", ".erl", ".fs", ".ftl", ".hs", ".inc"}
    | {".liquid", ".mako", ".module", ".pas", ".psm1", ".sol", ".vbs", ".vm", ".xsl", ".xslt"}
)
"""Code that nothing here can read; a note says so."""

UNREAD_NAMES: Final = frozenset(
    {".gitlab-ci.yml", ".travis.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml"}
    | {"jenkinsfile", "web.config"}
)
"""Files of a known name that nothing here can read."""

DECIDING: Final = 20_000
"""Characters of a document that decide what it is."""

_DATA: Final = ("yaml", "json", "jsonc", "dockercompose", "github-actions-workflow")
_WORKFLOW: Final = re.compile(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml$|(?:^|/)action\.ya?ml$")
_COMPOSE: Final = re.compile(r"(?:^|/)(?:docker-)?compose[^/]{0,60}\.ya?ml$")
_DOCKER: Final = re.compile(r"(?:^|/)(?:dockerfile|containerfile)(?:\.[^/]{1,60})?$")
_TEMPLATE: Final = re.compile(
    r"""^["'\s]{0,40}AWSTemplateFormatVersion|["'\s]AWS::\w+::\w+""", re.MULTILINE
)
_KUBERNETES: Final = re.compile(r"^apiVersion:.{0,200}\n(?:.{0,200}\n)?kind:|^kind:", re.MULTILINE)
_JOBS: Final = re.compile(r"^jobs:", re.MULTILINE)
_SERVICES: Final = re.compile(r"^services:", re.MULTILINE)
_JINJA: Final = re.compile(
    r"\{%-?\s{0,9}(?:block|extends|if|for|include|load|set|autoescape|raw)\b|\{\{"
)
_THYMELEAF: Final = re.compile(r"\bth:\w|xmlns:th=")
_ANGULAR: Final = re.compile(r"\[innerHTML\]|\*ng(?:If|For)\b|\[\(ngModel\)\]")


def format_of(source: Source) -> str:
    """Return the format of a document; empty for one that has no rules of this kind."""
    name = source.path.as_posix().lower() if source.path else source.uri.lower()
    if source.language in BY_LANGUAGE:
        return BY_LANGUAGE[source.language]
    if _DOCKER.search(name):
        return "dockerfile"
    suffix = next((each for each in BY_SUFFIX if name.endswith(each)), "")
    known = BY_SUFFIX.get(suffix, "html" if source.language == "html" else "")
    if known == "html":
        return _template(source.text[:DECIDING])
    if known:
        return known
    data = name.endswith((".yaml", ".yml", ".json", ".template")) or source.language in _DATA
    return _data(name, source.text[:DECIDING]) if data else ""


def is_read(suffix: str) -> bool:
    """Say whether files of a suffix are read, or said not to be."""
    return suffix in UNREAD or any(known.endswith(suffix) for known in BY_SUFFIX if suffix)


def is_named(name: str) -> bool:
    """Say whether a file is read for its name."""
    return _DOCKER.search(name.lower()) is not None


def _data(name: str, text: str) -> str:
    if _WORKFLOW.search(name):
        return "workflow"
    if _COMPOSE.search(name):
        return "compose"
    if _TEMPLATE.search(text):
        return "cloudformation"
    if _KUBERNETES.search(text) and "apiVersion:" in text:
        return "kubernetes"
    if _JOBS.search(text) and "runs-on" in text:
        return "workflow"
    return "compose" if _SERVICES.search(text) and "image:" in text else ""


def _template(text: str) -> str:
    """Return which of the languages that live in HTML a page is written in."""
    if _THYMELEAF.search(text):
        return "thymeleaf"
    if _ANGULAR.search(text):
        return "angular"
    return "jinja" if _JINJA.search(text) else "html"
