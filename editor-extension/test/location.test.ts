import assert from "node:assert/strict";
import { test } from "node:test";
import { type Location, type Places, locate } from "../src/location";

const nowhere: Places = {
  setting: "",
  interpreter: undefined,
  searchPath: undefined,
  managed: undefined,
  home: "/home/me",
  windows: false,
};

const everywhere: Places = {
  ...nowhere,
  interpreter: "/venv/bin/python",
  searchPath: "/usr/bin:/opt/bin",
  managed: "/storage/bin/coai",
};

const onWindows: Places = {
  ...nowhere,
  windows: true,
  home: "C:\\Users\\me",
  interpreter: "C:\\Python\\python.exe",
  searchPath: "C:\\Windows;tools",
};

const cases: [string, Places, string[], string, string][] = [
  ["the setting goes before all", { ...everywhere, setting: "/mine/coai" },
    ["/mine/coai", "/venv/bin/coai"], "setting", "/mine/coai"],
  ["a tilde is the home directory", { ...everywhere, setting: "~/bin/coai" },
    ["/home/me/bin/coai"], "setting", "/home/me/bin/coai"],
  ["then the selected interpreter's", everywhere,
    ["/venv/bin/coai", "/opt/bin/coai"], "python", "/venv/bin/coai"],
  ["then the PATH in its order", everywhere,
    ["/opt/bin/coai", "/storage/bin/coai"], "path", "/opt/bin/coai"],
  ["then the managed environment", everywhere, ["/storage/bin/coai"], "managed", "/storage/bin/coai"],
  ["on Windows, programs of a Python are in Scripts", onWindows,
    ["C:\\Python\\Scripts\\coai.exe"], "python", "C:\\Python\\Scripts\\coai.exe"],
  ["on Windows the PATH has semicolons", onWindows,
    ["C:\\Windows\\coai.exe"], "path", "C:\\Windows\\coai.exe"],
];

for (const [behaviour, places, there, origin, command] of cases) {
  test(behaviour, async () => {
    assert.deepEqual(await find(places, there), { found: true, origin, command });
  });
}

const failures: [string, Places, string[], RegExp][] = [
  ["a setting that names no program is an error, not a reason to take another",
    { ...everywhere, setting: "/mine/coai" }, ["/venv/bin/coai"], /coai\.server\.path.*\/mine\/coai/],
  ["a relative setting is refused, because it would be one of the workspace's",
    { ...nowhere, setting: "bin/coai" }, ["bin/coai"], /bin\/coai/],
  ["a relative folder on the PATH is not looked into",
    { ...nowhere, searchPath: ".:bin" }, ["coai", "bin/coai", "./coai"], /PATH/],
  ["nothing anywhere", nowhere, [], /neither on the PATH/],
];

for (const [behaviour, places, there, why] of failures) {
  test(behaviour, async () => {
    const location = await find(places, there);
    assert.match(location.found ? `found ${location.command}` : location.why, why);
  });
}

function find(places: Places, there: string[]): Promise<Location> {
  return locate(places, (candidate) => Promise.resolve(there.includes(candidate)));
}
