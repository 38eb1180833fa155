// What is remembered of a project: how it is listed and forgotten, decided here.

/** A thing that is remembered, as `coai.memory` answers. */
export interface Memory {
  readonly id: string;
  /** `solution` for a change that solved a problem, else what kind of fact it is. */
  readonly kind: string;
  readonly text: string;
  /** The file, relative to its folder; empty for what the user said. */
  readonly place: string;
  readonly at: string;
  /** How often it held again. */
  readonly used: number;
}

/** One row of the list. */
export interface Row {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly id: string;
}

/** Return the rows of the list, in the order in which they are remembered. */
export function rows(memories: readonly Memory[]): Row[] {
  return memories.map(({ id, kind, text, place, at, used }) => ({
    // What is between dollar signs and brackets would be an icon.
    label: plain(text),
    description: kind,
    detail: [place, at.slice(0, 10), ...(used > 0 ? [`held again ${used} times`] : [])]
      .filter((part) => part !== "")
      .map(plain)
      .join(" \u00b7 "),
    id,
  }));
}

/** Return the question before things are forgotten for good. */
export function forgetQuestion(count: number): string {
  return count === 1
    ? "Forget this? It cannot be brought back."
    : `Forget these ${count} things? They cannot be brought back.`;
}

function plain(text: string): string {
  return text.replace(/\$\(/g, "$ (").replace(/\s+/g, " ").trim();
}
