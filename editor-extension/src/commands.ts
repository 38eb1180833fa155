// What the user can have this extension do, by the names in package.json.
import * as vscode from "vscode";
import { lastOutcome, menu, modelChoice } from "./presentation";
import {
  type CatalogueModel,
  type CompletionEvent,
  type PullAnswer,
  SERVER_COMMANDS,
  type SettingInForce,
} from "./protocol";
import type { ReportDocuments } from "./report_documents";
import { privacyReport, statusReport, whyReport } from "./reports";
import type { Server } from "./server";
import { SECTION } from "./settings";
import type { Setup } from "./setup";
import type { StatusFeed } from "./status_feed";
import { megabytes, minutes } from "./wording";

const STATUS_REPORT = "COAI Status";
const PRIVACY_REPORT = "COAI Privacy";
const WHY_REPORT = "COAI Why";

/** The whole of the extension, for its commands. */
export interface Parts {
  readonly server: Server;
  readonly setup: Setup;
  readonly feed: StatusFeed;
  readonly reports: ReportDocuments;
  readonly log: vscode.LogOutputChannel;
}

type Action = (parts: Parts) => Thenable<unknown>;

/** Every command of package.json and what it does. */
export const ACTIONS: Readonly<Record<string, Action>> = {
  "coai.showMenu": showMenu,
  "coai.whyNoSuggestion": whyNoSuggestion,
  "coai.toggleCompletions": toggleCompletions,
  "coai.toggleLanguage": toggleLanguage,
  "coai.snoozeCompletions": snooze,
  "coai.wakeCompletions": (parts) => snoozeFor(parts, 0),
  "coai.chooseModel": chooseModel,
  "coai.downloadModel": downloadModel,
  "coai.showStatus": ({ reports }) => reports.show(STATUS_REPORT),
  "coai.showPrivacy": ({ reports }) => reports.show(PRIVACY_REPORT),
  "coai.showRequests": ({ reports }) => reports.show(WHY_REPORT),
  "coai.showLog": ({ log }) => {
    log.show();
    return Promise.resolve();
  },
  "coai.restart": ({ server }) => server.restart(),
  "coai.setUpServer": ({ setup }) => setup.make(),
  "coai.removeServer": ({ setup }) => setup.remove(),
  "coai.openSettings": openSettings,
};

/** Register the commands and the reports that they show. */
export function register(parts: Parts): vscode.Disposable[] {
  addReports(parts);
  return Object.entries(ACTIONS).map(([name, action]) =>
    vscode.commands.registerCommand(name, () => guarded(action, parts)),
  );
}

async function guarded(action: Action, parts: Parts): Promise<void> {
  try {
    await action(parts);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    parts.log.error(why);
    void vscode.window.showErrorMessage(`COAI: ${why}`);
  }
}

function addReports({ server, feed, reports }: Parts): void {
  const status = async (): Promise<NonNullable<Awaited<ReturnType<StatusFeed["ask"]>>>> => {
    const answered = await feed.ask();
    if (answered === undefined) {
      throw new Error("COAI's server does not run, so there is nothing to report.");
    }
    return answered;
  };
  reports.add(STATUS_REPORT, async () => statusReport(await status(), server.name));
  reports.add(WHY_REPORT, async () =>
    whyReport(await server.execute<CompletionEvent[]>(SERVER_COMMANDS.why)),
  );
  reports.add(PRIVACY_REPORT, async () =>
    privacyReport(
      await status(),
      await server.execute<SettingInForce[]>(SERVER_COMMANDS.settings),
    ),
  );
}

/** Where VS Code runs on another machine, that machine's settings count. */
async function openSettings(): Promise<void> {
  const where = vscode.env.remoteName === undefined ? "openSettings" : "openRemoteSettings";
  await vscode.commands.executeCommand(`workbench.action.${where}`, { query: "@ext:coai.coai" });
}

async function showMenu({ feed }: Parts): Promise<void> {
  await feed.ask();
  const chosen = await vscode.window.showQuickPick(menu(feed.situation), {
    title: "COAI",
    placeHolder: "What should COAI do?",
  });
  if (chosen !== undefined) {
    // A click on the status bar has taken the focus; whoever has chosen wants to type on.
    await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
    await vscode.commands.executeCommand(chosen.command);
  }
}

