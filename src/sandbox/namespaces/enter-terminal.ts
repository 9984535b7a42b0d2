import { closeSync, writeFileSync } from "node:fs";
import { sendWithDescriptors } from "../../sys/descriptor-passing.ts";
import { attachMount, cloneMount } from "../../sys/mount.ts";
import { duplicateDescriptor } from "../../sys/process.ts";
import { leadSession, openTerminal, setTerminalSize } from "../../sys/terminal.ts";
import type { TerminalSize } from "../runtime.ts";

/**
 * Makes a new terminal the standard streams of this process, and the one of its session; it is /dev/console too. Its
 * other side, and this one, are sent through standard input, which is a socket until then. Needs the sandbox's own /dev.
 */
export function enterTerminal({ columns, rows }: TerminalSize): void {
  const { master, slave, slavePath } = openTerminal("/dev/pts");
  setTerminalSize(master, columns, rows);
  writeFileSync("/dev/console", "", { flag: "wx" });
  attachMount(cloneMount(null, slavePath), "/dev/console");
  sendWithDescriptors(0, Buffer.from("t"), [master, slave]);
  closeSync(master);
  for (const stream of [0, 1, 2]) duplicateDescriptor(slave, stream);
  closeSync(slave);
  leadSession(0);
}
