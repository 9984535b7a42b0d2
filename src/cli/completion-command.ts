import { familiarReference, parseReference } from "../image/reference.ts";
import type { GlobalOptions } from "./command-line.ts";
import { bashScript } from "./completion/bash-script.ts";
import type { CommandNode } from "./completion/command-tree.ts";
import { fishScript } from "./completion/fish-script.ts";
import { zshScript } from "./completion/zsh-script.ts";
import { withStore } from "./with-store.ts";

const scripts: Readonly<Record<Shell, (root: CommandNode) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export type Shell = "bash" | "zsh" | "fish";

/** `tsbuild completion`: the script that completes commands, options and names in a shell. */
export function runCompletion(shell: Shell, root: CommandNode): void {
  process.stdout.write(scripts[shell](root));
}

/** `tsbuild __complete`: names of images or containers, a line each, as the scripts ask for them. */
export async function runComplete(kind: string, options: GlobalOptions): Promise<void> {
  const names = await withStore(options, async (store) => {
    if (kind === "container") return (await store.containers.list()).map(({ name }) => name);
    return (await store.images.list()).map(({ reference }) => familiarReference(parseReference(reference)));
  });
  process.stdout.write(names.map((name) => `${name}\n`).join(""));
}
