import { constants } from "node:os";
import { join } from "node:path";
import { BuildError, isBuildError } from "../../base/errors.ts";
import type { ExitStatus, ProcessIo, Runtime } from "../../sandbox/runtime.ts";
import { ContainerLogWriter } from "../../store/container-log.ts";
import { removeTree } from "../../store/remove-tree.ts";
import type { ReadyContainer } from "./create-container.ts";

/** What a shell says of a process: its exit code, or 128 and the number of the signal that ended it. */
const exitCodeOf = ({ exitCode, signal }: ExitStatus): number =>
  exitCode ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);

/** What a container ends with that came to no program: 126 or 127 if that is what is wrong, as a shell has it. */
function exitCodeOfFailure(error: unknown): number {
  if (isBuildError(error, "BUILD_CANCELLED")) return 128 + constants.signals.SIGKILL;
  const code = isBuildError(error, "RUN_FAILED") ? error.details.exitCode : undefined;
  return typeof code === "number" ? code : 125;
}

/**
 * Runs the process of a container to its end, which is noted with the container; what it writes goes to `io` and to the
 * container's log. Returns its exit code. Rejects as the runtime does.
 */
export async function runContainer(
  { container, spec }: ReadyContainer,
  runtime: Runtime,
  io: ProcessIo,
  signal: AbortSignal,
): Promise<number> {
  const log = new ContainerLogWriter(join(container.directory, "log"));
  let exitCode = 125;
  try {
    const logged: ProcessIo = {
      ...io,
      output(stream, chunk) {
        log.write(stream, chunk, Date.now());
        io.output(stream, chunk);
      },
      started(process) {
        noted = container.noteStart({
          pid: process.pid,
          startedAtMs: Date.now(),
          mountPoints: process.mountPoints,
        });
        noted.catch(() => {});
        io.started?.(process);
      },
    };
    let noted: Promise<void> = Promise.resolve();
    exitCode = exitCodeOf(await runtime.run(spec, logged, signal));
    await noted;
  } catch (error) {
    exitCode = exitCodeOfFailure(error);
    throw error;
  } finally {
    log.close(Date.now());
    await removeTree(spec.work, container.directory);
    await container.noteExit({ exitCode, finishedAtMs: Date.now() });
    container.close();
  }
  if (log.failure !== null)
    throw new BuildError("STORE_UNWRITABLE", `container ${container.id.slice(0, 12)}: its log cannot be written`, {
      cause: log.failure,
    });
  return exitCode;
}
