// The Runs view: a tree of runs and their steps, live while it is seen.
import * as vscode from "vscode";
import { RUN_COMMANDS } from "./protocol";
import type { ReportDocuments } from "./report_documents";
import {
  type Applied,
  type Ensemble,
  type Row,
  type Run,
  type RunDetails,
  appliedSentence,
  can,
  editsRow,
  inputOf,
  runRow,
  stepRow,
  usageRow,
} from "./runs";
import type { Server } from "./server";

const VIEW = "coai.runsView";
const REPORT = "COAI Run";
const OUTPUT = "COAI Tests";
const TITLE = "COAI";

/** A row, the run that it is of, and the step that it is about. */
interface Node {
  readonly run: Run;
  readonly row: Row;
  readonly step?: string;
}

/** What the view needs of the extension. */
interface Parts {
  readonly server: Server;
  readonly reports: ReportDocuments;
  readonly log: vscode.LogOutputChannel;
}

type Action = (view: RunsView, node: Node | undefined) => Promise<unknown>;

/** What the user can do with runs, by the names in package.json. */
export const RUN_ACTIONS: Readonly<Record<string, Action>> = {
  "coai.runsView.run": (view) => view.begin(),
  "coai.runsView.report": (view, node) => view.report(node),
  "coai.runsView.answer": (view, node) => view.answer(node),
  "coai.runsView.apply": (view, node) => view.apply(node),
  "coai.runsView.pause": (view, node) => view.tell(node, "pause", RUN_COMMANDS.pause),
  "coai.runsView.resume": (view, node) => view.tell(node, "resume", RUN_COMMANDS.resume),
  "coai.runsView.cancel": (view, node) => view.tell(node, "cancel", RUN_COMMANDS.cancel),
};

