"""Secrets: every form is found, stand-ins are not, and no text is expensive to search."""

from __future__ import annotations

import random
import string
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coai_routing.errors import SettingsError
from coai_routing.privacy.secret_files import secret_file_pattern
from coai_routing.privacy.secret_values import entropy
from coai_routing.privacy.secrets import (
    BUILTIN,
    MARKER,
    built_in,
    find_secrets,
    load_rules,
    redact,
)

if TYPE_CHECKING:
    from coai_routing.privacy.secret_forms import SecretRule

ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "_-"
BASE64 = ALNUM + "+/"
BASE32 = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"
LOWER = string.ascii_lowercase + string.digits


def chars(alphabet: str, length: int, seed: int = 1) -> str:
    """Return random text, the same on every run; the tests hold no token in one piece."""
    chosen = random.Random(f"{alphabet}{length}{seed}")
    return "".join(chosen.choice(alphabet) for _ in range(length))


def pem(kind: str, lines: int = 6) -> str:
    body = "\n".join(chars(BASE64, 64, n) for n in range(lines))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


KEY_BODY = f"{chars(BASE64, 64, 7)}\n{chars(BASE64, 50)}="

# What each rule finds, with what stands around it and stays: before, secret, after.
FORMS: list[tuple[str, str, str, str]] = [
    ("aws-access-key-id", "AKIA", chars(BASE32, 16), ""),
    ("aws-access-key-id", "id: ASIA", chars(BASE32, 16, 2), ","),
    ("unquoted-secret", "aws_secret_access_key = ", chars(BASE64, 40), "\n"),
    ("generic-secret", 'secretAccessKey: "', chars(BASE64, 40, 2), '"'),
    ("gcp-api-key", "key=AIza", chars(URLSAFE, 35), "&x=1"),
    ("google-oauth", "GOCSPX-", chars(URLSAFE, 28), ""),
    ("google-oauth", "Bearer ya29.", chars(URLSAFE, 120), ""),
    ("azure-storage-key", "AccountName=a;AccountKey=", chars(BASE64, 86) + "==", ";x=y"),
    ("azure-client-secret", "abC8Q~", chars(ALNUM, 34), '"'),
    ("azure-sas", "https://a.blob/x?sv=1&sig=", chars(ALNUM, 44) + "%3D", "&se=2"),
    ("digitalocean-token", "dop_v1_", chars(HEX, 64), ""),
    ("alibaba-access-key", "LTAI", chars(ALNUM, 20), ""),
    ("heroku-api-key", "HRKU-", chars(URLSAFE, 60), ""),
    ("flyio-token", "FlyV1 fm2_", chars(BASE64, 80), ""),
    ("github-token", "ghp_", chars(ALNUM, 36), ""),
    ("github-token", "https://x-access-token:gho_", chars(ALNUM, 36, 2), "@github.com"),
    ("github-fine-grained-token", "github_pat_", chars(ALNUM + "_", 82), ""),
    ("gitlab-token", "glpat-", chars(URLSAFE, 20), ""),
    ("bitbucket-token", "ATATT3", chars(URLSAFE, 180), ""),
    ("npm-token", "//registry/:_authToken=npm_", chars(ALNUM, 36), "\n"),
    ("unquoted-secret", "//registry/:_authToken=", chars(ALNUM, 40), "\n"),
    ("pypi-token", "pypi-", "Ag" + chars(URLSAFE, 150), ""),
    ("rubygems-token", "rubygems_", chars(HEX, 48), ""),
    ("crates-token", "cio", chars(ALNUM, 32), ""),
    ("nuget-key", "oy2", chars(LOWER, 43), ""),
    ("docker-token", "dckr_pat_", chars(URLSAFE, 27), ""),
    ("anthropic-key", "sk-ant-api03-", chars(URLSAFE, 95), ""),
    ("openai-key", "sk-", chars(ALNUM, 48), ""),
    ("openai-key", "sk-proj-", chars(URLSAFE, 156), ""),
    ("huggingface-token", "hf_", chars(ALNUM, 34), ""),
    ("model-provider-key", "gsk_", chars(ALNUM, 52), ""),
    ("slack-token", "xoxb-", f"{chars('0123456789', 12)}-{chars(ALNUM, 24)}", ""),
    ("slack-webhook", "https://hooks.slack.com/services/", f"T0/B0/{chars(ALNUM, 24)}", ""),
    ("discord-webhook", f"https://discord.com/api/webhooks/{'1' * 18}/", chars(URLSAFE, 68), ""),
    ("telegram-bot-token", "bot123456789:A", chars(URLSAFE, 34), "/send"),
    ("stripe-key", "sk_live_", chars(ALNUM, 24), ""),
    ("stripe-key", "whsec_", chars(ALNUM, 32), ""),
    ("square-token", "sq0csp-", chars(URLSAFE, 43), ""),
    ("shopify-token", "shpat_", chars(HEX, 32), ""),
    ("sendgrid-key", "SG.", f"{chars(URLSAFE, 22)}.{chars(URLSAFE, 43)}", ""),
    ("twilio-key", "SK", chars(HEX, 32), ""),
    ("mailgun-key", "key-", chars(HEX, 32), ""),
    ("grafana-token", "glsa_", chars(ALNUM, 41), ""),
    ("databricks-token", "dapi", chars(HEX, 32), ""),
    ("terraform-token", chars(ALNUM, 14) + ".atlasv1.", chars(URLSAFE, 67), ""),
    ("age-secret-key", "AGE-SECRET-KEY-1", chars(string.ascii_uppercase + "0123456789", 58), ""),
    (
        "jwt",
        "Bearer eyJ",
        ".".join((chars(URLSAFE, 30), "eyJ" + chars(URLSAFE, 80), "A" * 9)) + "b",
        "",
    ),
    ("putty-private-key", "Private-Lines: 2\n", chars(BASE64, 64) + "\n" + chars(BASE64, 20), "\0"),
    ("url-password", "postgres://app:", "s3cr-3t.pw9", "@db.example.org:5432/x"),
    ("url-password", "redis://:", "p4ssphrase", "@cache:6379"),
    ("unquoted-secret", '"Server=db;Password=', "hU7!vcq", ';Database=x"'),
    ("authorization-header", "Authorization: Basic ", chars(ALNUM, 24), "\n"),
    ("authorization-header", "headers['Authorization'] = 'Bearer ", chars(ALNUM, 40), "'"),
    ("password", 'password = "', "hU7vcq", '"'),
    ("password", "DB_PASSWORD='", "Tr0ub4dor&3", "'"),
    ("password", '"passwd": "', "c0rrect-horse", '",'),
    ("password", 'password: str = "', "c0rrect-horse", '"'),
    ("password", 'config["password"] = f"', "c0rrect-horse", '"'),
    ("password", "const passwordHash = `", "$2b$12$eImiTXu", "`"),
    ("password", 'if (pwd === "', "l3t-me-thr0ugh", '")'),
    ("generic-secret", 'API_KEY = "', chars(ALNUM, 32), '"'),
    ("generic-secret", '"client_secret": "', chars(HEX, 32), '"'),
    ("generic-secret", "setToken('auth_token', '", chars(HEX, 40), "')"),
    ("generic-secret", "encryption_key := `", chars(BASE64, 44), "`"),
    ("unquoted-secret", "  password: ", "hU7-vcq9x", "\n"),
    ("unquoted-secret", "export API_KEY=", chars(ALNUM, 32), " # mine\n"),
    ("unquoted-secret", "ENV DB_PASSWORD=", chars(LOWER, 12), ""),
    *(
        ("private-key", f"-----BEGIN {kind}-----", f"\n{KEY_BODY}\n", f"-----END {kind}-----")
        for kind in ("RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK")
    ),
]


