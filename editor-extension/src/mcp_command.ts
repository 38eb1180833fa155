// How COAI is started as a server of the Model Context Protocol.

/** What an editor has to know to start it. */
export interface McpCommand {
  readonly label: string;
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * Return how to start it for some folders; nothing without a program, without a folder, or in a
 * workspace that is not trusted.
 */
export function mcpCommand(
  command: string | undefined,
  folders: readonly string[],
  trusted: boolean,
): McpCommand | undefined {
  if (command === undefined || folders.length === 0 || !trusted) {
    return undefined;
  }
  const roots = folders.flatMap((folder) => ["--root", folder]);
  return { label: "COAI", command, args: ["mcp", ...roots] };
}
