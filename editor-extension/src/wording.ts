// How figures and names are said.
import * as path from "node:path";

/** Return a number of bytes as people say it. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString("en-US")} MB`;
}

/** Return an amount of money as people say it; small ones with the digits that tell. */
export function dollars(amount: number): string {
  return `$${amount.toFixed(amount !== 0 && amount < 0.1 ? 4 : 2)}`;
}

/** Return a count with its noun. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

/** Return a duration as people say it. */
export function milliseconds(duration: number): string {
  return duration < 1000 ? `${Math.round(duration)} ms` : `${(duration / 1000).toFixed(1)} s`;
}

/** Return a span of seconds in whole minutes. */
export function minutes(seconds: number): string {
  const count = Math.max(1, Math.ceil(seconds / 60));
  return count === 1 ? "1 minute" : `${count} minutes`;
}

/** Return a model's name without the folder and the ending of a file. */
export function modelName(model: string): string {
  return path.posix.basename(model.replaceAll("\\", "/")).replace(/\.gguf$/i, "");
}

/** Return the name of the file that an address names. */
export function fileName(uri: string): string {
  const name = uri.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(name);
  } catch {
    // It is not encoded as it should be, so it is shown as it is.
    return name;
  }
}

/** What nobody sees, or what changes the order of what is seen; the server has the same. */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u034f\u115f\u1160\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0e\u{e0100}-\u{e01ef}]/gu;

/** Return text in one line in which every character is seen. */
function seen(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(UNSEEN, (unseen) => `⟨U+${(unseen.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** Return text as Markdown that shows it as it is; no address in it becomes a link. */
export function plain(text: string): string {
  return seen(text).replace(/[\\`*_{}[\]()#+\-.!|<>~&$@]|:(?=\/\/)/g, "\\$&");
}

/** Return text as an inline code span, whatever backticks it has; a table's bars are kept out. */
export function code(text: string): string {
  const inside = seen(text).replaceAll("|", "\\|");
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const padding = text.startsWith("`") || text.endsWith("`") || text === "" ? " " : "";
  return `${fence}${padding}${inside}${padding}${fence}`;
}
