// Bundles the extension, or with `--tests` its tests, which node's own runner then runs.
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const tests = process.argv.includes("--tests");
const outdir = tests ? "dist-test" : "dist";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: tests
    ? readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`)
    : ["src/extension.ts"],
  outdir,
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: !tests,
  sourcemap: tests ? "inline" : false,
  legalComments: "none",
  logLevel: "warning",
});
