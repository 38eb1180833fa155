import assert from "node:assert/strict";
import { test } from "node:test";
import { Secrets, masked } from "../src/masking";

const KEY = "sk-one";

/** A log like VS Code's: frozen, with a property, and with methods that need their object. */
class Log {
  readonly logLevel = 2;
  readonly #lines: string[] = [];
  get written(): string {
    return this.#lines.join("\n");
  }
  info(message: string, ...more: unknown[]): number {
    this.#lines.push([message, ...more].map((each) => (each instanceof Error ? each.stack : String(each))).join(" "));
    return this.#lines.length;
  }
}

test("what is secret reaches no log, as text or in an error", () => {
  const secrets = new Secrets();
  const log = masked(Object.freeze(new Log()), secrets);
  secrets.add(KEY);
  secrets.add("");
  assert.equal(log.info(`the key ${KEY} and ${KEY}`, new Error(`refused ${KEY}`), 3), 1);
  assert.doesNotMatch(log.written, /sk-one/);
  assert.match(log.written, /the key \*{8} and \*{8} Error: refused \*{8}/);
  assert.equal(log.logLevel, 2);
});
