// What the user can have this extension do, by the names in package.json.
import * as vscode from "vscode";
import { askAboutCode, documentFunction, explainCode, reviewFile, reviewFunction } from "./answers";
import { CLOUD } from "./cloud";
import type { Keys } from "./keys";
import { hideHotSpots, rate, showHotSpots, showMemory } from "./learning";
import { auditSentence, lastOutcome, menu, modelChoice } from "./presentation";
import {
  type AuditAnswer,
  type CompletionEvent,
  type Departure,
  type LocalModel,
  type Offer,
  type PullAnswer,
  SERVER_COMMANDS,
  type SettingInForce,
  type Usage,
  type Vendor,
} from "./protocol";
import type { ReportDocuments } from "./report_documents";
import { privacyReport, statusReport, usageReport, whyReport } from "./reports";
import type { Server } from "./server";
import { SECTION } from "./settings";
import type { Setup } from "./setup";
import type { StatusFeed } from "./status_feed";
import { fileName, megabytes, minutes } from "./wording";

const STATUS_REPORT = "COAI Status";
const PRIVACY_REPORT = "COAI Privacy";
const USAGE_REPORT = "COAI Usage";
const WHY_REPORT = "COAI Why";
const MENU_MS = 500;
const FIX_ALL = "source.fixAll.coai";

/** The whole of the extension, for its commands. */
export interface Parts {
  readonly server: Server;
  readonly setup: Setup;
  readonly feed: StatusFeed;
  readonly keys: Keys;
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
  "coai.explainCode": explainCode,
  "coai.documentFunction": documentFunction,
  "coai.askAboutCode": askAboutCode,
  "coai.reviewFunction": reviewFunction,
  "coai.reviewFile": reviewFile,
  "coai.rateHelpful": (parts) => rate(parts, true),
  "coai.rateUnhelpful": (parts) => rate(parts, false),
  "coai.showHotSpots": showHotSpots,
  "coai.hideHotSpots": hideHotSpots,
  "coai.showMemory": showMemory,
  "coai.refactor": () => vscode.commands.executeCommand("editor.action.refactor"),
  "coai.audit": audit,
  "coai.clearFindings": ({ server }) => server.execute(SERVER_COMMANDS.clearAudit),
  "coai.fixAll": () =>
    vscode.commands.executeCommand("editor.action.sourceAction", { kind: FIX_ALL, apply: "first" }),
  "coai.signInToCloud": signIn,
  "coai.signOutOfCloud": signOut,
  "coai.chooseModel": chooseModel,
  "coai.downloadModel": downloadModel,
  "coai.showStatus": ({ reports }) => reports.show(STATUS_REPORT),
  "coai.showPrivacy": ({ reports }) => reports.show(PRIVACY_REPORT),
  "coai.showUsage": ({ reports }) => reports.show(USAGE_REPORT),
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
      await server.execute<Departure[]>(SERVER_COMMANDS.departures),
    ),
  );
  reports.add(USAGE_REPORT, async () =>
    usageReport(await server.execute<Usage>(SERVER_COMMANDS.usage)),
  );
}

/** Where VS Code runs on another machine, that machine's settings count. */
async function openSettings(): Promise<void> {
  const where = vscode.env.remoteName === undefined ? "openSettings" : "openRemoteSettings";
  await vscode.commands.executeCommand(`workbench.action.${where}`, { query: "@ext:coai.coai" });
}

