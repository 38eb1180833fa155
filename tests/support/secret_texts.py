"""Texts with secrets in them: every form of assignment, generated names and values.

Nothing here is a live-looking secret: values are drawn when they are wanted, and a form stands
beside what it is filled with.
"""

from __future__ import annotations

import base64
import json
import string
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

ALNUM: Final = string.ascii_letters + string.digits
URLSAFE: Final = ALNUM + "_-"
BASE64: Final = ALNUM + "+/"
HEX: Final = "0123456789abcdef"
LOWER: Final = string.ascii_lowercase + string.digits

ASSIGNMENTS: Final[dict[str, str]] = {
    # `{n}` is a name in snake case, `{N}` in capitals, `{c}` in camel case; `{s}` the secret.
    "python": "{n} = '{s}'",
    "python annotated": '{n}: str = "{s}"',
    "python bytes": '{n} = b"{s}"',
    "python keyword": 'client = Client({n}="{s}", timeout=3)',
    "python dictionary": 'config["{n}"] = "{s}"',
    "python default": 'os.environ.get("{N}", "{s}")',
    "python comparison": 'if {n} == "{s}":',
    "python adjacent": '{n} = (\n    "{s1}"\n    "{s2}"\n)',
    "python plus": '{n} = "{s1}" + "{s2}"',
    "python backslash": '{n} = "{s1}\\\n{s2}"',
    "python backslash between": '{n} = "{s1}" \\\n    "{s2}"',
    "javascript": "const {c} = '{s}';",
    "javascript template": "let {c} = `{s}`;",
    "javascript property": 'headers: {{ {c}: "{s}" }}',
    "javascript fallback": 'const {c} = process.env.{N} || "{s}";',
    "javascript nullish": 'const {c} = process.env.{N} ?? "{s}";',
    "javascript setter": 'store.set("{n}", "{s}");',
    "typescript": "private readonly {c}: string = '{s}';",
    "typescript optional": "let {c}: string | null = '{s}';",
    "go": '{c} := "{s}"',
    "go typed": 'var {c} string = "{s}"',
    "go raw": "{c} := `{s}`",
    "go bytes": 'var {c} = []byte("{s}")',
    "go field": 'Config{{{c}: "{s}"}}',
    "java": 'private static final String {N} = "{s}";',
    "java setter": 'props.setProperty("{n}", "{s}");',
    "kotlin": 'val {c}: String? = "{s}"',
    "scala": 'val {c}: String = "{s}"',
    "c define": '#define {N} "{s}"',
    "c array": 'static const char {n}[] = "{s}";',
    "c pointer": 'const char *{n} = "{s}";',
    "c sized": 'char {n}[64] = "{s}";',
    "c++": 'std::string {n} = "{s}";',
    "c#": 'string {c} = "{s}";',
    "c# verbatim": 'public const string {c} = @"{s}";',
    "rust": 'const {N}: &str = "{s}";',
    "rust lifetime": 'const {N}: &\'static str = "{s}";',
    "rust string": 'let {n} = String::from("{s}");',
    "swift": 'let {c}: String = "{s}"',
    "objective-c": 'NSString *{c} = @"{s}";',
    "dart": "final String {c} = '{s}';",
    "php": "${n} = '{s}';",
    "php append": "${n} .= '{s}';",
    "php define": "define('{N}', '{s}');",
    "php array": "'{n}' => '{s}',",
    "php coalesce": "${n} ??= '{s}';",
    "ruby": "{n} = '{s}'",
    "ruby symbol": ":{n} => '{s}'",
    "ruby or": "@{n} ||= '{s}'",
    "perl": "my ${n} = '{s}';",
    "lua": "local {n} = '{s}'",
    "r": '{n} <- "{s}"',
    "elixir": 'config :app, {n}: "{s}"',
    "powershell": "$env:{N} = '{s}'",
    "vb": 'Dim {c} As String = "{s}"',
    "pascal": "const {c}: string = '{s}';",
    "sql": "DECLARE @{n} NVARCHAR(50) = '{s}';",
    "shell": "{N}={s}\n",
    "shell export": "export {N}='{s}'",
    "shell command": "{N}={s} ./deploy.sh --now",
    "shell option": "deploy --{k}={s} --now",
    "shell option space": "deploy --{k} {s} --now",
    "shell quoted option": "deploy --{k} '{s}'",
    "dockerfile env": "FROM scratch\nENV {N} {s}\n",
    "dockerfile env equals": "ENV {N}={s}\n",
    "dockerfile arg": "ARG {N}={s}\n",
    "make": "{N} ?= {s}\n",
    "make simple": "{N} := {s}\n",
    "make posix": "{N} ::= {s}\n",
    "make append": '{N} += "{s}"\n',
    "ini": "[a]\n{n} = {s}\n",
    "ini tight": "[a]\n{n}={s}\n",
    "properties": "app.{n}={s}\n",
    "dotenv": '{N}="{s}"\n',
    "toml": '[a]\n{n} = "{s}"\n',
    "yaml": "a:\n  {n}: {s}\n",
    "yaml quoted": "a:\n  {n}: '{s}'\n",
    "yaml literal": "a:\n  {n}: |\n    {s}\n",
    "yaml folded": "a:\n  {n}: >-\n    {s}\n",
    "yaml list": "- {n}: {s}\n",
    "yaml name value": "env:\n  - name: {N}\n    value: {s}\n",
    "yaml name value quoted": 'env:\n  - name: "{N}"\n    value: "{s}"\n',
    "json": '{{"{n}": "{s}"}}',
    "json tight": '{{"{c}":"{s}"}}',
    "json name value": '{{"name": "{N}", "value": "{s}"}}',
    "json in string": '"{{\\"{n}\\": \\"{s}\\"}}"',
    "json in string twice": '"{{\\\\\\"{n}\\\\\\": \\\\\\"{s}\\\\\\"}}"',
    "xml element": "<{c}>{s}</{c}>",
    "xml lines": "<{c}>\n    {s}\n</{c}>",
    "xml attribute": '<server {c}="{s}"/>',
    "xml key value": '<add key="{c}" value="{s}" />',
    "xml property": '<property name="{n}" value="{s}"/>',
    "xml named": '<string name="{n}">{s}</string>',
    "xml nested": '<setting name="{c}"><value>{s}</value></setting>',
    "xml cdata": "<{c}><![CDATA[{s}]]></{c}>",
    "plist": "<key>{c}</key>\n<string>{s}</string>",
    "terraform": 'variable "{n}" {{\n  default = "{s}"\n}}',
    "hcl": '  {n} = "{s}"\n',
    "csv": "{n},{s},\n",
    "query": "https://api.acme.io/v1?{n}={s}&page=1",
    "connection string": '"Server=db;Uid=app;{c}={s};Database=x"',
    "connection string end": '"Server=db;Uid=app;{c}={s}"',
    "apache": "SetEnv {N} {s}\n",
    "npmrc": "//registry.acme.io/:{c}={s}\n",
}


