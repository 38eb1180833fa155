// What is said about models that are not on this machine, and about what they cost.
import type { Spending, Status } from "./protocol";
import { dollars, modelName } from "./wording";

/** The name of the server's own way to cloud models, among those that complete. */
export const CLOUD = "cloud";

/** The share of a budget from which it is told as a warning; the server's is the same. */
const WARN_AT = 0.8;

/** A budget and what of it is gone. */
interface Budget {
  readonly spent: number;
  /** With what is set aside for calls under way: the server refuses the next one by it. */
  readonly used: number;
  readonly cap: number;
  readonly period: "today" | "this month";
}

/** Say whether completions leave this machine right now. */
export function leaves(status: Status): boolean {
  return status.backend !== null && !status.local;
}

/** Return in a sentence where completions go that leave this machine. */
export function leavingSentence(status: Status): string {
  const name = modelName(status.model);
  const gone = usedUp(status);
  if (gone !== undefined) {
    return (
      `No model on this machine can complete, and ${name} in the cloud is not asked: ` +
      `the budget for ${gone.period} is used up.`
    );
  }
  return status.backend === CLOUD
    ? `No model on this machine can complete: completions leave it, to ${name} in the cloud.`
    : `Completions leave this machine: ${name} on another one answers them.`;
}

/** Return in one line whether completions may go to a cloud model, and what keeps them from it. */
export function cloudLine(status: Status): string {
  const { allowed, ready, model, detail, remedy } = status.cloud;
  const why = `${detail} ${remedy}`.trim();
  if (!allowed) {
    return `Cloud: not allowed for completions. ${why}`.trim();
  }
  if (!ready) {
    return `Cloud: allowed, but not used now. ${why}`.trim();
  }
  const name = modelName(model ?? "");
  return status.backend === CLOUD
    ? `Cloud: allowed, and ${name} completes.`
    : `Cloud: allowed; ${name} is asked where no model here can answer.`;
}

/** Return the budget that keeps the cloud model from completing, where it would be asked. */
export function usedUp(status: Status): Budget | undefined {
  return status.backend === CLOUD
    ? budgets(status.spending).find(({ used, cap }) => used >= cap)
    : undefined;
}

/** Return in one line what was spent and how much may be; nothing where that cannot be read. */
export function spendingLine(spending: Spending | null): string {
  if (spending === null) {
    return "";
  }
  const capped = budgets(spending);
  if (capped.length === 0) {
    return `Spent today: ${dollars(spending.todayUsd)}.`;
  }
  const said = capped.map(({ spent, cap, period }) => `${dollars(spent)} of ${dollars(cap)} ${period}`);
  return `Spent: ${said.join(", ")}.`;
}

/** Return what is to be said of budgets that are nearly or wholly used up; empty if none is. */
export function budgetWarnings(spending: Spending | null): string[] {
  return budgets(spending)
    // Whoever allows nothing to be spent need not be told that nothing is left.
    .filter(({ used, cap }) => cap > 0 && used >= WARN_AT * cap)
    .map(({ used, cap, period }) =>
      used >= cap
        ? `The budget for ${period} is used up: only models on this machine answer.`
        : `${Math.floor((100 * used) / cap)} % of the budget for ${period} are used. ` +
          "When it is used up, only models on this machine answer.",
    );
}

function budgets(spending: Spending | null): Budget[] {
  if (spending === null) {
    return [];
  }
  const { todayUsd, monthUsd, reservedUsd, dailyBudgetUsd, monthlyBudgetUsd } = spending;
  const all: Budget[] = [];
  const add = (spent: number, cap: number | null, period: Budget["period"]): void => {
    if (cap !== null) {
      all.push({ spent, used: spent + reservedUsd, cap, period });
    }
  };
  add(todayUsd, dailyBudgetUsd, "today");
  add(monthUsd, monthlyBudgetUsd, "this month");
  return all;
}
