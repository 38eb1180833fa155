// When a server that has ended by itself is started again.

/** After how many ends in `WINDOW_MS` the user decides. */
export const MOST_CRASHES = 5;

/** Ends further back than this do not count any more. */
export const WINDOW_MS = 5 * 60_000;

const FIRST_DELAY_MS = 500;

/** What to do now: wait and start it, or leave it to the user. */
export type Verdict =
  | { readonly restart: true; readonly delayMs: number; readonly crashes: number }
  | { readonly restart: false; readonly crashes: number };

/** Counts the times at which the server has ended by itself. */
export class CrashHistory {
  #ends: number[] = [];

  /** Note an end at a time of a clock, in milliseconds, and say what follows. */
  ended(now: number): Verdict {
    this.#ends = [...this.#ends.filter((end) => now - end < WINDOW_MS), now];
    const crashes = this.#ends.length;
    if (crashes >= MOST_CRASHES) {
      return { restart: false, crashes };
    }
    return { restart: true, delayMs: FIRST_DELAY_MS * 2 ** (crashes - 1), crashes };
  }

  /** Forget the past, as when the user starts the server himself. */
  forget(): void {
    this.#ends = [];
  }
}
