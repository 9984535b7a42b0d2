import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { BuildError } from "../base/errors.ts";

/** Asks on the terminal; what is typed to a `isSecret` question is not shown. Throws USAGE_INVALID without a terminal. */
export async function askTerminal(question: string, isSecret: boolean, otherwise: string): Promise<string> {
  if (!process.stdin.isTTY)
    throw new BuildError("USAGE_INVALID", `${question}: no terminal to ask on`, { hint: otherwise });
  process.stderr.write(`${question}: `);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: isSecret ? nowhere : process.stderr, terminal: true });
  const abort = new AbortController();
  lines.on("SIGINT", () => abort.abort());
  lines.on("close", () => abort.abort());
  try {
    return await lines.question("", { signal: abort.signal });
  } catch (cause) {
    throw new BuildError("BUILD_CANCELLED", "the login was cancelled", { cause });
  } finally {
    lines.close();
    if (isSecret) process.stderr.write("\n");
  }
}
