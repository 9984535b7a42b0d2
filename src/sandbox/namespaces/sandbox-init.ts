import { readFileSync, writeSync } from "node:fs";
import { BuildError, isBuildError, toWire } from "../../base/errors.ts";
import { requireNative } from "../../sys/native.ts";
import { exitImmediately, resetSignals } from "../../sys/process.ts";
import { fromNodeError } from "../../sys/system-error.ts";
import { connectionDescriptor, type InitMessage, type InitRequest } from "./init-messages.ts";
import { prepareSandbox } from "./prepare-sandbox.ts";
import { startProgram } from "./start-program.ts";
import { setDefaultLimits } from "./step-limits.ts";

// The first process of a sandbox, from start to the moment it becomes the step. It is started before there is a step,
// does what takes long, and waits. Everything is synchronous: between reading the request and executing the program
// there is nothing to wait for.

const send = (message: InitMessage): void => {
  writeSync(connectionDescriptor, `${JSON.stringify(message)}\n`);
};

/** A failed system call while the sandbox is made says little by itself. */
function explain(thrown: unknown): unknown {
  const error = fromNodeError(thrown);
  if (!isBuildError(error, "SYSTEM_CALL_FAILED") && !isBuildError(error, "STORE_UNWRITABLE")) return error;
  return new BuildError("RUNTIME_SETUP_FAILED", `the sandbox cannot be made: ${error.message}`, {
    details: error.details,
    cause: error,
  });
}

requireNative();
resetSignals();
setDefaultLimits();
const text = readFileSync(connectionDescriptor, "utf8");
// nothing to do: the build ended before it came to this sandbox
if (text === "") exitImmediately(0);
try {
  const { spec, filter } = JSON.parse(text) as InitRequest;
  process.umask(0);
  send({ kind: "prepared", stubs: prepareSandbox(spec) });
  startProgram(spec, Buffer.from(filter, "base64"));
} catch (error) {
  send({ kind: "failed", error: toWire(explain(error)) });
  exitImmediately(1);
}