async function showMenu({ feed }: Parts): Promise<void> {
  // A server that hangs must not keep the menu away: the way to restart it is in there.
  await Promise.race([feed.ask(), new Promise((resolve) => setTimeout(resolve, MENU_MS))]);
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
      : `${last.uri === uri ? "Line" : `${fileName(last.uri)}, line`} ${last.line + 1}: ${lastOutcome(last)}`;
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
    server.execute<LocalModel[]>(SERVER_COMMANDS.models),
    feed.ask(),
  ]);
  const others = [...(status?.candidates ?? []), ...(status?.rejected ?? [])].filter(
    (offer) => offer.name !== "embedded" && offer.phase === "ready",
  );
  const separator = (label: string): vscode.QuickPickItem => ({
    label,
    kind: vscode.QuickPickItemKind.Separator,
  });
  const here = others.filter(({ local }) => local);
  const elsewhere = others.filter(({ local }) => !local);
  const servers = (title: string, icon: string, offers: readonly Offer[]) =>
    offers.length === 0
      ? []
      : [
          separator(title),
          ...offers.map((offer) => ({
            label: `${icon} ${offer.model}`,
            description: offer.name,
            detail: offer.why,
            take: async (): Promise<void> => {
              await set("completion.backend", offer.name);
              // Which cloud model is asked is decided by what it costs and how it is doing.
              await set("completion.model", offer.name === CLOUD ? undefined : offer.model);
            },
          })),
        ];
  const chosen = await vscode.window.showQuickPick(
    [
      separator("COAI's own engine"),
      ...models.map((model) => ({
        ...modelChoice(model),
        take: () => takeModel(server, model),
      })),
      ...servers("Model servers on this machine", "$(server)", here),
      ...servers("Elsewhere: code leaves this machine", "$(cloud)", elsewhere),
    ],
    { title: "COAI", placeHolder: "Which model should complete?", matchOnDescription: true },
  );
  if (chosen !== undefined && "take" in chosen) {
    await chosen.take();
  }
}

async function takeModel(server: Server, model: LocalModel): Promise<void> {
  if (!model.present) {
    const yes = `Download ${megabytes(model.sizeBytes)}`;
    const question = `${model.name} (${model.license ?? ""}) is not on this machine yet.`;
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

async function audit({ server }: Parts): Promise<void> {
  // The server shows the progress and the way to stop, and tells its findings as diagnostics.
  const answer = await server.execute<AuditAnswer>(SERVER_COMMANDS.auditWorkspace);
  if (answer.findings > 0) {
    await vscode.commands.executeCommand("workbench.actions.view.problems");
  }
  void vscode.window.showInformationMessage(`COAI: ${auditSentence(answer)}`);
}

async function chooseVendor(
  vendors: readonly Vendor[],
  placeHolder: string,
): Promise<Vendor | undefined> {
  const rows = vendors.map((vendor) => ({
    label: vendorTitle(vendor),
    description: vendor.source === "" ? "no key" : `its key is in the ${vendor.source}`,
    vendor,
  }));
  return (await vscode.window.showQuickPick(rows, { title: "COAI", placeHolder }))?.vendor;
}

async function signIn({ keys, feed }: Parts): Promise<void> {
  const vendor = await chooseVendor(await keys.vendors(), "Whose cloud models may be asked?");
  if (vendor === undefined) {
    return;
  }
  const key = await vscode.window.showInputBox({
    title: `COAI: key for ${vendorTitle(vendor)}`,
    prompt: "It is kept in your system's key store, and in no file of settings.",
    password: true,
    ignoreFocusOut: true,
  });
  if (key === undefined || key.trim() === "") {
    return;
  }
  await keys.keep(vendor.name, key);
  await feed.ask();
  const settings = "Open Settings";
  const said = vendor.allowed
    ? `${vendorTitle(vendor)} may be asked now.`
    : `The key for ${vendorTitle(vendor)} is kept. Nothing is sent there as long as ` +
      "coai.routing.allowCloud is off.";
  const buttons = vendor.allowed ? [] : [settings];
  if ((await vscode.window.showInformationMessage(said, ...buttons)) === settings) {
    await openSettings();
  }
}

async function signOut({ keys, feed }: Parts): Promise<void> {
  const all = await keys.vendors();
  const kept = await Promise.all(all.map(({ name }) => keys.has(name)));
  const vendors = all.filter((_, index) => kept[index]);
  if (vendors.length === 0) {
    void vscode.window.showInformationMessage("No key is kept here.");
    return;
  }
  const vendor = await chooseVendor(vendors, "Whose key is to be forgotten?");
  if (vendor !== undefined) {
    await keys.forget(vendor.name);
    await feed.ask();
    void vscode.window.showInformationMessage(`The key for ${vendorTitle(vendor)} is forgotten.`);
  }
}

function vendorTitle({ name }: Vendor): string {
  return TITLES[name] ?? name;
}

const TITLES: Readonly<Record<string, string>> = { anthropic: "Anthropic", openai: "OpenAI" };
