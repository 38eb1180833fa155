// COAI's tools for VS Code's own agents, where VS Code has those (from 1.101 on).
import * as vscode from "vscode";
import { mcpCommand } from "./mcp_command";
import type { Server } from "./server";

/** The identifier that package.json declares. */
const PROVIDER = "coai";

/** What VS Code has from 1.101 on; the types of the oldest version that is supported lack it. */
interface WithMcp {
  readonly lm?: {
    registerMcpServerDefinitionProvider?(
      id: string,
      provider: {
        readonly onDidChangeMcpServerDefinitions: vscode.Event<void>;
        provideMcpServerDefinitions(): Promise<readonly object[]>;
      },
    ): vscode.Disposable;
  };
  readonly McpStdioServerDefinition?: new (
    label: string,
    command: string,
    args: readonly string[],
  ) => object;
}

/** Offer COAI as a server of the Model Context Protocol; it is started when an agent wants it. */
export function offerMcpServer(server: Server): vscode.Disposable {
  const { lm, McpStdioServerDefinition: Definition } = vscode as WithMcp;
  if (lm?.registerMcpServerDefinitionProvider === undefined || Definition === undefined) {
    return vscode.Disposable.from();
  }
  const changed = new vscode.EventEmitter<void>();
  const tell = (): void => {
    changed.fire();
  };
  return vscode.Disposable.from(
    changed,
    vscode.workspace.onDidChangeWorkspaceFolders(tell),
    vscode.workspace.onDidGrantWorkspaceTrust(tell),
    server.onState((state) => {
      if (state.kind === "running") {
        tell();
      }
    }),
    lm.registerMcpServerDefinitionProvider(PROVIDER, {
      onDidChangeMcpServerDefinitions: changed.event,
      async provideMcpServerDefinitions() {
        const location = await server.locate();
        const folders = vscode.workspace.workspaceFolders ?? [];
        const paths = folders.filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
        const found = mcpCommand(
          location.found ? location.command : undefined,
          paths,
          vscode.workspace.isTrusted,
        );
        return found === undefined
          ? []
          : [new Definition(found.label, found.command, found.args)];
      },
    }),
  );
}
