// Keeps keys out of the log: the language client writes whole messages there at its finest level.

const MASK = "********";

/** Texts that no log may hold. */
export class Secrets {
  readonly #known = new Set<string>();

  /** Have this text masked from now on, for as long as the extension runs. */
  add(secret: string): void {
    if (secret !== "") {
      this.#known.add(secret);
    }
  }

  /** Return text without any of them. */
  hide(text: string): string {
    let hidden = text;
    for (const secret of this.#known) {
      hidden = hidden.replaceAll(secret, MASK);
    }
    return hidden;
  }
}

/** Return a log to which nothing secret is written; whatever else it does is as it was. */
export function masked<T extends object>(log: T, secrets: Secrets): T {
  // Not a proxy of the log itself: a frozen object's proxy may not answer with other functions.
  return new Proxy({} as T, {
    get: (_, name) => {
      const member: unknown = Reflect.get(log, name, log);
      if (typeof member !== "function") {
        return member;
      }
      return (...given: unknown[]): unknown =>
        Reflect.apply(member, log, given.map((each) => hide(each, secrets)));
    },
  });
}

function hide(given: unknown, secrets: Secrets): unknown {
  if (typeof given === "string") {
    return secrets.hide(given);
  }
  if (given instanceof Error) {
    const hidden = new Error(secrets.hide(given.message));
    hidden.stack = secrets.hide(given.stack ?? "");
    return hidden;
  }
  return given;
}
