import assert from "node:assert/strict";
import { test } from "node:test";
import { budgetWarnings, cloudLine, leavingSentence, spendingLine } from "../src/cloud";
import type { Spending, Status } from "../src/protocol";
import { inTheCloud, spent, status } from "./samples";

const ready: Status["cloud"] = { allowed: true, ready: true, model: "far-away-1", detail: "", remedy: "" };

const clouds: [string, Status, string][] = [
  ["not allowed", status(),
    "Cloud: not allowed for completions. Completions may not leave this machine. Set `completion.allow_cloud`."],
  ["not ready", status({ cloud: { ...ready, ready: false, detail: "There is no key.", remedy: "Sign in." } }),
    "Cloud: allowed, but not used now. There is no key. Sign in."],
  ["ready", status({ cloud: ready }), "Cloud: allowed; far-away-1 is asked where no model here can answer."],
  ["in use", inTheCloud(), "Cloud: allowed, and far-away-1 completes."],
];

for (const [state, given, said] of clouds) {
  test(`a cloud that is ${state} is told in one line`, () => {
    assert.equal(cloudLine(given), said);
  });
}

const leaving: [string, Status, RegExp][] = [
  ["to the cloud", inTheCloud(), /^No model on this machine can.*leave it, to far-away-1 in the cloud\.$/],
  ["to another machine", status({ local: false, backend: "ollama" }), /^Completions leave this machine: qwen.*answers/],
  ["nowhere, for want of money", inTheCloud({ spending: spent(1, { monthUsd: 20, monthlyBudgetUsd: 20 }) }),
    /far-away-1 in the cloud is not asked: the budget for this month is used up\.$/],
  ["nowhere, for want of a budget", inTheCloud({ spending: spent(0, { dailyBudgetUsd: 0 }) }), /for today is used up\.$/],
];

for (const [where, given, said] of leaving) {
  test(`it is said that completions go ${where}`, () => {
    assert.match(leavingSentence(given), said);
  });
}

const sums: [string, Spending | null, string, RegExp | undefined][] = [
  ["books that cannot be read", null, "", undefined],
  ["no budget", spent(0.4), "Spent today: $0.40.", undefined],
  ["a budget for the day", spent(0.4, { dailyBudgetUsd: 2 }), "Spent: $0.40 of $2.00 today.", undefined],
  ["both budgets", spent(0.4, { dailyBudgetUsd: 2, monthUsd: 3, monthlyBudgetUsd: 20 }),
    "Spent: $0.40 of $2.00 today, $3.00 of $20.00 this month.", undefined],
  ["just under four fifths", spent(1.59, { dailyBudgetUsd: 2 }), "Spent: $1.59 of $2.00 today.", undefined],
  ["four fifths", spent(1.6, { dailyBudgetUsd: 2 }), "Spent: $1.60 of $2.00 today.", /^80 % .* for today/],
  ["what calls under way may cost", spent(1.5, { dailyBudgetUsd: 2, reservedUsd: 0.25 }),
    "Spent: $1.50 of $2.00 today.", /^87 %/],
  ["a month that is used up", spent(0, { monthUsd: 20, monthlyBudgetUsd: 20 }),
    "Spent: $20.00 of $20.00 this month.", /for this month is used up/],
  ["a budget of nothing", spent(0, { dailyBudgetUsd: 0 }), "Spent: $0.00 of $0.00 today.", undefined],
];

for (const [situation, spending, line, warning] of sums) {
  test(`what was spent is told with ${situation}`, () => {
    assert.equal(spendingLine(spending), line);
    const [first, ...others] = budgetWarnings(spending);
    assert.deepEqual(others, []);
    if (warning === undefined) {
      assert.equal(first, undefined);
    } else {
      assert.match(first ?? "", warning);
    }
  });
}
