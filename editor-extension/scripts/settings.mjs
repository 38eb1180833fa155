// Writes the server's settings into package.json:
//   python -m coai_routing.settings.reference --editor | node scripts/settings.mjs
// With `--check` it only says whether they are there already. The extension's own settings are here.
import { readFileSync, writeFileSync } from "node:fs";

const TITLES = {
  completion: "Completion",
  engine: "Engine",
  endpoints: "Model Servers",
  models: "Models",
  privacy: "Privacy",
  ledger: "Ledger",
  log: "Log",
};

const OWN = {
  title: "Server",
  properties: {
    "coai.server.path": {
      type: "string",
      default: "",
      scope: "machine",
      markdownDescription:
        "The server's program, an absolute path or one that begins with `~/`. Not set, `coai` is " +
        "looked for beside the selected Python interpreter, then on the PATH, then in the " +
        "environment that this extension has made.",
    },
  },
};

const declared = JSON.parse(readFileSync(0, "utf8"));
const groups = new Map();
for (const [name, schema] of Object.entries(declared)) {
  const section = name.split(".")[1];
  const title = TITLES[section] ?? section;
  if (!groups.has(title)) {
    groups.set(title, { title, properties: {} });
  }
  groups.get(title).properties[name] = schema;
}

const file = new URL("../package.json", import.meta.url);
const before = readFileSync(file, "utf8");
const manifest = JSON.parse(before);
manifest.contributes.configuration = [...groups.values(), OWN];
manifest.capabilities.untrustedWorkspaces.restrictedConfigurations = [
  ...Object.keys(declared),
  ...Object.keys(OWN.properties),
];
const after = `${JSON.stringify(manifest, null, 2)}\n`;
if (!process.argv.includes("--check")) {
  writeFileSync(file, after);
} else if (after !== before) {
  process.stderr.write("package.json does not have the server's settings: see CONTRIBUTING.md.\n");
  process.exitCode = 1;
}
