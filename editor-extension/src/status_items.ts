// The status bar's item and the language status item.
import * as vscode from "vscode";
import { type Severity, type Situation, statusLine, tooltip } from "./presentation";

/** Shows what the feed tells. */
export class StatusItems implements vscode.Disposable {
  readonly #bar = vscode.window.createStatusBarItem("coai", vscode.StatusBarAlignment.Right, 100);
  readonly #language = vscode.languages.createLanguageStatusItem("coai", [
    { scheme: "file" },
    { scheme: "untitled" },
    { scheme: "vscode-notebook-cell" },
  ]);
  #shown = "";

  constructor() {
    this.#bar.name = "COAI";
    this.#bar.command = "coai.showMenu";
    this.#language.name = "COAI";
    this.#language.command = { title: "Menu", command: "coai.showMenu" };
    this.#bar.show();
  }

  /** Show this. */
  show(situation: Situation): void {
    const { text, sentence, severity } = statusLine(situation);
    const told = tooltip(situation);
    const busy = situation.server === "starting" || situation.status?.phase === "starting";
    const shown = [text, sentence, severity, told, busy].join("\n");
    if (shown === this.#shown) {
      // Setting the same again would close the tooltip under the pointer.
      return;
    }
    this.#shown = shown;
    this.#bar.text = text;
    this.#bar.backgroundColor = BACKGROUNDS[severity];
    this.#bar.accessibilityInformation = { label: spoken(sentence), role: "button" };
    this.#bar.tooltip = new vscode.MarkdownString(told, true);
    this.#language.text = text;
    this.#language.detail = sentence;
    this.#language.severity = SEVERITIES[severity];
    this.#language.busy = busy;
  }

  /** Take both away. */
  dispose(): void {
    this.#bar.dispose();
    this.#language.dispose();
  }
}

/** Whoever hears it has not seen whose item it is. */
function spoken(sentence: string): string {
  return sentence.startsWith("COAI") ? sentence : `COAI: ${sentence}`;
}

const BACKGROUNDS: Record<Severity, vscode.ThemeColor | undefined> = {
  normal: undefined,
  warning: new vscode.ThemeColor("statusBarItem.warningBackground"),
  error: new vscode.ThemeColor("statusBarItem.errorBackground"),
};

const SEVERITIES: Record<Severity, vscode.LanguageStatusSeverity> = {
  normal: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
};
