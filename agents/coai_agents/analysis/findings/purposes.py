"""What something is for, as the names and the code around it say.

MD5 and SHA-1 are broken where somebody gains by two inputs of the same hash. As the key of a cache,
the name of a file or a check of what was transferred they do no harm, and where a protocol asks for
one of them nothing else is understood by the other side. A constant that is the key of a table or
one side of a comparison is not used, and what names a setting is no secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.constructs.values import text_of
from coai_agents.analysis.rules.surroundings import function_around

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.rules.surroundings import Surroundings

_WEAK_HASH: Final = "weak-hash"
_ALGORITHMS: Final = frozenset({_WEAK_HASH, "weak-password-hash", "weak-cipher"})
_WRITTEN: Final = "hardcoded-secret"
_TIMING: Final = "timing-attack"
_RANDOM: Final = "weak-random"
_CONSTANTS: Final = frozenset({"weak-tls"})

_NAMES: Final = re.compile(
    r"cach(?:e|ing)|memo(?:iz|is)e|e_?tag|check_?sum|finger_?print|file_?name|\bmtime|dedup|duplicate"
    r"|gravatar|avatar|slug|shard|bucket|partition|info_?hash|\bblob|\bcommit|revision|hash_?ring"
    r"|bloom|colou?r|te?mp_?(?:file|dir|path)|(?:content|file|cache|asset|image)_?hash"
    r"|(?:format|table|column|constraint|index|object|class|module|host|key|lock|queue)(?:ted)?_?name"
    r"|unique_?(?:id|name|key)|short_?(?:id|name)|abbreviat|manifest|snapshot|\bguid|modified|sprite",
    re.IGNORECASE,
)
"""What is hashed to be named, found again or compared with what it was."""

_SURELY: Final = re.compile(
    r"cache_?key|\be_?tag\b|(?:file|path)_?name|te?mp_?(?:path|file|dir)|check_?sum|gravatar|slug",
    re.IGNORECASE,
)
"""The same, where the line itself says it so clearly that no other word counts."""

_PROTECTS: Final = re.compile(
    r"passw|passphrase|\bpwd|secret|token|(?<![a-z])sign(?!al|ifi)|signature|hmac|\bsalt|verif"
    r"|credential|authenti|log_?in\b|licen[cs]e|certificat|\botp\b|csrf|session",
    re.IGNORECASE,
)

_PROTOCOLS: Final = re.compile(
    r"\brealm\b|c_?nonce|\bqop\b|\bha[12]\b|\bapop|cram_?md5|\bcram\b|\bnt_?lm|lan_?man|\bapr_?1"
    r"|apr1_?md5|258EAFA5|content_?-?md5|http_?digest|digest_?auth|native_?password|scramble|\bsasl"
    r"|(?-i:\bRADIUS)|radius_?(?:attr|client|packet|secret|server)|kerberos|sse_?c\b|customer_?-?key_?-?md5|known_?hosts|host_?keys?\b"
    r"|pkcs_?12|signature_?v2|oauth_?1|name_?space_(?:dns|url)|uuid_?v?[35]\b",
    re.IGNORECASE,
)
"""Protocols and formats that ask for MD5, SHA-1 or DES."""

_SUMS: Final = re.compile(
    r"md5|sha1|crc|check_?sum|e_?tag|(?:file|content)_?(?:hash|digest)|sha256sum", re.IGNORECASE
)

_DEFAULTS: Final = re.compile(r"[=!]=\s*(?:\w{1,40}\.)?(?:default|DEFAULT_|Default)")

_UNGUESSED: Final = re.compile(
    f"{_PROTECTS.pattern}|cookie|remember|nonce|crypt|secur|captcha|reset|invit|coupon|\\bpin\\b"
    r"|\bkey|_key|[a-z]Key|\bcode\b|_id\b|[a-z]Id\b|guess|boundary|\biv\b",
    re.IGNORECASE,
)
"""What nobody may guess."""

_ASKED: Final = re.compile(r"\.\s*(?:digest_size|block_size|digest_length)$")
"""What is only asked how long its hashes are."""

_LITERAL: Final = re.compile(r"([\"'`])((?:(?!\1).){0,200})\1")

_STAND_IN: Final = re.compile(
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|guest|anonymous"
    r"|(?i:<.*>|your[-_ ].*|change[-_ ]?(?:me|it)|placeholder)"
)
"""The name of a setting, or what stands where a secret will be."""

_NAMED_SECRET: Final = re.compile(
    r"=\s*(?:\w{1,40}\.)?\w{0,40}(?:passw(?:or)?d|secret|token|api_?key)\w{0,10};?$", re.IGNORECASE
)
_FETCHED: Final = re.compile(r"\.get\w{0,20}\(|\bget\w{0,20}\(")
_LABEL: Final = re.compile(
    r"[A-Z][A-Z0-9_]*|(?i:[a-z]{0,12}[_.-]?(?:passw(?:or)?d|secret|token|key))"
)
"""What is looked up, such as a section's key."""