/** Shows runs, and does what their user wants of them. */
export class RunsView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  readonly #parts: Parts;
  readonly #tree: vscode.TreeView<Node>;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly #subscriptions: vscode.Disposable[];
  #output = "";

  /** See `TreeDataProvider`. */
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#tree = vscode.window.createTreeView(VIEW, { treeDataProvider: this });
    this.#subscriptions = [
      this.#tree.onDidChangeVisibility(() => void this.#follow()),
      parts.server.onRuns(() => {
        this.#changed.fire(undefined);
      }),
      parts.server.onState(({ kind }) => {
        if (kind === "running") {
          void this.#follow();
        }
      }),
      ...Object.entries(RUN_ACTIONS).map(([name, action]) =>
        vscode.commands.registerCommand(name, (node?: Node) => this.#guarded(action, node)),
      ),
    ];
    parts.reports.add(OUTPUT, () => Promise.resolve(this.#output));
  }

  /** See `TreeDataProvider`. */
  getTreeItem({ run, row, step }: Node): vscode.TreeItem {
    const item = new vscode.TreeItem(row.label, vscode.TreeItemCollapsibleState.None);
    item.id = `${run.run}/${step ?? row.context}`;
    item.description = row.description;
    item.tooltip = row.tooltip;
    item.iconPath = new vscode.ThemeIcon(row.icon);
    item.contextValue = row.context;
    if (row.context.startsWith("run.")) {
      const open = run.state === "running" || run.state === "waiting";
      item.id = run.run;
      item.collapsibleState = open
        ? vscode.TreeItemCollapsibleState.Expanded
        : vscode.TreeItemCollapsibleState.Collapsed;
    }
    return item;
  }

  /** See `TreeDataProvider`. */
  async getChildren(node?: Node): Promise<Node[]> {
    if (this.#parts.server.state.kind !== "running") {
      return [];
    }
    if (node === undefined) {
      return (await this.#runs()).map((run) => ({ run, row: runRow(run) }));
    }
    if (!node.row.context.startsWith("run.")) {
      return [];
    }
    const details = await this.#details(node.run);
    const asked = new Map(details.questions.map((question) => [question.step, question]));
    const about = [editsRow(details), usageRow(details)].filter((row) => row !== undefined);
    return [
      ...details.steps.map((step) => ({
        run: details,
        row: stepRow(step, asked.get(step.step)),
        step: step.step,
      })),
      ...about.map((row) => ({ run: details, row })),
    ];
  }

  /** Begin a run of an ensemble that the user chooses. */
  async begin(): Promise<void> {
    const { ensembles } = await this.#ask<{ ensembles: Ensemble[] }>(RUN_COMMANDS.ensembles, {});
    const builtIn = ({ origin }: Ensemble): number => Number(origin === "built in");
    const chosen = await vscode.window.showQuickPick(
      ensembles.sort((one, other) => builtIn(one) - builtIn(other)).map((ensemble) => ({
        label: ensemble.name,
        description: ensemble.origin,
        detail: ensemble.problem ?? ensemble.about ?? "",
        ensemble,
      })),
      { title: TITLE, placeHolder: "Which ensemble should run?", matchOnDetail: true },
    );
    if (chosen === undefined) {
      return;
    }
    const { name, input = "text", about, problem } = chosen.ensemble;
    if (problem !== undefined) {
      throw new Error(problem);
    }
    const path = vscode.window.activeTextEditor?.document.uri;
    const given = await vscode.window.showInputBox({
      title: `${TITLE}: ${name}`,
      prompt: about ?? "",
      value: path?.scheme === "file" ? vscode.workspace.asRelativePath(path, false) : "",
      placeHolder: input,
      ignoreFocusOut: true,
    });
    if (given !== undefined) {
      const asked = { ensemble: name, input: inputOf(given, input) };
      await this.#ask(RUN_COMMANDS.start, asked);
      await vscode.commands.executeCommand(`${VIEW}.focus`);
      this.#changed.fire(undefined);
    }
  }

  /** Show the report of a run. */
  async report(node: Node | undefined): Promise<void> {
    const run = await this.#chosen(node, () => true);
    if (run !== undefined) {
      this.#parts.reports.add(REPORT, async () => {
        const { markdown } = await this.#ask<{ markdown: string }>(RUN_COMMANDS.report, {
          run: run.run,
        });
        return markdown;
      });
      await this.#parts.reports.show(REPORT);
    }
  }

  /** Answer what a run asks; of several questions the one that was clicked at, or the first. */
  async answer(node: Node | undefined): Promise<void> {
    const run = await this.#chosen(node, ({ state }) => can("answer", state));
    if (run === undefined) {
      return;
    }
    const { questions } = await this.#details(run);
    const asked = questions.find(({ step }) => step === node?.step) ?? questions[0];
    if (asked === undefined) {
      throw new Error("The run asks nothing.");
    }
    const answer =
      asked.choices.length > 0
        ? await vscode.window.showQuickPick(asked.choices, {
            title: TITLE,
            placeHolder: asked.question,
          })
        : await vscode.window.showInputBox({
            title: TITLE,
            prompt: asked.question,
            ignoreFocusOut: true,
          });
    if (answer !== undefined) {
      await this.#ask(RUN_COMMANDS.answer, { run: run.run, step: asked.step, answer });
      this.#changed.fire(undefined);
    }
  }

  /** Make the changes that a run proposes: VS Code shows each of them first. */
  async apply(node: Node | undefined): Promise<void> {
    const run = await this.#chosen(node, ({ state }) => can("apply", state));
    if (run === undefined) {
      return;
    }
    const answer = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: "COAI: applying a run" },
      () => this.#ask<Applied>(RUN_COMMANDS.apply, { run: run.run }),
    );
    const said = `COAI: ${appliedSentence(answer)}`;
    if (answer.tested !== false) {
      void vscode.window.showInformationMessage(said);
      return;
    }
    this.#output = `# COAI: what the tests said\n\n${fenced(answer.output)}\n`;
    if ((await vscode.window.showWarningMessage(said, "Show Output")) !== undefined) {
      await this.#parts.reports.show(OUTPUT);
    }
  }

  /** Have a run go on or stop. */
  async tell(
    node: Node | undefined,
    action: "cancel" | "pause" | "resume",
    command: string,
  ): Promise<void> {
    const run = await this.#chosen(node, ({ state }) => can(action, state));
    if (run !== undefined) {
      await this.#ask(command, { run: run.run });
      this.#changed.fire(undefined);
    }
  }

  /** Let go of the view. */
  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
    this.#tree.dispose();
    this.#changed.dispose();
  }

  /** Return the run of a row, or the one of those that fit which the user chooses. */
  async #chosen(node: Node | undefined, fits: (run: Run) => boolean): Promise<Run | undefined> {
    if (node !== undefined) {
      return node.run;
    }
    const fitting = (await this.#runs()).filter(fits);
    if (fitting.length === 0) {
      throw new Error("There is no such run of this folder.");
    }
    const rows = fitting.map((run) => ({
      label: runRow(run).label,
      description: runRow(run).description,
      detail: run.run,
      run,
    }));
    return (await vscode.window.showQuickPick(rows, { title: TITLE, placeHolder: "Which run?" }))
      ?.run;
  }

  async #runs(): Promise<Run[]> {
    return (await this.#ask<{ runs: Run[] }>(RUN_COMMANDS.list, {})).runs;
  }

  #details({ run }: Run): Promise<RunDetails> {
    return this.#ask<RunDetails>(RUN_COMMANDS.details, { run });
  }

  #ask<T>(command: string, asked: object): Promise<T> {
    return this.#parts.server.execute<T>(command, asked);
  }

  /** Be told of changes while somebody looks, and never else. */
  async #follow(): Promise<void> {
    const on = this.#tree.visible;
    if (this.#parts.server.state.kind !== "running") {
      return;
    }
    try {
      await this.#ask(RUN_COMMANDS.watch, { on });
    } catch (error) {
      this.#parts.log.warn(`Runs are not followed: ${String(error)}`);
    }
    if (on) {
      this.#changed.fire(undefined);
    }
  }

  async #guarded(action: Action, node: Node | undefined): Promise<void> {
    try {
      await action(this, node);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#parts.log.error(why);
      void vscode.window.showErrorMessage(`COAI: ${why}`);
    }
  }
}

/** Return text as a block of code, whatever fences it has. */
function fenced(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}