@pytest.mark.parametrize(("kind", "before", "secret", "after"), FORMS)
def test_every_form_is_found_and_nothing_but_the_secret(
    kind: str, before: str, secret: str, after: str
) -> None:
    text = f"first line\n{before}{secret}{after}"
    (found,) = find_secrets(text)
    assert found.kind == kind
    assert text[found.start : found.end] == secret


@pytest.mark.parametrize("rule", built_in().rules, ids=lambda rule: rule.kind)
def test_every_rule_finds_what_is_drawn_of_its_form(rule: SecretRule) -> None:
    draw = random.Random(rule.kind)
    texts = [rule.sample(draw) for _ in range(40)]
    found = [bool(find_secrets(f"x = [{text}]")) for text in texts]
    # What is drawn may look like a word, or have no digit.
    assert sum(found) >= len(texts) - 3


@pytest.mark.parametrize(
    "text",
    [
        'password = "changeme"',
        'password = "your-password-1"',
        'PASSWORD = "${DB_PASSWORD_1}"',
        'password: "{{ vault.password1 }}"',
        'password = "%(password1)s"',
        'password = "<password1>"',
        'password = os.environ["PASSWORD1"]',
        "password = process.env.PASSWORD1",
        "password = get_password1(user)",
        'password = getpass.getpass("Password: ")',
        'password = "{password1}"',
        'password = ""',
        'PASSWORD_FIELD = "password_input"',
        '"password": "The password must have 8 characters"',
        '"password": "required"',
        "password: string;",
        "password := []byte(os.Args[1])",
        'if password == "": raise ValueError',
        'API_KEY = "YOUR_API_KEY_1234567890"',
        'API_KEY = "test-api-key-0001"',
        'api_key = "xxxxxxxxxxxxxxxxxxxxxxx1"',
        'token = "access_token_expired_2"',
        'TOKEN_URL = "https://example.org/oauth2/token"',
        'secret_name = "projects/my-project-12/secrets/db"',
        'primary_key = "customer_order_line_2"',
        'public_key = "ssh-rsa AAAAB3NzaC1yc2E"',
        "key = sha256(content).hexdigest()",
        "token = settings.auth.token2",
        "self.token = token_from_v2_header",
        'AWS_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"',
        'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
        "https://user:password@example.org/",
        "postgres://{user}:{password}@{host}/{name}",
        "postgres://user:${PASSWORD}@db/x",
        "postgres://postgres:postgres@localhost/test",
        "see http://host:8080/path and mail me@example.org",
        'Authorization: "Bearer ${token}"',
        "Authorization: Bearer <your-access-token-here>",
        'if "-----BEGIN PRIVATE KEY-----" in text:\n    return True',
        pem("PUBLIC KEY"),
        pem("CERTIFICATE"),
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        f"sha256:{chars(HEX, 64)}",
        'id = "123e4567-e89b-12d3-a456-426614174000"',
        "sk-learn-is-a-library-with-a-long-hyphenated-name",
        "ghp_" + "a" * 36,
        "ghp_short",
        'integrity="sha512-' + chars(BASE64, 86) + '=="',
        "SKIPPED_TESTS_BECAUSE_OF_A_LONG_NAME_1",
        "npm_config_registry_and_a_very_long_name_without_any_token_in_it",
        f"ghp_{MARKER}",
    ],
)
def test_names_references_and_stand_ins_are_no_secrets(text: str) -> None:
    assert find_secrets(text) == ()


