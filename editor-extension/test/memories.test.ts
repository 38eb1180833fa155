import assert from "node:assert/strict";
import { test } from "node:test";
import { type Memory, forgetQuestion, rows } from "../src/memories";

const solution: Memory = {
  id: "e3",
  kind: "solution",
  text: "NameError: name 'json' is not defined",
  place: "src/a.py",
  at: "2026-11-30T10:00:00+00:00",
  used: 2,
};

for (const [memory, label, detail] of [
  [solution, "NameError: name 'json' is not defined", "src/a.py \u00b7 2026-11-30 \u00b7 held again 2 times"],
  [{ ...solution, place: "", used: 0 }, solution.text, "2026-11-30"],
  [{ ...solution, text: "a $(trash)\n b", used: 0 }, "a $ (trash) b", "src/a.py \u00b7 2026-11-30"],
] as const) {
  test(`a row says ${label} (${detail})`, () => {
    assert.deepEqual(rows([memory]), [{ label, description: "solution", detail, id: "e3" }]);
  });
}

test("forgetting is asked about by number", () => {
  assert.match(forgetQuestion(1), /^Forget this\?/);
  assert.match(forgetQuestion(3), /^Forget these 3 things\?/);
});
