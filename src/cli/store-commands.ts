import type { CommandMaker, GlobalOptions } from "./command-line.ts";
import { examples } from "./image-commands.ts";

export interface PruneOptions extends GlobalOptions {
  readonly all?: boolean;
  readonly containers?: boolean;
  readonly images?: boolean;
  readonly filter: readonly string[];
  readonly keepStorage?: string;
  readonly maxUsedSpace?: string;
  readonly until?: string;
}

export interface DuOptions extends GlobalOptions {
  readonly format?: string;
  readonly verbose?: boolean;
}

/** Commands on the store as a whole. */
export interface StoreHandlers {
  prune(options: PruneOptions): Promise<void>;
  du(options: DuOptions): Promise<void>;
}

/** Adds the commands to the tree. */
export function addStoreCommands({ command, repeatable }: CommandMaker, handlers: StoreHandlers): void {
  command("prune", "remove build cache that nothing needs")
    .option("-a, --all", "remove all build cache; images stay")
    .option("--containers", "remove containers too that do not run")
    .option("--images", "remove images too that no container needs: all, or those that --filter names")
    .addOption(
      repeatable(
        "--filter <name=value>",
        "until=: as --until, and of images when they were built; of images label=, label!=, reference=; repeatable",
      ),
    )
    .option("--keep-storage <size>", "keep the most recently used cache up to this size")
    .option("--max-used-space <size>", "the same")
    .option("--until <duration>", "remove only what was not used for so long: 24h, 7d")
    .option("-f, --force", "do not ask, as is never done")
    .addHelpText(
      "after",
      examples("prune --until 7d", "prune -a --max-used-space 10g", "prune --images --filter label=stage=ci"),
    )
    .action((options: PruneOptions) => handlers.prune(options));
  command("du", "show what the store holds and how much of it prune can free")
    .option("--format <json|table|template>", "one JSON object a line, a table, or a Go template for each line")
    .option("-v, --verbose", "show every image, layer and cache record, and what they share")
    .addHelpText("after", examples("du -v", "du --format '{{.Type}}: {{.Size}}'", "du -v --format json"))
    .action((options: DuOptions) => handlers.du(options));
}
