import assert from "node:assert/strict";
import { test } from "node:test";
import { mcpCommand } from "../src/mcp_command";

test("each folder is a root", () => {
  assert.deepEqual(mcpCommand("/bin/coai", ["/one", "/two"], true), {
    label: "COAI",
    command: "/bin/coai",
    args: ["mcp", "--root", "/one", "--root", "/two"],
  });
});

const nothing: [string, string | undefined, string[], boolean][] = [
  ["without a program", undefined, ["/one"], true],
  ["without a folder", "/bin/coai", [], true],
  ["where the workspace is not trusted", "/bin/coai", ["/one"], false],
];

for (const [what, command, folders, trusted] of nothing) {
  test(`nothing is offered ${what}`, () => {
    assert.equal(mcpCommand(command, folders, trusted), undefined);
  });
}
