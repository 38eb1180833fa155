"""Programs as they should be: nothing is said about them, and each of their harms is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_FOLDER = Path(__file__).with_name("programs")

_LANGUAGES = {".java": "java", ".cs": "csharp"}

_PROGRAMS = sorted(path.name for path in _FOLDER.iterdir())


def _found(name: str, text: str) -> list[tuple[str, str]]:
    language = _LANGUAGES[Path(name).suffix]
    analysis = analyse(Source(f"untitled:{name}", text, language))
    assert analysis.notes == ()
    return [
        (finding.rule, text[finding.span.start : finding.span.end].partition("\n")[0])
        for finding in analysis.findings
    ]


@pytest.mark.parametrize("name", _PROGRAMS)
def test_nothing_is_said_about_a_good_program(name: str) -> None:
    assert _found(name, (_FOLDER / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong", "rule"),
    [
        ("Store.java", 'owner = ? ORDER BY name LIMIT ?"', "owner = '\" + owner", "sql-injection"),
        ("Store.java", "AES/GCM/NoPadding", "AES/ECB/PKCS5Padding", "weak-cipher"),
        (
            "Store.java",
            "MessageDigest.isEqual(mac.doFinal(message),",
            "Arrays.equals(mac,",
            "timing-attack",
        ),
        (
            "Store.java",
            "Thread.currentThread().interrupt();",
            'LOG.warn("stopped");',
            "swallowed-exception",
        ),
        ("Store.java", "ROUNDS = 600_000", "ROUNDS = 1_000", "weak-password-hash"),
        (
            "Store.java",
            "return Long.compare(size, other.size);",
            "return (int) size - 1;",
            "numeric-precision",
        ),
        ("Shop.java", "HtmlUtils.htmlEscape(name)", "name", "xss"),
        ("Shop.java", 'List.of("https://shop.example.com")', 'List.of("*")', "permissive-cors"),
        (
            "Shop.java",
            "Customizer.withDefaults()",
            "AbstractHttpConfigurer::disable",
            "csrf-disabled",
        ),
        ("Shop.java", "fixation.changeSessionId()", "fixation.none()", "session-fixation"),
        (
            "Shop.java",
            "anyRequest().authenticated()",
            "anyRequest().permitAll()",
            "missing-authentication",
        ),
        (
            "Shop.java",
            "BCryptPasswordEncoder(12)",
            "BCryptPasswordEncoder(4)",
            "weak-password-hash",
        ),
        ("Shop.java", ".secure(true)", ".secure(false)", "insecure-cookie"),
        (
            "Store.cs",
            'WHERE Owner = @owner ORDER BY Name"',
            "WHERE Owner = '\" + owner",
            "sql-injection",
        ),
        ("Store.cs", "Rounds = 600_000", "Rounds = 1_000", "weak-password-hash"),
        (
            "Store.cs",
            "CryptographicOperations.FixedTimeEquals(expected, signature)",
            "signature.SequenceEqual(hash)",
            "timing-attack",
        ),
        (
            "Store.cs",
            "DtdProcessing.Prohibit, XmlResolver",
            "DtdProcessing.Parse, XmlResolver",
            "xml-unsafe-parser",
        ),
        ("Store.cs", "await using var connection", "var connection", "resource-leak"),
        ("Shop.cs", "HtmlEncoder.Default.Encode(name)", "name", "xss"),
        ("Shop.cs", "Url.IsLocalUrl(returnUrl) ?", "returnUrl != null ?", "open-redirect"),
        ("Shop.cs", "ValidateLifetime = true", "ValidateLifetime = false", "jwt-unverified"),
        (
            "Shop.cs",
            '.WithOrigins("https://shop.example.com")',
            ".AllowAnyOrigin()",
            "permissive-cors",
        ),
        ("Shop.cs", "    [ValidateAntiForgeryToken]\n", "", "csrf-disabled"),
        (
            "Shop.cs",
            "if (app.Environment.IsDevelopment())",
            "if (args.Length > 0)",
            "debug-enabled",
        ),
        (
            "Shop.cs",
            'StatusCode(500, "the picture could not be kept")',
            "StatusCode(500, error.StackTrace)",
            "data-exposure",
        ),
        (
            "Shop.cs",
            'Customer = @customer", new { customer }',
            "Customer = '\" + customer",
            "sql-injection",
        ),
    ],
)
def test_one_change_for_the_worse_is_found(name: str, right: str, wrong: str, rule: str) -> None:
    text = (_FOLDER / name).read_text(encoding="utf-8")
    assert right in text
    assert rule in {found for found, _ in _found(name, text.replace(right, wrong))}
