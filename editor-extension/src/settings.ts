// Which settings the server is told: only those that the user has set.
//
// VS Code answers for every declared setting with its default. Sent on, these would count as the
// user's own and hide what a project's file or the user's file says.

/** What VS Code knows of a setting's values. */
export interface Inspection {
  readonly globalValue?: unknown;
}

/** Settings as the server takes them: nested, without the section's name. */
export type Settings = Record<string, unknown>;

/** The section that all settings are in. */
export const SECTION = "coai";

/** Settings of the extension's own; the server does not know them. */
const OWN = ["coai.server.", "coai.trace."];

/**
 * Return what the user has set, of the settings with these full names.
 *
 * Values of a workspace are not looked at: every setting has the scope `machine`, so VS Code ignores
 * them, and what comes with the code must not decide where the code goes.
 */
export function userSettings(
  names: Iterable<string>,
  inspect: (name: string) => Inspection | undefined,
): Settings {
  const settings: Settings = {};
  for (const name of names) {
    const value = inspect(name)?.globalValue;
    if (value === undefined || OWN.some((prefix) => name.startsWith(prefix))) {
      continue;
    }
    const [, ...path] = name.split(".");
    const last = path.pop();
    if (last !== undefined) {
      within(settings, path)[last] = value;
    }
  }
  return settings;
}

function within(settings: Settings, path: readonly string[]): Settings {
  let inner = settings;
  for (const part of path) {
    inner = (inner[part] ??= {}) as Settings;
  }
  return inner;
}
