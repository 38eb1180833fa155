// The server's log lines, at the level that the server gave them.

/** The levels of VS Code's log. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** A line for the log. */
export interface LogLine {
  readonly level: Level;
  readonly text: string;
}

const LEVELS: Readonly<Record<string, Level>> = {
  DEBUG: "debug",
  INFO: "info",
  WARNING: "warn",
  ERROR: "error",
  CRITICAL: "error",
};

/** As the server writes it: date, time, level, and the rest. */
const LINE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$/;

/**
 * Return a line of the server's standard error stream for the log, without the time, which the log
 * has itself. What is not a log line, such as a traceback, goes on at the level of what it follows.
 */
export function logLine(line: string, previous: Level): LogLine {
  const [, name, text] = LINE.exec(line) ?? [];
  if (name === undefined || text === undefined) {
    return { level: previous, text: line };
  }
  return { level: LEVELS[name] ?? "info", text };
}
