// Where VS Code begins and ends.
import * as vscode from "vscode";
import { register } from "./commands";
import { ManagedEnvironment } from "./environment";
import { onInterpreterChange } from "./interpreter";
import { Keys } from "./keys";
import { followAnswers } from "./learning";
import { Secrets, masked } from "./masking";
import { offerMcpServer } from "./mcp_servers";
import { ReportDocuments } from "./report_documents";
import { RunsView } from "./runs_view";
import { Server } from "./server";
import { Setup } from "./setup";
import { StatusFeed } from "./status_feed";
import { StatusItems } from "./status_items";

const GIVEN_UP = "COAI's server has ended by itself several times and is left alone.";

let running: Server | undefined;

/** What other extensions and tests may look at. */
export interface Api {
  /** How long `activate` took, in milliseconds. */
  readonly activationMs: number;
}

/** Begin. The server is started when this has returned. */
export function activate(context: vscode.ExtensionContext): Api {
  const begun = performance.now();
  const secrets = new Secrets();
  const log = masked(vscode.window.createOutputChannel("COAI", { log: true }), secrets);
  const managed = new ManagedEnvironment({
    extension: context.extensionPath,
    storage: context.globalStorageUri.fsPath,
    windows: process.platform === "win32",
    variables: process.env,
  });
  const server = new Server(log, managed, settingNames(context));
  const keys = new Keys(context.secrets, server, secrets);
  const setup = new Setup(server, managed, log, context);
  const feed = new StatusFeed(server);
  const items = new StatusItems();
  const reports = new ReportDocuments();
  running = server;

  context.subscriptions.push(
    ...[log, server, keys, feed, items, reports],
    offerMcpServer(server),
    new RunsView({ server, reports, log }),
    ...register({ server, setup, feed, keys, reports, log }),
    followAnswers(server),
    feed.onChange((situation) => {
      items.show(situation);
    }),
    server.onState((state) => {
      if (state.kind === "missing") {
        void setup.offer();
      } else if (state.kind === "crashed" && state.final) {
        void tellGivenUp(server, log);
      }
    }),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("coai.server.path")) {
        void server.restart();
      } else if (change.affectsConfiguration("coai")) {
        feed.refresh();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.trust()),
  );
  items.show(feed.situation);
  void server.start();
  void onInterpreterChange(() => void server.relocate()).then((subscription) => {
    context.subscriptions.push(subscription);
  });
  const activationMs = performance.now() - begun;
  log.info(`Activated in ${activationMs.toFixed(1)} ms.`);
  return { activationMs };
}

/** End: VS Code waits for the server to stop. */
export async function deactivate(): Promise<void> {
  await running?.stop();
}

/** Return the full names of the settings that package.json declares. */
function settingNames(context: vscode.ExtensionContext): string[] {
  const manifest = context.extension.packageJSON as {
    contributes: { configuration: { properties: Record<string, unknown> }[] };
  };
  return manifest.contributes.configuration.flatMap((group) => Object.keys(group.properties));
}

async function tellGivenUp(server: Server, log: vscode.LogOutputChannel): Promise<void> {
  const answer = await vscode.window.showErrorMessage(GIVEN_UP, "Restart", "Show Log");
  if (answer === "Restart") {
    await server.restart();
  } else if (answer === "Show Log") {
    log.show();
  }
}
