"""Which function fixes which finding of which language; patterns are in `fixes.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.fixes import commands, ecmascript, others, parameters, python

if TYPE_CHECKING:
    from coai_agents.fixes.fix import Fixer

_ECMASCRIPT: Final = ("javascript", "typescript", "tsx")


@dataclass(frozen=True, slots=True)
class Registered:
    """A fixer, what it is for, and what the file then has to import."""

    rules: tuple[str, ...]
    languages: tuple[str, ...]
    title: str
    fixer: Fixer
    needs: tuple[str, ...] = ()
    preferred: bool = True


def _python(
    rules: str, title: str, fixer: Fixer, *needs: str, preferred: bool = True
) -> Registered:
    return Registered(tuple(rules.split()), ("python",), title, fixer, needs, preferred)


def _ecma(rules: str, title: str, fixer: Fixer, *needs: str, preferred: bool = True) -> Registered:
    return Registered(tuple(rules.split()), _ECMASCRIPT, title, fixer, needs, preferred)


def _of(
    language: str, rule: str, title: str, fixer: Fixer, *, preferred: bool = True
) -> Registered:
    return Registered((rule,), (language,), title, fixer, (), preferred)


_APART: Final = "Keep the query and its values apart"
_LIST: Final = "Start the program without a shell"

REGISTERED: Final = (
    _python("sql-injection", _APART, parameters.python_query),
    _python("command-injection shell-enabled", _LIST, commands.python_list),
    _python("command-injection shell-enabled", _LIST, commands.python_system, "subprocess"),
    _python("unsafe-deserialization deserialization", "Use yaml.safe_load", python.safe_yaml),
    _python("mutable-default", "Make the default anew in each call", python.mutable_default),
    _python("swallowed-exception", "Write it to the log", python.logged, "logging"),
    _python("csrf-disabled", "Remove the exemption", python.no_exemption, preferred=False),
    _python("blocking-in-async", "Await it in a thread", python.in_thread, "asyncio"),
    _python(
        "hardcoded-secret",
        "Read it from the environment",
        python.from_environment,
        "os",
        preferred=False,
    ),
    _python("permissive-mode", "Give rights to the owner only", python.own_umask),
    _python("missing-timeout", "Wait for ten seconds at most", python.waits),
    _python(
        "missing-timeout",
        "Wait for ten seconds at most",
        python.keyword_off("timeout", "None", "10"),
    ),
    _python(
        "tls-verification-off", "Verify certificates again", python.keyword_gone("verify", "False")
    ),
    _python(
        "tls-verification-off", "Verify certificates again", python.keyword_gone("ssl", "False")
    ),
    _python(
        "tls-verification-off",
        "Verify certificates again",
        python.keyword_gone("verify_ssl", "False"),
    ),
    _python("jwt-unverified", "Verify the signature", python.keyword_gone("verify", "False")),
    _python(
        "insecure-cookie", "Set the Secure flag", python.keyword_off("secure", "False", "True")
    ),
    _python(
        "cookie-httponly",
        "Hide the cookie from scripts",
        python.keyword_off("httponly", "False", "True"),
    ),
    _python("debug-enabled", "Switch debug mode off", python.keyword_off("debug", "True", "False")),
    _python("debug-enabled", "Switch debug mode off", python.keyword_off("DEBUG", "True", "False")),
    _python(
        "autoescape-off", "Switch escaping on", python.keyword_off("autoescape", "False", "True")
    ),
    _python(
        "zip-slip",
        "Refuse members outside of the folder",
        python.keyword_off("filter", "None", '"data"'),
    ),
    _python(
        "naive-datetime",
        "Ask for the time in UTC",
        python.aware,
        "datetime:timezone",
        preferred=False,
    ),
    _python("xxe xml-unsafe-parser", "Leave external entities alone", python.entities_off),
    _ecma("sql-injection", _APART, parameters.ecmascript_query),
    _ecma("command-injection", _LIST, commands.ecmascript_list),
    _ecma("shell-enabled", _LIST, ecmascript.property_value("shell", "true", "false")),
    _ecma("xss", "Show it as text", ecmascript.text_content),
    _ecma("timing-attack", "Compare in constant time", ecmascript.same_time, "crypto"),
    _ecma("weak-random", "Use the secure generator of the system", ecmascript.secure_random),
    _ecma("dangerous-eval code-injection", "Read it as JSON", ecmascript.json_parse),
    _ecma("dangerous-eval", "Hand over a function", ecmascript.in_function),
    _ecma(
        "postmessage-origin", "Send it to this origin only", ecmascript.own_origin, preferred=False
    ),
    _ecma("missing-limit", "Write the limit down", ecmascript.limited),
    _ecma("swallowed-exception", "Say what was caught", ecmascript.caught),
    _ecma(
        "hardcoded-secret credential-handling",
        "Read it from the environment",
        ecmascript.environment,
        preferred=False,
    ),
    _ecma("api-misuse", "Count the first place too", ecmascript.found_anywhere),
    _ecma("xxe", "Leave entities alone", ecmascript.property_value("noent", "true", "false")),
    _ecma(
        "insecure-cookie",
        "Set the Secure flag",
        ecmascript.property_value("secure", "false", "true"),
    ),
    _ecma(
        "jwt-unverified",
        "Sign with HMAC and SHA-256",
        ecmascript.property_value("algorithm", "(?i)['\"]none['\"]", '"HS256"'),
    ),
    _ecma(
        "security-header",
        "Say nothing about where one came from",
        ecmascript.property_value("policy", "['\"].*['\"]", '"no-referrer"'),
    ),
    _ecma(
        "security-header",
        "Hide files that begin with a dot",
        ecmascript.property_value("dotfiles", "['\"]allow['\"]", '"ignore"'),
    ),
    _ecma("security-header", "Switch it off", ecmascript.property_value("allow", "true", "false")),
    _ecma("security-header", "Switch it on", ecmascript.property_value("\\w+", "false", "true")),
    _ecma(
        "security-header",
        "Permit nothing",
        ecmascript.property_value("permittedPolicies", "['\"]all['\"]", '"none"'),
    ),
    _ecma(
        "autoescape-off",
        "Switch escaping on",
        ecmascript.property_value("sanitize|auto[eE]scape|escape\\w+", "false", "true"),
    ),
    _ecma(
        "autoescape-off",
        "Switch escaping on",
        ecmascript.property_value("noEscape", "true", "false"),
    ),
    _ecma(
        "weak-tls",
        "Ask for TLS 1.2",
        ecmascript.property_value("secureProtocol", ".*", '"TLSv1_2_method"'),
    ),
    _ecma(
        "weak-tls",
        "Ask for TLS 1.2",
        ecmascript.property_value("minVersion|maxVersion", ".*", '"TLSv1.2"'),
    ),
    _ecma("weak-key", "Use 3,072 bits", ecmascript.property_value("modulusLength", "\\d+", "3072")),
    _ecma(
        "csrf-disabled",
        "Switch the check on",
        ecmascript.property_value("csrf", "false", "true"),
        preferred=False,
    ),
    _of("go", "sql-injection", _APART, parameters.go_query),
    _of("go", "weak-hash", "Use SHA-256", others.go_digest),
    _of("go", "insecure-cookie", "Set the Secure flag", others.go_flag("Secure")),
    _of("go", "cookie-httponly", "Hide the cookie from scripts", others.go_flag("HttpOnly")),
    _of("go", "identical-branches", "Leave one branch", others.same_branches),
    _of("php", "sql-injection", _APART, parameters.php_query),
    _of("ruby", "sql-injection", _APART, parameters.ruby_query),
    _of("java", "weak-random", "Use the secure generator", others.java_secure_random),
    _of("java", "xml-unsafe-parser", "Refuse document types", others.java_doctype_off),
    _of("java", "insecure-cookie", "Set the Secure flag", others.java_cookie),
)


def _by_language_and_rule() -> dict[tuple[str, str], tuple[Registered, ...]]:
    found: dict[tuple[str, str], list[Registered]] = {}
    for each in REGISTERED:
        for language in each.languages:
            for rule in each.rules:
                found.setdefault((language, rule), []).append(each)
    return {key: tuple(some) for key, some in found.items()}


BY_RULE: Final = _by_language_and_rule()
