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
    "ansible": "ansible",
    "freemarker": "freemarker",
    "handlebars": "handlebars",
    "html.erb": "erb",
    "jinja": "jinja",
    "jinja-html": "jinja",
    "jsp": "jsp",
    "jade": "pug",
    "liquid": "liquid",
    "pug": "pug",
    "velocity": "velocity",
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
    ".ftl": "freemarker",
    ".ftlh": "freemarker",
    ".gohtml": "gohtml",
    ".gotmpl": "gohtml",
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
    ".jade": "pug",
    ".jsp": "jsp",
    ".jspf": "jsp",
    ".jspx": "jsp",
    ".ksh": "shell",
    ".kt": "kotlin",
    ".kts": "kotlin",
    ".liquid": "liquid",
    ".mako": "mako",
    ".mustache": "handlebars",
    ".njk": "jinja",
    ".nunjucks": "jinja",
    ".pgsql": "sql",
    ".plsql": "sql",
    ".pug": "pug",
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
    ".tmpl": "tmpl",
    ".tofu": "terraform",
    ".tofu.json": "terraform",
    ".twig": "twig",
    ".vm": "velocity",
    ".vtl": "velocity",
    ".vue": "vue",
    ".zsh": "shell",
}

BY_NAME: Final = {
    r"(?:^|[/.])gitlab-ci\.ya?ml$|/\.gitlab/ci/[^/]+\.ya?ml$": "gitlab",
    r"(?:^|/)(?:application|bootstrap)(?:-[\w-]{1,40})?\.(?:properties|ya?ml)$": "spring",
    r"(?:^|/)appsettings(?:\.[\w-]{1,40})?\.json$": "appsettings",
    r"(?:^|/)package\.json$": "npm",
    r"(?:^|/)(?:web|app|machine|androidmanifest|pom|settings|network_security_config)"
    r"(?:\.[\w-]{1,40})?\.(?:config|xml)$": "xml",
    r"(?:^|/)sshd_config(?:\.d/[^/]+|\.[\w-]{1,20})?$": "sshd",
    r"(?:^|/)(?:php[\w.-]{0,20}\.ini|\.user\.ini)(?:-[\w]{1,20})?$": "phpini",
    r"(?:^|/)\.npmrc$": "npmrc",
    r"(?:^|/)redis[\w-]{0,20}\.conf$": "redis",
    r"(?:^|/)nginx[\w.-]{0,40}\.conf(?:\.\w{1,20})?$": "nginx",
    r"/(?:sites-(?:available|enabled)|nginx)/[^/]+$": "nginx",
    r"(?:^|/)(?:httpd[\w.-]{0,40}\.conf|apache2?[\w.-]{0,20}\.conf|\.htaccess)$|"
    r"/(?:apache2?|httpd)/(?:[^/]+/)?[^/]+\.conf$": "apache",
}
"""By what the path says, for files of settings."""

_BY_NAME: Final = tuple((re.compile(name), kind) for name, kind in BY_NAME.items())
_NAMED: Final = ("config", "ini", "npmrc", "htaccess")
"""Ends of names of settings that no suffix tells."""

UNREAD: Final = frozenset(
    {".coffee", ".cfm", ".dart", ".ex", ".exs", ".groovy", ".gradle", ".jl", ".lua", ".pl", ".pm"}
    | {".ps1", ".r", ".swift", ".vb", ".zig"}
    | {".ascx", ".aspx", ".bat", ".bicep", ".clj", ".cmd", ".erl", ".fs", ".hs", ".inc"}
    | {".module", ".pas", ".psm1", ".sol", ".vbs", ".xsl", ".xslt"}
)
"""Code that nothing here can read; a note says so."""

UNREAD_NAMES: Final = frozenset(
    {".travis.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml", "jenkinsfile"}
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
_PLAY: Final = re.compile(
    r"^- (?:hosts|import_playbook):|^  (?:hosts|become|gather_facts|tasks|roles):|"
    r"^-? {1,3}(?:ansible\.\w+|community\.\w+|amazon\.aws)\.\w+:",
    re.MULTILINE,
)
_TASKS: Final = re.compile(
    r"(?:^|/)(?:tasks|handlers|playbooks?)/[^/]+\.ya?ml$|(?:^|/)playbook[^/]{0,40}$"
)
_SETTINGS: Final = ("", "plaintext", "yaml", "json", "jsonc", "xml", "properties", "ini", "nginx")
_NGINX: Final = re.compile(
    r"^[ \t]*(?:server|upstream\s+[\w.-]+|location\s[^{\n]{1,80})\s*\{", re.MULTILINE
)
_APACHE: Final = re.compile(
    r"^[ \t]*<(?:VirtualHost|Directory|Location|IfModule)\b[^>\n]{0,200}>", re.MULTILINE
)
_SERVICES: Final = re.compile(r"^services:", re.MULTILINE)
_JINJA: Final = re.compile(
    r"\{%-?\s{0,9}(?:block|extends|if|for|include|load|set|autoescape|raw)\b|\{\{"
)
_GO: Final = re.compile(
    r"\{\{-?\s{0,9}(?:(?:define|template|block)\s+\"|(?:range|with|if|end)\b[^}\n]{0,80}\}\}|\.[\w.]*\s{0,9}[|}]|\$\.)"
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
    if source.language in _SETTINGS and (kind := _named(name)):
        return kind
    suffix = next((each for each in BY_SUFFIX if name.endswith(each)), "")
    known = BY_SUFFIX.get(suffix, "html" if source.language == "html" else "")
    if known in ("html", "tmpl"):
        return _template(source.text[:DECIDING], known)
    if known:
        return known
    if name.endswith(".conf"):
        return _server(source.text[:DECIDING])
    data = name.endswith((".yaml", ".yml", ".json", ".template")) or source.language in _DATA
    return _data(name, source.text[:DECIDING]) if data else ""


def is_read(suffix: str) -> bool:
    """Say whether files of a suffix are read, or said not to be."""
    return suffix in UNREAD or any(known.endswith(suffix) for known in BY_SUFFIX if suffix)


def is_named(name: str) -> bool:
    """Say whether a file is read for its name."""
    low = name.lower()
    return _DOCKER.search(low) is not None or (
        (low.endswith(_NAMED) or low.startswith("sshd_config")) and _named(low) != ""
    )


def _named(name: str) -> str:
    return next((kind for pattern, kind in _BY_NAME if pattern.search(name)), "")


def _data(name: str, text: str) -> str:
    if _WORKFLOW.search(name):
        return "workflow"
    if _COMPOSE.search(name):
        return "compose"
    if _TEMPLATE.search(text):
        return "cloudformation"
    if _KUBERNETES.search(text) and "apiVersion:" in text:
        return "kubernetes"
    if _PLAY.search(text) or (_TASKS.search(name) and text.lstrip("-\n #").startswith("name")):
        return "ansible"
    if _JOBS.search(text) and "runs-on" in text:
        return "workflow"
    return "compose" if _SERVICES.search(text) and "image:" in text else ""


def _server(text: str) -> str:
    """Return which server a file of settings is for, as far as its text tells."""
    if _NGINX.search(text):
        return "nginx"
    return "apache" if _APACHE.search(text) else ""


def _template(text: str, known: str) -> str:
    """Return which of the languages that live in HTML a page is written in."""
    if _GO.search(text):
        return "gohtml"
    if known == "tmpl":
        return ""
    if _THYMELEAF.search(text):
        return "thymeleaf"
    if _ANGULAR.search(text):
        return "angular"
    return "jinja" if _JINJA.search(text) else "html"
