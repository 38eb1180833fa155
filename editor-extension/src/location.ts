// Where the server is: the user's setting, the selected Python, the PATH, or an environment of ours.
import * as path from "node:path";

/** How a server was found. */
export type Origin = "setting" | "python" | "path" | "managed";

/** What is known before anything is looked for. */
export interface Places {
  /** The user's setting `coai.server.path`; empty if it is not set. */
  readonly setting: string;
  /** The Python interpreter that the user has selected, if there is one to be trusted. */
  readonly interpreter: string | undefined;
  /** The environment's PATH. */
  readonly searchPath: string | undefined;
  /** The program in the environment that this extension has made, if it has. */
  readonly managed: string | undefined;
  readonly home: string;
  readonly windows: boolean;
}

/** A server, or why there is none. */
export type Location =
  | { readonly found: true; readonly command: string; readonly origin: Origin }
  | { readonly found: false; readonly why: string };

/** Look for the server in this order; `exists` says whether a path is a program. */
export async function locate(
  places: Places,
  exists: (candidate: string) => Promise<boolean>,
): Promise<Location> {
  const flavour = places.windows ? path.win32 : path.posix;
  if (places.setting !== "") {
    const command = withHome(places.setting, places.home, flavour);
    // Another server than the one that the user named would be a surprise.
    if (!flavour.isAbsolute(command) || !(await exists(command))) {
      const why = `The setting coai.server.path names ${command}, which is not a program.`;
      return { found: false, why };
    }
    return { found: true, command, origin: "setting" };
  }
  for (const [origin, command] of candidates(places, flavour)) {
    if (await exists(command)) {
      return { found: true, command, origin };
    }
  }
  return { found: false, why: "The program coai is neither on the PATH nor beside your Python." };
}

function* candidates(
  places: Places,
  flavour: path.PlatformPath,
): Generator<readonly [Origin, string]> {
  const name = places.windows ? "coai.exe" : "coai";
  if (places.interpreter !== undefined && flavour.isAbsolute(places.interpreter)) {
    const folder = flavour.dirname(places.interpreter);
    yield ["python", flavour.join(folder, name)];
    if (places.windows) {
      yield ["python", flavour.join(folder, "Scripts", name)];
    }
  }
  for (const folder of (places.searchPath ?? "").split(places.windows ? ";" : ":")) {
    // A relative folder is one of the workspace's: what lies there is not to be run.
    if (flavour.isAbsolute(folder)) {
      yield ["path", flavour.join(folder, name)];
    }
  }
  if (places.managed !== undefined) {
    yield ["managed", places.managed];
  }
}

function withHome(setting: string, home: string, flavour: path.PlatformPath): string {
  return /^~[\\/]/.test(setting) ? flavour.join(home, setting.slice(2)) : setting;
}
