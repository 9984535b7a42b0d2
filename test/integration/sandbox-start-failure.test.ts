import { describe, expect, test } from "vitest";
import { NamespaceRuntime } from "../../src/sandbox/namespaces/namespace-runtime.ts";
import { SandboxGuard } from "../../src/sandbox/namespaces/sandbox-guard.ts";
import { runInSandbox } from "../../src/sandbox/namespaces/sandbox-process.ts";
import { SandboxZygote } from "../../src/sandbox/namespaces/sandbox-zygote.ts";
import type { SandboxSpec } from "../../src/sandbox/sandbox-spec.ts";
import { rejectionOf } from "../support/thrown-by.ts";

const [missing] = await new NamespaceRuntime().probe();
const spec: SandboxSpec = {
  args: ["/bin/true"],
  env: [],
  cwd: "/",
  user: "",
  lowers: ["/no/such/layer"],
  upper: "/no/such/upper",
  work: "/no/such/scratch",
  mounts: [],
  network: "none",
  security: "sandbox",
  hostname: "h",
  extraHosts: [],
  shmSizeBytes: 65536,
  ulimits: [],
};
const silent = { output: () => {} };

describe.skipIf(missing !== undefined)(`a sandbox that cannot be made (${missing?.what ?? "runs here"})`, () => {
  test.each([
    ["/no/such/node", "/no/such/init", "the sandbox cannot be started"],
    ["/etc/passwd", "/no/such/init", "the sandbox cannot be started"],
    [process.execPath, "/no/such/init", "the process that starts steps ended with exit code 1"],
    ["/bin/true", "", "the process that starts steps ended with exit code 0"],
  ])("by %s %s is an error at once", async (executable, init, message) => {
    const zygote = new SandboxZygote(executable, init, new SandboxGuard());
    const error = await rejectionOf(runInSandbox(zygote, spec, silent, new AbortController().signal));
    expect(error).toMatchObject({ code: "RUNTIME_SETUP_FAILED", message });
    expect(zygote.isAlive).toBe(false);
    const again = await rejectionOf(runInSandbox(zygote, spec, silent, new AbortController().signal));
    expect(again).toMatchObject({ code: "RUNTIME_SETUP_FAILED", message });
  });

  test("because its directories do not exist is an error that names them", async () => {
    const error = await rejectionOf(new NamespaceRuntime().run(spec, silent, new AbortController().signal));
    expect(error.code).toBe("RUNTIME_SETUP_FAILED");
    expect(error.message).toContain('"/no/such/scratch"');
  });
});