_PROGRAMS: Final = frozenset({"", "main", "Main"})

_COMPARING: Final = re.compile(
    r"^(?:expression_case|switch_case|case_clause|when|comparison_operator|binary_expression)$"
)
_COMPARISONS: Final = frozenset(
    {"==", "!=", "===", "!==", "<", ">", "<=", ">=", "in", "case", "when"}
)
_PAIRS: Final = frozenset({"keyed_element", "pair"})
_QUALIFIED: Final = frozenset(
    {
        "attribute",
        "computed_property_name",
        "literal_element",
        "scope_resolution",
        "selector_expression",
    }
)
"""Keys that are looked up. A plain name before a value is an option that is set."""


def is_harmless(rule: str, surroundings: Surroundings, node: Node) -> bool:
    """Say whether what is around a place shows that nothing is protected, or used, there."""
    if rule == _WRITTEN:
        return _is_stand_in(text_of(node))
    if rule == _TIMING:
        return _is_public(text_of(_line_of(node)))
    if rule == _RANDOM:
        return _protects_nothing(surroundings, node, _UNGUESSED)
    if rule in _CONSTANTS:
        return _is_only_told(node)
    return rule in _ALGORITHMS and _is_no_protection(rule, surroundings, node)


def _is_stand_in(code: str) -> bool:
    """Say whether the text that is written in some code only names a secret."""
    literals = [match[2] for match in _LITERAL.finditer(code)]
    if not literals:
        # The constant is a finding where it is written.
        return _NAMED_SECRET.search(code) is not None
    if _FETCHED.search(code) is not None:
        return _LABEL.fullmatch(literals[-1]) is not None
    return _STAND_IN.fullmatch(literals[-1]) is not None


def _is_no_protection(rule: str, surroundings: Surroundings, node: Node) -> bool:
    """Say whether what an algorithm is for was seen, and is none that a better one would serve."""
    name = surroundings.name_of(node, "function")
    held = f"{name}\n{surroundings.code(node, 'object')}"
    whole = f"{name}\n{surroundings.code(node, 'function')}"
    # At the level of the file a word elsewhere excuses nothing.
    around = held if function_around(node) is None else whole
    if _PROTOCOLS.search(f"{surroundings.name_of(node, 'class')}\n{around}"):
        return True
    if rule != _WEAK_HASH:
        return False
    if _ASKED.search(text_of(node.parent)) or _SURELY.search(text_of(_line_of(node))):
        return True
    if _PROTECTS.search(held):
        return False
    if _NAMES.search(held):
        return True
    return _protects_nothing(surroundings, node, _PROTECTS)


def _protects_nothing(surroundings: Surroundings, node: Node, words: re.Pattern[str]) -> bool:
    """Say whether no word of protection is in a function that is one among others.

    A program of a few lines does not say what it is for.
    """
    name = surroundings.name_of(node, "function")
    whole = f"{name}\n{surroundings.code(node, 'function')}"
    return name not in _PROGRAMS and words.search(whole) is None


def _is_public(line: str) -> bool:
    """Say whether what is compared is known to everybody: a checksum, or what is set by default."""
    if _DEFAULTS.search(line):
        return True
    return _SUMS.search(line) is not None and _PROTECTS.search(line) is None


def _is_only_told(node: Node) -> bool:
    """Say whether a constant is the key of a table, a case, or one side of a comparison."""
    inner, above = node, node.parent
    while above is not None and above.type in ("literal_element", "expression_list"):
        inner, above = above, above.parent
    if above is None:
        return False
    if above.type in _PAIRS:
        return above.named_children[0] == inner and inner.type in _QUALIFIED
    signs = {each.type for each in above.children}
    return _COMPARING.search(above.type) is not None and not _COMPARISONS.isdisjoint(signs)


def _line_of(node: Node) -> Node:
    """Return the largest part of the tree around a node that begins and ends on its lines."""
    while (above := node.parent) is not None and (
        above.start_point.row == node.start_point.row and above.end_point.row == node.end_point.row
    ):
        node = above
    return node