async function whyNoSuggestion({ server }: Parts): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri.toString();
  const events = await server.execute<CompletionEvent[]>(SERVER_COMMANDS.why);
  const last = events.find((event) => event.uri === uri) ?? events[0];
  const said =
    last === undefined
      ? "Nothing was asked yet: type, or press Alt+\\ in an editor."
      : `Line ${last.line + 1}: ${lastOutcome(last)}`;
  const chosen = await vscode.window.showInformationMessage(said, "Show All", "Show Log");
  if (chosen !== undefined) {
    const next = chosen === "Show All" ? "coai.showRequests" : "coai.showLog";
    await vscode.commands.executeCommand(next);
  }
}

/** Set one of the user's own settings. */
async function set(name: string, value: unknown): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  await settings.update(name, value, vscode.ConfigurationTarget.Global);
}

async function toggleCompletions({ feed }: Parts): Promise<void> {
  const own = vscode.workspace.getConfiguration(SECTION).inspect<boolean>("completion.enabled");
  // Where the user has said nothing, what is in force comes from a file, and the server knows it.
  const enabled = own?.globalValue ?? (await feed.ask())?.completion.enabled ?? true;
  await set("completion.enabled", !enabled);
}

async function toggleLanguage({ feed }: Parts): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (language === undefined) {
    throw new Error("Open a file of the language first.");
  }
  const settings = vscode.workspace.getConfiguration(SECTION);
  const switches = settings.get<Record<string, boolean>>("completion.languages", {});
  const enabled = switches[language] ?? (await feed.ask())?.completion.languageEnabled ?? true;
  await set("completion.languages", { ...switches, [language]: !enabled });
}

async function snooze(parts: Parts): Promise<void> {
  const spans = [5, 15, 30, 60, 240].map((count) => ({ label: minutes(count * 60), count }));
  const chosen = await vscode.window.showQuickPick(spans, {
    title: "COAI",
    placeHolder: "How long should completions stay away?",
  });
  if (chosen !== undefined) {
    await snoozeFor(parts, chosen.count);
  }
}

async function snoozeFor({ server, feed }: Parts, count: number): Promise<void> {
  await server.execute(SERVER_COMMANDS.snooze, count);
  await feed.ask();
}

async function chooseModel({ server, feed }: Parts): Promise<void> {
  const [models, status] = await Promise.all([
    server.execute<CatalogueModel[]>(SERVER_COMMANDS.models),
    feed.ask(),
  ]);
  const others = [...(status?.candidates ?? []), ...(status?.rejected ?? [])].filter(
    (offer) => offer.name !== "embedded" && offer.phase === "ready",
  );
  const separator = (label: string): vscode.QuickPickItem => ({
    label,
    kind: vscode.QuickPickItemKind.Separator,
  });
  const chosen = await vscode.window.showQuickPick(
    [
      separator("COAI's own engine"),
      ...models.map((model) => ({
        ...modelChoice(model),
        take: () => takeModel(server, model),
      })),
      ...(others.length === 0 ? [] : [separator("Model servers on this machine")]),
      ...others.map((offer) => ({
        label: `$(server) ${offer.model}`,
        description: offer.name,
        detail: offer.why,
        take: async () => {
          await set("completion.backend", offer.name);
          await set("completion.model", offer.model);
        },
      })),
    ],
    { title: "COAI", placeHolder: "Which model should complete?", matchOnDescription: true },
  );
  if (chosen !== undefined && "take" in chosen) {
    await chosen.take();
  }
}

async function takeModel(server: Server, model: CatalogueModel): Promise<void> {
  if (!model.present) {
    const yes = `Download ${megabytes(model.sizeBytes)}`;
    const question = `${model.name} (${model.license}) is not on this machine yet.`;
    const answer = await vscode.window.showInformationMessage(question, { modal: true }, yes);
    if (answer !== yes) {
      return;
    }
    // The server shows the progress and the way to stop; if it was stopped, nothing changes.
    const ended = await server.execute<PullAnswer>(SERVER_COMMANDS.pullModel, model.name);
    if (!ended.pulled) {
      return;
    }
  }
  await set("engine.model", model.name);
  await set("completion.model", undefined);
  const backend = vscode.workspace.getConfiguration(SECTION).get<string>("completion.backend");
  if (backend !== undefined && backend !== "auto") {
    await set("completion.backend", "embedded");
  }
}

async function downloadModel({ server, feed }: Parts): Promise<void> {
  const missing = (await feed.ask())?.missingModel;
  if (missing === null || missing === undefined) {
    void vscode.window.showInformationMessage("The model is on this machine already.");
    return;
  }
  await server.execute(SERVER_COMMANDS.pullModel, missing);
  await feed.ask();
}