def names(name: str) -> dict[str, str]:
    """Return a name in each of the ways that `ASSIGNMENTS` writes it."""
    first, *rest = name.split("_")
    return {
        "n": name,
        "N": name.upper(),
        "k": name.replace("_", "-"),
        "c": first + "".join(map(str.capitalize, rest)),
    }


def assigned(form: str, name: str, secret: str) -> str:
    """Return a text in which a secret is assigned to a name."""
    half = len(secret) // 2
    return ASSIGNMENTS[form].format(**names(name), s=secret, s1=secret[:half], s2=secret[half:])


def drawn(draw: random.Random, alphabet: str, length: int) -> str:
    """Return random text with a digit and a letter in it."""
    while True:
        text = "".join(draw.choices(alphabet, k=length))
        if any(map(str.isdigit, text)) and any(map(str.isalpha, text)):
            return text


def _uuid(draw: random.Random) -> str:
    return "-".join("".join(draw.choices(HEX, k=length)) for length in (8, 4, 4, 4, 12))


VALUES: Final[dict[str, Callable[[random.Random], str]]] = {
    "hex 32": lambda draw: drawn(draw, HEX, 32),
    "hex 64": lambda draw: drawn(draw, HEX, 64),
    "alnum 20": lambda draw: drawn(draw, ALNUM, 20),
    "alnum 40": lambda draw: drawn(draw, ALNUM, 40),
    "lower 24": lambda draw: drawn(draw, LOWER, 24),
    "upper 26": lambda draw: drawn(draw, string.ascii_uppercase + "234567", 26),
    "url 43": lambda draw: "A" + drawn(draw, URLSAFE, 41) + "z",
    "base64 44": lambda draw: base64.b64encode(draw.randbytes(32)).decode(),
    "uuid": _uuid,
}
"""What the values of keys and tokens without any form look like."""

SECRET_NAMES: Final = (
    "api_key", "api_token", "access_token", "client_secret", "auth_token", "secret_key",
    "encryption_key", "acme_token", "webhook_secret", "private_key", "jwt_secret", "refresh_token",
)  # fmt: skip
PASSWORD_NAMES: Final = ("password", "db_password", "smtp_passwd", "admin_pwd", "passphrase")


def password(draw: random.Random) -> str:
    """Return a password as people and generators make them, without quotes and spaces."""
    letters = "".join(draw.choices(string.ascii_letters, k=draw.randint(4, 9)))
    mark = draw.choice("!#%*_-.+")
    return f"{letters}{mark}{draw.randint(10, 9999)}{draw.choice(string.ascii_letters)}"


def kubernetes_secret(name: str, secret: str) -> str:
    """Return a manifest with the secret in base64, as `data` has it."""
    encoded = base64.b64encode(secret.encode()).decode()
    return f"apiVersion: v1\nkind: Secret\ndata:\n  {name}: {encoded}\n"


def nested_json(name: str, secret: str) -> str:
    """Return JSON in a string in JSON."""
    return json.dumps({"body": json.dumps({"inner": {name: secret}})})