def test_a_secret_within_a_secret_is_one_of_the_more_telling_kind() -> None:
    token = chars(ALNUM, 36)
    text = f'github_token = "ghp_{token}"'
    (found,) = find_secrets(text)
    assert (found.kind, text[found.start : found.end]) == ("github-token", token)


def test_several_secrets_are_found_in_order() -> None:
    text = "\n".join(f"{before}{secret}{after}" for _, before, secret, after in FORMS)
    found = find_secrets(text)
    assert [(s.start, s.end) for s in found] == sorted((s.start, s.end) for s in found)
    for _, _, secret, _ in FORMS:
        assert secret.strip() not in redact(text)


@pytest.mark.parametrize("prefix", ["İİİ\n", "\U0001f600 ", "ﬀ\u2028", "ÄÖÜß "])
def test_offsets_count_code_points(prefix: str) -> None:
    text = prefix + 'password = "hU7vcq" ghp_' + chars(ALNUM, 36)
    assert [text[s.start : s.end] for s in find_secrets(text)] == ["hU7vcq", chars(ALNUM, 36)]


def test_no_other_character_grows_when_it_becomes_small() -> None:
    growing = [c for c in map(chr, range(sys.maxunicode + 1)) if len(c.lower()) != 1]
    assert growing == ["\u0130"]


# --------------------------------------------------------------------------------- redaction


def test_redaction_keeps_what_tells_the_kind_and_the_syntax() -> None:
    text = f'a = "ghp_{chars(ALNUM, 36)}"\nurl = "postgres://app:s3cr-3t.pw9@db/x"\n'
    assert redact(text) == f'a = "ghp_{MARKER}"\nurl = "postgres://app:{MARKER}@db/x"\n'


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_redaction_keeps_the_number_of_every_line(line_end: str) -> None:
    key = pem("RSA PRIVATE KEY").replace("\n", line_end)
    text = f"before{line_end}{key}{line_end}after"
    redacted = redact(text)
    assert redacted.count(line_end) == text.count(line_end)
    assert redacted.split(line_end)[-1] == "after"
    assert chars(BASE64, 64, 0) not in redacted
    assert "-----BEGIN RSA PRIVATE KEY-----" in redacted


