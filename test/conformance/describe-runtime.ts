import { describe, test } from "vitest";
import type { Runtime } from "../../src/sandbox/runtime.ts";
import { describeConfinement } from "./runtime/describe-confinement.ts";
import { describeEnvironment } from "./runtime/describe-environment.ts";
import { describeMountPoints } from "./runtime/describe-mount-points.ts";
import { describeMounts } from "./runtime/describe-mounts.ts";
import { describeNetwork } from "./runtime/describe-network.ts";
import { describeProcess } from "./runtime/describe-process.ts";
import { describeRoot } from "./runtime/describe-root.ts";
import { describeStreams } from "./runtime/describe-streams.ts";
import { describeUser } from "./runtime/describe-user.ts";
import { useSandbox } from "./runtime/sandbox.ts";

/** What every Runtime holds to. Where it cannot run, the tests are skipped with the reason. */
export async function describeRuntime(name: string, runtime: Runtime): Promise<void> {
  const [missing] = await runtime.probe();
  if (missing !== undefined) {
    test.skip(`${name} is a Runtime (skipped: ${missing.what}; ${missing.hint})`, () => {});
    return;
  }
  describe(`${name} is a Runtime`, () => {
    const sandbox = useSandbox(runtime);
    describeProcess(sandbox);
    describeStreams(sandbox);
    describeEnvironment(sandbox);
    describeUser(sandbox);
    describeConfinement(sandbox);
    describeNetwork(sandbox);
    describeRoot(sandbox);
    describeMounts(sandbox);
    describeMountPoints(sandbox);
  });
}
