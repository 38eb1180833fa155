import assert from "node:assert/strict";
import { test } from "node:test";
import { logLine } from "../src/log_lines";

test("a line of the server's log keeps its level and loses its time", () => {
  assert.deepEqual(logLine("2026-11-21 06:59:51,509 INFO coai.completer: No suggestion", "error"), {
    level: "info",
    text: "coai.completer: No suggestion",
  });
  assert.equal(logLine("2026-11-21 06:59:51,509 CRITICAL x", "info").level, "error");
  assert.equal(logLine("2026-11-21 06:59:51,509 WARNING x", "info").level, "warn");
});

test("a traceback goes on at the level of the line before it", () => {
  assert.deepEqual(logLine("Traceback (most recent call last):", "error"), {
    level: "error",
    text: "Traceback (most recent call last):",
  });
});
