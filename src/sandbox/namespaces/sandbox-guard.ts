import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

/** Keeps the process numbers it is told of, and kills what is left of them when nobody can tell it any more. */
const script = `running=
while read -r change pid; do
  rest=
  for other in $running; do [ "$other" = "$pid" ] || rest="$rest $other"; done
  running=$rest
  [ "$change" = ended ] || running="$running $pid"
done
for pid in $running; do kill -9 "$pid"; done`;

/**
 * Ends sandboxes when this process is gone without having done so: a shell that reads from a pipe only this process can
 * write to. It runs outside of the sandboxes, where a step can neither see nor end it. One serves all sandboxes of a
 * build, since to start a process takes longer than everything else it does.
 */
export class SandboxGuard {
  readonly #running = new Set<number>();
  #shell: ChildProcess | undefined;

  started(pid: number): void {
    this.#running.add(pid);
    if (this.#shell === undefined) this.#start();
    else this.#tell("started", pid);
  }

  ended(pid: number): void {
    if (this.#running.delete(pid)) this.#tell("ended", pid);
  }

  #tell(change: "started" | "ended", pid: number): void {
    this.#shell?.stdin?.write(`${change} ${pid}\n`);
  }

  #start(): void {
    const shell = spawn("/bin/sh", ["-c", script, "tsbuild-guard"], {
      stdio: ["pipe", "ignore", "ignore"],
      cwd: "/",
      env: {},
      detached: true,
    });
    this.#shell = shell;
    shell.unref();
    (shell.stdin as Socket | null)?.unref();
    // when somebody ended it, the next sandbox gets another one
    const lost = (): void => {
      if (this.#shell === shell) this.#shell = undefined;
    };
    shell.stdin?.on("error", lost);
    shell.on("error", lost);
    shell.on("exit", lost);
    for (const pid of this.#running) this.#tell("started", pid);
  }
}
