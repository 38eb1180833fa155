// Keys of cloud vendors: kept in the system's key store, handed to the server in memory.
import * as vscode from "vscode";
import type { Secrets } from "./masking";
import { SERVER_COMMANDS, type Vendor } from "./protocol";
import type { Server } from "./server";

const PREFIX = "coai.key.";

/** Keeps the keys and hands them to each server that starts. */
export class Keys implements vscode.Disposable {
  readonly #store: vscode.SecretStorage;
  readonly #server: Server;
  readonly #secrets: Secrets;
  readonly #subscriptions: vscode.Disposable[];

  constructor(store: vscode.SecretStorage, server: Server, secrets: Secrets) {
    this.#store = store;
    this.#server = server;
    this.#secrets = secrets;
    this.#subscriptions = [
      server.onState((state) => {
        if (state.kind === "running") {
          void this.#handOverAll();
        }
      }),
      // In another window, too.
      store.onDidChange(({ key }) => {
        if (key.startsWith(PREFIX) && server.state.kind === "running") {
          void this.#handOver(key.slice(PREFIX.length));
        }
      }),
    ];
  }

  /** Return the vendors that there are, and where the key of each comes from. */
  vendors(): Promise<Vendor[]> {
    return this.#server.execute<Vendor[]>(SERVER_COMMANDS.vendors);
  }

  /** Keep a vendor's key once the server has taken it; raises the server's error. */
  async keep(vendor: string, key: string): Promise<void> {
    const bare = key.trim();
    this.#secrets.add(bare);
    await this.#server.execute(SERVER_COMMANDS.signIn, vendor, bare);
    await this.#store.store(`${PREFIX}${vendor}`, bare);
  }

  /** Forget a vendor's key, here and in the server. */
  async forget(vendor: string): Promise<void> {
    await this.#store.delete(`${PREFIX}${vendor}`);
    await this.#server.execute(SERVER_COMMANDS.signOut, vendor);
  }

  /** Say whether a key of this vendor is kept. */
  async has(vendor: string): Promise<boolean> {
    return (await this.#store.get(`${PREFIX}${vendor}`)) !== undefined;
  }

  /** Stop listening. The keys stay where they are. */
  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async #handOverAll(): Promise<void> {
    try {
      for (const { name } of await this.vendors()) {
        if (await this.has(name)) {
          await this.#handOver(name);
        }
      }
    } catch {
      // The server has ended meanwhile; the next one is told when it runs.
    }
  }

  async #handOver(vendor: string): Promise<void> {
    const key = await this.#store.get(`${PREFIX}${vendor}`);
    try {
      if (key === undefined) {
        await this.#server.execute(SERVER_COMMANDS.signOut, vendor);
      } else {
        this.#secrets.add(key);
        await this.#server.execute(SERVER_COMMANDS.signIn, vendor, key);
      }
    } catch {
      // As above; a key that the server does not take was refused when it was given.
    }
  }
}
