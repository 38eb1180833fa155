"""The check digits of cards, accounts and national numbers: what tells them from other digits.

Each function takes a value as it stands in a text, separators and all, and says whether it holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_RESERVED: Final = re.compile(
    r"(?:^|[.@])(?:example\.(?:com|org|net|edu)|test|example|invalid|localhost|local)$"
)
_NOBODY: Final = re.compile(r"^(?:no-?reply|do-?not-?reply|noreply[+.].*|git|user|username)@")
_ITALIAN_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
                       10, 22, 25, 24, 23)  # fmt: skip
_VERHOEFF: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_VERHOEFF_TURNS: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def _digits(value: str) -> list[int]:
    return [int(character) for character in value if character in "0123456789"]


def _weighted(digits: Sequence[int], weights: Sequence[int]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def _luhn(digits: Sequence[int]) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (doubled + sum(digits[-1::-2])) % 10 == 0


def personal_address(value: str) -> bool:
    """Tell a person's e-mail address from those that are reserved or nobody's (RFC 2606)."""
    lower = value.lower()
    return not _RESERVED.search(lower) and not _NOBODY.match(lower)


def phone(value: str) -> bool:
    """Tell a telephone number from one that is kept for fiction (555-01xx) or all alike."""
    digits = "".join(map(str, _digits(value)))
    return len(set(digits)) > 3 and "5550" not in digits  # noqa: PLR2004 - as 000-000-1111 has


def card(value: str) -> bool:
    """Say whether it is the number of a payment card."""
    digits = _digits(value)
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _luhn(digits)  # noqa: PLR2004


def iban(value: str) -> bool:
    """Say whether it is an account number (ISO 13616: modulo 97)."""
    compact = value.replace(" ", "")
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def us_ssn(value: str) -> bool:
    """Leave out areas, groups and serials that are not given out, and 9xx; there is no check."""
    area, group, serial = value.split("-")
    return area not in {"000", "666"} and group != "00" and serial != "0000"


def spanish_id(value: str) -> bool:
    """DNI and NIE: modulo 23."""
    number = value[:8].translate(str.maketrans("XYZ", "012"))
    return value[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def italian_tax_code(value: str) -> bool:
    """Codice fiscale: modulo 26 over characters in odd and even places."""
    total = 0
    for place, character in enumerate(value[:15], start=1):
        number = int(character, 36) - (10 if character.isalpha() else 0)
        total += _ITALIAN_ODD[number] if place % 2 else number
    return value[15] == chr(ord("A") + total % 26)


def french_nir(value: str) -> bool:
    """Numéro de sécurité sociale: 97 less the number modulo 97."""
    compact = value.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 97 - int(compact[:13]) % 97 == int(compact[13:])


def cpf(value: str) -> bool:
    """CPF: two digits modulo 11."""
    digits = _digits(value)
    if len(set(digits)) == 1:
        return False
    for length in (9, 10):
        rest = _weighted(digits, range(length + 1, 1, -1)) * 10 % 11 % 10
        if rest != digits[length]:
            return False
    return True


def chinese_resident_id(value: str) -> bool:
    """GB 11643: ISO 7064 modulo 11-2."""
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(value[:17]))
    return value[17].upper() == "10X98765432"[total % 11]


def finnish_hetu(value: str) -> bool:
    """Henkilötunnus: modulo 31."""
    return value[10] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(value[:6] + value[7:10]) % 31]


def swedish_personnummer(value: str) -> bool:
    """Personnummer: Luhn over its last ten digits."""
    return _luhn(_digits(value)[-10:])


def nhs(value: str) -> bool:
    """NHS number: modulo 11."""
    digits = _digits(value)
    return (11 - _weighted(digits, range(10, 1, -1)) % 11) % 11 == digits[9]


def german_tax_id(value: str) -> bool:
    """Steuerliche Identifikationsnummer: ISO 7064 modulo 11,10."""
    digits = _digits(value)
    product = 10
    for digit in digits[:10]:
        product = ((product + digit) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def verhoeff(value: str) -> bool:
    """Aadhaar: J. Verhoeff, Error Detecting Decimal Codes, 1969."""
    state = 0
    for place, digit in enumerate(reversed(_digits(value))):
        state = _VERHOEFF[state][_VERHOEFF_TURNS[place % 8][digit]]
    return state == 0


def pesel(value: str) -> bool:
    """PESEL: weights 1, 3, 7, 9."""
    digits = _digits(value)
    return _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0 and any(digits)


def bsn(value: str) -> bool:
    """Burgerservicenummer: the eleven test."""
    digits = _digits(value)
    return _weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and any(digits)


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    check.__name__: check
    for check in (
        personal_address, phone, card, iban, us_ssn, spanish_id, italian_tax_code, french_nir, cpf,
        chinese_resident_id, finnish_hetu, swedish_personnummer, nhs, german_tax_id, verhoeff,
        pesel, bsn,
    )
}  # fmt: skip
"""Every rule by its name."""
