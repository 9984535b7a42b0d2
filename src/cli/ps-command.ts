import type { StoredContainer } from "../store/container-store.ts";
import type { PsOptions } from "./container-commands.ts";
import { parseContainerFilters } from "./container-filter.ts";
import { describeStatus, exitCodeOfContainer, stateOf } from "./container-status.ts";
import { formatRows } from "./format-rows.ts";
import { formatAge, formatMoment } from "./format-time.ts";
import { structOf, type TemplateStruct } from "./template/template-value.ts";
import { withStore } from "./with-store.ts";
import { writeText } from "./write-lines.ts";

const headings = { ID: "CONTAINER ID", CreatedAt: "CREATED AT", RunningFor: "CREATED", ExitCode: "EXIT CODE" };
const columns = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const shownCommandLength = 20;

/** `tsbuild ps`: a row for each container, newest first. */
export async function runPs(options: PsOptions): Promise<void> {
  const isWanted = parseContainerFilters(options.filter);
  const asksForState = options.filter.some((flag) => /^(?:status|exited)=/.test(flag));
  const showsAll = options.all === true || asksForState;
  const containers = await withStore(options, (store) => store.containers.list());
  const wanted = containers.filter((container) => (showsAll || container.isRunning) && isWanted(container));
  const nowMs = Date.now();
  const idOf = ({ id }: StoredContainer): string => (options.trunc ? id.slice(0, 12) : id);
  if (options.quiet === true) {
    writeText(wanted.map((container) => `${idOf(container)}\n`).join(""));
    return;
  }
  const rows = wanted.map((container) => describe(container, idOf(container), options.trunc, nowMs));
  writeText(formatRows(options.format, rows, columns, headings));
}

/** What `--format` sees of a container, with docker's names. */
function describe(container: StoredContainer, id: string, isCut: boolean, nowMs: number): TemplateStruct {
  const command = container.args.join(" ");
  const shown = isCut && command.length > shownCommandLength ? `${command.slice(0, shownCommandLength - 1)}…` : command;
  return structOf({
    Command: JSON.stringify(shown),
    CreatedAt: formatMoment(container.createdAtMs),
    ExitCode: stateOf(container) === "exited" ? String(exitCodeOfContainer(container)) : "",
    ID: id,
    Image: container.image,
    Names: container.name,
    RunningFor: formatAge((nowMs - container.createdAtMs) / 1000),
    State: stateOf(container),
    Status: describeStatus(container, nowMs),
  });
}
