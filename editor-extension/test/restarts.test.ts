import assert from "node:assert/strict";
import { test } from "node:test";
import { CrashHistory, MOST_CRASHES, WINDOW_MS } from "../src/restarts";

test("each restart waits twice as long, and the fifth end is left to the user", () => {
  const history = new CrashHistory();
  const delays = [1, 2, 3, 4, 5].map((time) => {
    const verdict = history.ended(time);
    return verdict.restart ? verdict.delayMs : null;
  });
  assert.deepEqual(delays, [500, 1000, 2000, 4000, null]);
});

test("ends long ago do not count", () => {
  const history = new CrashHistory();
  for (let end = 1; end < MOST_CRASHES; end += 1) {
    history.ended(end);
  }
  assert.deepEqual(history.ended(WINDOW_MS + MOST_CRASHES), {
    restart: true,
    delayMs: 500,
    crashes: 1,
  });
});

test("a start by the user forgets the past", () => {
  const history = new CrashHistory();
  for (let end = 1; end <= MOST_CRASHES; end += 1) {
    history.ended(end);
  }
  history.forget();
  assert.equal(history.ended(10).restart, true);
});