def test_a_key_in_a_string_literal_is_replaced() -> None:
    body = chars(BASE64, 64)
    text = f'KEY = "-----BEGIN EC PRIVATE KEY-----\\n{body}\\n-----END EC PRIVATE KEY-----\\n"\n'
    assert body not in redact(text)
    assert redact(text).endswith('-----END EC PRIVATE KEY-----\\n"\n')


def test_text_without_secrets_is_returned_as_it_is() -> None:
    text = 'def f(password: str) -> str:\n    return f"{password}"\n'
    assert redact(text) is text


pieces = st.one_of(
    st.sampled_from([before + secret + after for _, before, secret, after in FORMS]),
    st.sampled_from(["=", '"', "'", " ", "\n", "password", "key", "://", "@", ";", "x", "\\", "-"]),
    st.text(max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=8).map("".join))
def test_redaction_leaves_nothing_to_find_and_changes_nothing_twice(text: str) -> None:
    redacted = redact(text)
    assert redact(redacted) == redacted
    assert find_secrets(redacted) == ()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(FORMS), min_size=1, max_size=4), st.sampled_from(["\n", "\n\n"]))
def test_no_secret_survives_among_others(
    forms: list[tuple[str, str, str, str]], separator: str
) -> None:
    text = separator.join(f"{before}{secret}{after}" for _, before, secret, after in forms)
    redacted = redact(text)
    for _, _, secret, _ in forms:
        assert secret.strip() not in redacted


# ----------------------------------------------------------------------------- hostile texts

