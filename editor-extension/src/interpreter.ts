// The Python that the user has selected, as the Python extension tells it, if that is installed.
import * as vscode from "vscode";

const PYTHON_EXTENSION = "ms-python.python";

const PATIENCE_MS = 3_000;

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(): { readonly path: string };
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

/**
 * Return the selected interpreter, or nothing.
 *
 * In a workspace that is not trusted there is none: the interpreter may be one of the workspace's.
 */
export async function selectedInterpreter(): Promise<string | undefined> {
  const api = vscode.workspace.isTrusted ? await pythonApi() : undefined;
  return api?.environments.getActiveEnvironmentPath().path;
}

/** Tell when the user selects another interpreter. */
export async function onInterpreterChange(listener: () => void): Promise<vscode.Disposable> {
  const api = await pythonApi();
  return api?.environments.onDidChangeActiveEnvironmentPath(listener) ?? new vscode.Disposable(() => undefined);
}

async function pythonApi(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<Partial<PythonApi>>(PYTHON_EXTENSION);
  if (extension === undefined) {
    return undefined;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, undefined);
  });
  try {
    const exported = await Promise.race([extension.activate(), late]);
    return exported?.environments === undefined ? undefined : (exported as PythonApi);
  } catch {
    // An extension that does not work tells its user so itself; here it is as if it were not there.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
