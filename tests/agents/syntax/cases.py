"""What the tests of syntax share: documents with a mark where the cursor is."""

from __future__ import annotations

from coai_agents.source import Source
from coai_agents.syntax import SyntaxTree, parse

MARK = "¦"


def tree_of(language: str, text: str) -> SyntaxTree:
    """Parse a text; the language must have a grammar."""
    tree = parse(Source("file:///case", text, language))
    assert tree is not None
    return tree


def at_mark(language: str, text: str) -> tuple[SyntaxTree, int]:
    """Parse a text without its mark, and return the mark's offset."""
    offset = text.index(MARK)
    return tree_of(language, text.replace(MARK, "", 1)), offset


SAMPLES = {
    "python": '''\
import os

class Account:
    """Money."""

    def withdraw(self, amount: int) -> int:
        # Nothing is lent.
        if amount > self.balance:
            raise ValueError(f"no {amount} é")
        else:
            self.history.append(("out", amount))
        return sum(self.history[1:])
''',
    "javascript": """\
const os = require("os");

class Account extends Base {
  withdraw(amount) {
    // Nothing is lent.
    if (amount > this.balance) {
      throw new Error(`no ${amount} é`);
    } else this.history.push(["out", amount]);
    return this.history.map((x) => x * 2);
  }
}
""",
    "typescriptreact": """\
import { a, b as c } from "m";

interface Props { name: string; count?: number }

export const View = ({ name }: Props): JSX.Element => {
  const label: string = `é ${name}`;
  return <div className="x">{a(label)}</div>;
};
""",
    "go": """\
package main

import "fmt"

type Account struct {
\tbalance int
}

func (a *Account) Withdraw(amount int) (int, error) {
\tif amount > a.balance {
\t\treturn 0, fmt.Errorf("no %d é", amount)
\t}
\ta.balance -= amount
\treturn a.balance, nil
}
""",
    "java": """\
import java.util.List;

public class Account {
  private int balance = 1;

  /** Takes money. */
  int withdraw(int amount) {
    if (amount > balance) {
      throw new IllegalStateException("no é " + amount);
    }
    balance -= amount;
    return balance;
  }
}
""",
    "kotlin": """\
import java.io.File

class Account(private var balance: Int) : Base() {
  // Takes money.
  fun withdraw(amount: Int): Int {
    if (amount > balance) {
      throw Exception("no é ${amount}")
    }
    balance -= amount
    return listOf(1, 2).map { it * 2 }[0]
  }
}
""",
    "scala": """\
import java.io.File

class Account(var balance: Int) extends Base {
  // Takes money.
  def withdraw(amount: Int): Int = {
    if (amount > balance) {
      throw new Exception(s"no é ${amount}")
    }
    balance -= amount
    List(1, 2).map(x => x * 2).head
  }
}
""",
    "rust": """\
use std::fmt;

/// Money.
pub struct Account { balance: i32 }

impl Account {
    fn withdraw(&mut self, amount: i32) -> Result<i32, String> {
        if amount > self.balance {
            return Err(format!("no é {}", amount));
        }
        self.balance -= amount;
        Ok(self.balance)
    }
}
""",
    "c": """\
#include <stdio.h>

struct account { int balance; };

/* Takes money. */
static int withdraw(struct account *a, int amount) {
    if (amount > a->balance) {
        printf("no %d é\\n", amount);
        return -1;
    }
    a->balance -= amount;
    return a->balance;
}
""",
    "cpp": """\
#include <vector>

namespace bank {
template <typename T>
class Account {
 public:
  explicit Account(T balance) : balance_(balance) {}
  T withdraw(T amount) {
    if (amount > balance_) throw "no é";
    return balance_ -= amount;
  }
 private:
  T balance_;
};
}
""",
    "csharp": """\
using System;

namespace Bank {
  public class Account {
    private int balance = 1;
    public int Withdraw(int amount) {
      if (amount > balance) { throw new Exception($"no é {amount}"); }
      balance -= amount;
      return balance;
    }
  }
}
""",
    "ruby": """\
require "json"

class Account < Base
  # Takes money.
  def withdraw(amount)
    raise "no é #{amount}" if amount > @balance
    @history.each do |entry|
      puts entry
    end
    @balance -= amount
  end
end
""",
    "php": """\
<?php
namespace Bank;

class Account extends Base {
  /** Takes money. */
  public function withdraw(int $amount): int {
    if ($amount > $this->balance) {
      throw new \\Exception("no é {$amount}");
    }
    return $this->balance -= $amount;
  }
}
""",
    "shellscript": """\
source ./lib.sh

withdraw() {
  local amount=$1
  if [ "$amount" -gt "$balance" ]; then
    echo "no é ${amount}" >&2
    return 1
  fi
  for entry in a b; do echo "$entry"; done
}
""",
}
SAMPLES["typescript"] = (
    SAMPLES["typescriptreact"]
    .replace('<div className="x">{a(label)}</div>', "a(label)")
    .replace("JSX.Element", "string")
)
SAMPLES["javascriptreact"] = SAMPLES["javascript"].replace("x * 2", "<b>{x}</b>")
"""One small file without errors in each language that has a grammar."""