MEGABYTE = 1_000_000
HOSTILE = [
    "ghp_",
    "key=",
    'key="',
    "key='\\",
    "password = ",
    'password: a.b.c = "',
    "://a:",
    "://a:b@",
    "eyJ",
    "eyJhbGciOi.",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\nVersion: a\n",
    "-----BEGIN " + "A" * 30,
    "private-lines: 1\n",
    "authorization: bearer ",
    "a" * 40,
    "aA0" * 10,
    "0123456789",
    "AccountKey=",
    "token_token-token",
    "secret" + " " * 8 + ":" + " " * 4,
    "Q~Q~",
    ":AA12345678",
    "\\n\\r",
    '"' * 10,
    "${{",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_megabyte_of_beginnings_is_searched(unit: str) -> None:
    """It ends at all: where a repetition could multiply with another one, it would not."""
    text = unit * (MEGABYTE // len(unit))
    assert len(redact(text)) > 0


@pytest.mark.parametrize("rule", built_in().rules, ids=lambda rule: rule.kind)
def test_keywords_are_written_as_they_are_searched(rule: SecretRule) -> None:
    for keyword in rule.keywords:
        assert rule.near == "token" or keyword == keyword.lower()


# ----------------------------------------------------------------------------- rules as data


_TELEGRAM = r"(?<=[0-9]{5}):A(?P<secret>[A-Za-z0-9_-]{34})(?![A-Za-z0-9_-])"


def rules_file(folder: Path, old: str, new: str) -> Path:
    text = BUILTIN.read_text(encoding="utf-8")
    assert old in text
    path = folder / "secrets.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("gho_ [A-Za-z0-9]{36,255}", "gho_ [A-Za-z0-9]+", "neither a character nor a set"),
        ("gho_ [A-Za-z0-9]{36,255}", "gho_[A-Za-z0-9]{36,255}", "what stays, a space"),
        ("gho_ [A-Za-z0-9]{36,255}", "g [A-Za-z0-9]{36,255}", "does not begin with 2"),
        ("gho_ [A-Za-z0-9]{36,255}", "gho_ [A-Za-z0-9]{36,255}a", "may begin within"),
        ("gho_ [A-Za-z0-9]{36,255}", "gho_ [A-Z]{2,9}[K-Z0-9]{36,255}", "may begin within"),
        ("gho_ [A-Za-z0-9]{36,255}", "gho_ [A-Z]{9,2}", "at least more than at most"),
        (_TELEGRAM, _TELEGRAM.replace("{34}", "+"), "without a limit"),
        (_TELEGRAM, _TELEGRAM.replace("{34}", "{34,}"), "without a limit"),
        (_TELEGRAM, _TELEGRAM.replace("(?![A-Za-z0-9_-])", "(?![A-Z"), "no regular expression"),
        (_TELEGRAM, _TELEGRAM.replace("?P<secret>", "?:"), "no group"),
        (_TELEGRAM, _TELEGRAM + "(?P<other>b)", "mean nothing"),
        (_TELEGRAM, f"(?:{_TELEGRAM}|AAA)", "no group `secret` in one of the alternatives"),
        (_TELEGRAM, f"{_TELEGRAM}|AAA", "no group `secret` in one of the alternatives"),
        (_TELEGRAM, f"(?:{_TELEGRAM}){{0,1}}", "where it may be left out"),
        (_TELEGRAM, f"{_TELEGRAM}(?:a{{1,9}}b?){{1,9}}", "a repetition within a repetition"),
        (_TELEGRAM, "(?<=[0-9]{9}):A(?P<secret>[B-Z]{34})", "does not find its `example`"),
        ('keywords = [":A"]', "keywords = []", "no `keywords`"),
        ('title = "GitHub token"', 'titel = "GitHub token"', "title"),
        ("[names]", "[names", "cannot be read"),
    ],
)
def test_wrong_rules_name_the_file_and_what_is_wrong(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    path = rules_file(tmp_path, old, new)
    with pytest.raises(SettingsError, match=named) as caught:
        load_rules(path)
    assert str(path) in str(caught.value)


def test_entropy_is_that_of_shannon() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcdabcd") == pytest.approx(2.0)


# ------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("project/.env", ".env"),
        ("project/.ENV", ".env"),
        (".env.production", ".env.*"),
        ("prod.env", "*.env"),
        ("certs/server.pem", "*.pem"),
        ("server.key", "*.key"),
        ("home/me/.ssh/config", ".ssh/"),
        ("id_rsa", "id_rsa*"),
        ("x.p12", "*.p12"),
        ("x.pfx", "*.pfx"),
        ("android/release.keystore", "*.keystore"),
        (".netrc", ".netrc"),
        (".npmrc", ".npmrc"),
        (".pypirc", ".pypirc"),
        ("credentials", "credentials"),
        ("me/.aws/credentials", ".aws/"),
        ("kubeconfig", "kubeconfig"),
        ("infra/terraform.tfstate", "*.tfstate"),
        ("infra/terraform.tfstate.backup", "*.tfstate.*"),
        ("config/secrets.yml", "secrets.*"),
        ("secrets.py", "secrets.*"),
        ("me/.docker/config.json", ".docker/config.json"),
        (".docker/config.json", ".docker/config.json"),
        ("me/.config/gcloud/access_tokens.db", ".config/gcloud/*"),
        (".env.example", None),
        (".env.sample", None),
        (".env.local.example", None),
        ("secrets.example.yml", None),
        ("secrets.go", None),
        ("credentials.py", None),
        ("app/main.py", None),
        ("docker/config.json", None),
        ("environment.py", None),
        (".envoy/config.yaml", None),
        ("keys.py", None),
        (".env~", ".env"),
        ("..env.swp", ".env.*"),
        (".env.bak", ".env.*"),
        ("key.pem.bak", "*.pem"),
        ("key.pem.old.gz", "*.pem"),
        ("server.key.old", "*.key"),
        ("server.key.2024-01-31", "*.key"),
        ("server (1).key", "*.key"),
        ("#id_rsa#", "id_rsa*"),
        ("privkey.der", "*.der"),
        ("serviceAccountKey.json", "serviceaccount*.json"),
        ("kubeconfig.yaml", "kubeconfig.*"),
        ("rclone.conf", "rclone.conf"),
        ("deploy/db-secret.yml", "*-secret.y*ml"),
        ("app/local_settings.py", "local_settings.py"),
        ("wg0.conf", "wg[0-9].conf"),
        ("passwords.txt", "password*.txt"),
        ("me/.docker/config.json.bak", ".docker/config.json"),
        ("key.pem.example", None),
        ("id_rsa.pub", None),
        ("public.pem", None),
        ("tokens.json", None),
        ("private_key.go", None),
        ("", None),
    ],
)
def test_files_of_secrets_are_known_by_their_path(path: str, pattern: str | None) -> None:
    assert secret_file_pattern(PurePosixPath(path)) == pattern


def test_windows_paths_are_read_too() -> None:
    assert secret_file_pattern(PureWindowsPath(r"C:\Users\Me\.SSH\known_hosts")) == ".ssh/"
    assert secret_file_pattern(PureWindowsPath(r"C:\code\.Env")) == ".env"
