import { BuildError } from "../base/errors.ts";
import { heredocText, parseHeredocWord } from "../dockerfile/heredoc.ts";
import type { InstructionOf } from "../dockerfile/instruction.ts";
import { parseMountFlag } from "../dockerfile/mount-flag.ts";
import { quoteText } from "../dockerfile/quote-text.ts";
import type { OpSpec, RunMount } from "./build-graph.ts";
import { absolutePath, isFileName } from "./container-path.ts";
import { commandArguments } from "./plan-metadata.ts";
import { planMounts } from "./run-mounts.ts";
import type { StepScope } from "./step-scope.ts";

type Pipe = Extract<OpSpec, { kind: "run" }>["pipes"][number];

export function planRun(step: StepScope, instruction: InstructionOf<"run">): void {
  const { draft, build } = step;
  if (instruction.devices.length > 0)
    throw new BuildError("DOCKERFILE_BAD_FLAG", `RUN --device=${instruction.devices[0]}: devices are not supported`);
  const { args, pipes } = runArguments(step, instruction);
  if (args.length === 0)
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", "RUN []: got no arguments, want at least a program");
  const workingDir = absolutePath("/", draft.config.workingDir);
  const mounts = planMounts(
    instruction.mounts.map((flag) => parseMountFlag(flag, (word) => step.expand(word))),
    { workingDir, cacheNamespace: build.cacheNamespace, sourceOf: (from, target) => step.mountSource(from, target) },
  );
  checkEntitlements(step, instruction);
  step.addLayer(
    {
      kind: "run",
      parent: step.parent(),
      args,
      env: withAgentSocket(draft.environment.toList(), draft.environment.get("SSH_AUTH_SOCK"), mounts),
      proxyEnv: build.proxyEnv,
      cwd: workingDir,
      user: draft.config.user,
      mounts,
      network: instruction.network === "default" ? build.input.network : instruction.network,
      security: instruction.security,
      hostname: build.hostname,
      extraHosts: build.input.extraHosts,
      shmSizeBytes: build.input.shmSizeBytes,
      ulimits: build.input.ulimits,
      pipes,
      platform: draft.platform,
    },
    `RUN ${draft.runPrefix()}${args.join(" ")} # buildkit`,
  );
}

/** The process's arguments. A lone heredoc is a script for the shell, or a program of its own if it begins with `#!`. */
function runArguments(
  step: StepScope,
  { command, heredocs }: InstructionOf<"run">,
): { readonly args: readonly string[]; readonly pipes: readonly Pipe[] } {
  const first = heredocs[0];
  if (command.form === "exec" || first === undefined) return { args: commandArguments(step.draft, command), pipes: [] };
  const shell = (text: string): readonly string[] => commandArguments(step.draft, { form: "shell", text });
  if (parseHeredocWord(command.text) === null) {
    const bodies = heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`);
    return { args: shell(command.text + bodies.join("")), pipes: [] };
  }
  const content = heredocText(first);
  if (!content.startsWith("#!") || step.draft.imagePlatform.os === "windows")
    return { args: shell(content), pipes: [] };
  if (!isFileName(first.name))
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `heredoc ${quoteText(first.name)}: want a name without slashes`);
  return { args: shell(`/dev/pipes/${first.name}`), pipes: [{ name: first.name, content }] };
}

function checkEntitlements(step: StepScope, { network, security }: InstructionOf<"run">): void {
  const { entitlements } = step.build.input;
  const need = (flag: string, entitlement: "network.host" | "security.insecure"): void => {
    if (entitlements.includes(entitlement)) return;
    throw new BuildError("DOCKERFILE_BAD_FLAG", `RUN ${flag}: ${entitlement} is not allowed in this build`, {
      hint: `pass --allow ${entitlement} if you trust this Dockerfile`,
    });
  };
  if (network === "host") need("--network=host", "network.host");
  if (security === "insecure") need("--security=insecure", "security.insecure");
}

/** A step with an ssh mount finds its socket in SSH_AUTH_SOCK. */
function withAgentSocket(
  environment: readonly string[],
  own: string | undefined,
  mounts: readonly RunMount[],
): readonly string[] {
  const socket = mounts.find((mount) => mount.kind === "ssh");
  return socket === undefined || own !== undefined ? environment : [...environment, `SSH_AUTH_SOCK=${socket.target}`];
}
