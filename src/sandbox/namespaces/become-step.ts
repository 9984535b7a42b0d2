import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BuildError, isBuildError, toWire } from "../../base/errors.ts";
import { closeDescriptorsFrom, dieWithParent, duplicateDescriptor, exitImmediately } from "../../sys/process.ts";
import { fromNodeError } from "../../sys/system-error.ts";
import { hostCgroupFiles } from "../cgroups/cgroup-files.ts";
import { prepareSandbox } from "./prepare-sandbox.ts";
import { reportDescriptor, startProgram } from "./start-program.ts";
import type { StepDescriptors, StepOrder, StepReport } from "./zygote-messages.ts";

/** A failed system call while the sandbox is made says little by itself. */
function explain(thrown: unknown): unknown {
  const error = fromNodeError(thrown);
  if (!isBuildError(error, "SYSTEM_CALL_FAILED") && !isBuildError(error, "STORE_UNWRITABLE")) return error;
  return new BuildError("RUNTIME_SETUP_FAILED", `the sandbox cannot be made: ${error.message}`, {
    details: error.details,
    cause: error,
  });
}

const report = (message: StepReport): void => {
  writeSync(reportDescriptor, `${JSON.stringify(message)}\n`);
};

/**
 * Makes this process, a copy of the zygote and the first process of a PID namespace, the step. Everything is
 * synchronous: the threads that node would wait with are not part of the copy. Signals have their default actions, the umask is 0.
 * `filter` is the seccomp program.
 */
export function becomeStep(descriptors: StepDescriptors, filter: Buffer): never {
  try {
    dieWithParent();
    const { spec, terminal } = JSON.parse(readFileSync(descriptors.order, "utf8")) as StepOrder;
    if (descriptors.input !== null) duplicateDescriptor(descriptors.input, 0);
    duplicateDescriptor(descriptors.stdout, 1);
    duplicateDescriptor(descriptors.stderr, 2);
    duplicateDescriptor(descriptors.report, reportDescriptor);
    // the order, the connection, other steps', node's own
    closeDescriptorsFrom(reportDescriptor + 1, "now");
    // before the control group namespace is made, whose root is where the process is
    for (const directory of spec.cgroups ?? []) hostCgroupFiles.write(join(directory, "cgroup.procs"), "0");
    report({ kind: "prepared", stubs: prepareSandbox(spec, terminal) });
    startProgram(spec, filter, terminal !== null ? "terminal" : descriptors.input !== null ? "input" : "output");
  } catch (error) {
    report({ kind: "failed", error: toWire(explain(error)) });
    exitImmediately(1);
  }
}
