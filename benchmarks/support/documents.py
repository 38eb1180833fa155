"""Documents to complete in: as long as wanted, and never the same twice at the cursor."""

from __future__ import annotations

from typing import Final

_CLASS: Final = '''\
class Account{n}:
    """An account of one customer, number {n}."""

    def __init__(self, owner: str, balance: int = {n}) -> None:
        self.owner = owner
        self.balance = balance
        self.history: list[tuple[str, int]] = []

    def withdraw(self, amount: int) -> int:
        if amount > self.balance or amount < 0:
            raise ValueError(f"cannot withdraw {{amount}} from {{self.owner}}")
        self.balance -= amount
        self.history.append(("withdraw", amount))
        return self.balance - sum(part for _, part in self.history[:{n}])

    def statement(self) -> str:
        lines = [f"{{kind}}: {{amount}}" for kind, amount in self.history]
        return "\\n".join(lines)


'''


def python_document(lines: int) -> str:
    """Return a Python file of so many lines, or a few less."""
    return "".join(_CLASS.format(n=number) for number in range(lines // _CLASS.count("\n")))


def place_to_type(text: str) -> int:
    """Return an offset in the middle of a document where a new statement can be written."""
    wanted = "        self.balance -= amount\n"
    return text.index(wanted, len(text) // 2) + len(wanted)


def statement(number: int) -> str:
    """Return the beginning of a statement that no other number has."""
    return f"        checked_{number} = self.verify_{number * 7919 % 104_729}"


STATEMENT_END: Final = ("(", "amount", ",", " self", ".", "owner", ")")
"""How the scripted model ends such a statement."""
