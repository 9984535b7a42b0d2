import { BuildError } from "../base/errors.ts";
import { compareNames } from "../base/file-name.ts";
import type { CommandLine, InstructionOf, KeyValue } from "../dockerfile/instruction.ts";
import type { Healthcheck } from "../image/image-config.ts";
import { cleanPath, nextWorkingDir } from "./container-path.ts";
import { parseExposedPort } from "./exposed-ports.ts";
import { formatDuration, formatList, formatQuotedList } from "./go-format.ts";
import type { StageDraft } from "./stage-draft.ts";
import type { StepScope } from "./step-scope.ts";
import { checkStopSignal } from "./stop-signal.ts";

const defaultShell = ["/bin/sh", "-c"];
const windowsShell = ["cmd", "/S", "/C"];

/** The arguments of a process: the shell of the stage goes in front of a shell form. */
export function commandArguments(draft: StageDraft, command: CommandLine): readonly string[] {
  if (command.form === "exec") return command.args;
  const fallback = draft.imagePlatform.os === "windows" ? windowsShell : defaultShell;
  return [...(draft.config.shell.length > 0 ? draft.config.shell : fallback), command.text];
}

function expandPairs(step: StepScope, pairs: readonly KeyValue[]): readonly { key: string; value: string }[] {
  return pairs.map((pair) => ({ key: step.expand(pair.key), value: step.expand(pair.value ?? "") }));
}

export function planEnv(step: StepScope, { pairs }: InstructionOf<"env">): void {
  const { draft } = step;
  const expanded = expandPairs(step, pairs);
  for (const { key, value } of expanded) {
    if (key === "") throw new BuildError("DOCKERFILE_BAD_ARGUMENT", "ENV names can not be blank");
    draft.environment.set(key, value);
    draft.config.setEnv(key, value);
  }
  draft.addEmptyRow(`ENV ${expanded.map(({ key, value }) => `${key}=${value}`).join(" ")}`);
}

export function planLabel(step: StepScope, { pairs }: InstructionOf<"label">): void {
  const expanded = expandPairs(step, pairs);
  for (const { key, value } of expanded) step.draft.config.labels.set(key, value);
  step.draft.addEmptyRow(`LABEL ${expanded.map(({ key, value }) => `${key}=${value}`).join(" ")}`);
}

export function planCmd(step: StepScope, { command }: InstructionOf<"cmd">): void {
  const { draft } = step;
  step.markOnce("cmd");
  const args = commandArguments(draft, command);
  draft.config.cmd = args;
  draft.config.argsEscaped = true;
  draft.addEmptyRow(`CMD ${formatQuotedList(args)}`);
}

/** Clears a CMD that was inherited; one set earlier in this stage stays. */
export function planEntrypoint(step: StepScope, { command }: InstructionOf<"entrypoint">): void {
  const { draft } = step;
  step.markOnce("entrypoint");
  const args = commandArguments(draft, command);
  draft.config.entrypoint = args;
  if (!draft.seenOnce.has("cmd")) draft.config.cmd = [];
  draft.addEmptyRow(`ENTRYPOINT ${formatQuotedList(args)}`);
}

export function planShell(step: StepScope, { shell }: InstructionOf<"shell">): void {
  step.draft.config.shell = shell;
  step.draft.addEmptyRow(`SHELL ${formatList(shell)}`);
}

export function planHealthcheck(step: StepScope, check: InstructionOf<"healthcheck">): void {
  step.markOnce("healthcheck");
  const test = healthcheckTest(check.command);
  const { interval, timeout, startPeriod, startInterval, retries } = check;
  const healthcheck: Healthcheck = {
    Test: test,
    ...(interval !== 0 && { Interval: interval }),
    ...(timeout !== 0 && { Timeout: timeout }),
    ...(startPeriod !== 0 && { StartPeriod: startPeriod }),
    ...(startInterval !== 0 && { StartInterval: startInterval }),
    ...(retries !== 0 && { Retries: retries }),
  };
  step.draft.config.healthcheck = healthcheck;
  step.draft.addEmptyRow(
    `HEALTHCHECK {Test:${formatList(test)} Interval:${formatDuration(interval)} Timeout:${formatDuration(timeout)} ` +
      `StartPeriod:${formatDuration(startPeriod)} StartInterval:${formatDuration(startInterval)} Retries:${retries}}`,
  );
}

function healthcheckTest(command: CommandLine | null): readonly string[] {
  if (command === null) return ["NONE"];
  return command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.text];
}

export function planUser(step: StepScope, { user }: InstructionOf<"user">): void {
  step.draft.config.user = step.expand(user);
  step.draft.addEmptyRow(`USER ${step.draft.config.user}`);
}

export function planVolume(step: StepScope, { paths }: InstructionOf<"volume">): void {
  const expanded = paths.map((path) => step.expand(path));
  if (expanded.includes(""))
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", "VOLUME specified can not be an empty string");
  for (const path of expanded) step.draft.config.volumes.add(path);
  step.draft.addEmptyRow(`VOLUME ${formatList(expanded)}`);
}

export function planStopSignal(step: StepScope, instruction: InstructionOf<"stopsignal">): void {
  const signal = step.expand(instruction.signal);
  checkStopSignal(signal);
  step.draft.config.stopSignal = signal;
  step.draft.addEmptyRow(`STOPSIGNAL ${signal}`);
}

/** The words are sorted as written, then expanded and split. */
export function planExpose(step: StepScope, instruction: InstructionOf<"expose">): void {
  const words = instruction.ports.toSorted(compareNames).flatMap((word) => step.expandToWords(word));
  const ports = words.flatMap((word) => {
    const exposed = parseExposedPort(word);
    if (exposed.protocol !== exposed.protocol.toLowerCase())
      step.warn("ExposeProtoCasing", `Defined protocol '${word}' in EXPOSE instruction should be lowercase`);
    if (exposed.hasHostPart)
      step.warn(
        "ExposeInvalidFormat",
        `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`,
      );
    return exposed.ports;
  });
  for (const port of ports) step.draft.config.exposedPorts.add(port);
  step.draft.addEmptyRow(`EXPOSE ${formatList(ports)}`);
}

export function planMaintainer(step: StepScope, { maintainer }: InstructionOf<"maintainer">): void {
  step.draft.author = maintainer;
  step.draft.addEmptyRow(`MAINTAINER ${maintainer}`);
}

export function planOnbuild(step: StepScope, { expression }: InstructionOf<"onbuild">): void {
  step.draft.config.onBuild.push(expression);
}

/** Makes the directory, as a layer of its own even if it is there; only `/` needs none. */
export function planWorkdir(step: StepScope, { path }: InstructionOf<"workdir">): void {
  const { draft } = step;
  const written = step.expand(path);
  if (!draft.hasOwnWorkdir && !written.startsWith("/"))
    step.warn(
      "WorkdirRelativePath",
      `Relative workdir ${JSON.stringify(written)} can have unexpected results if the base image changes`,
    );
  draft.hasOwnWorkdir = true;
  const workingDir = nextWorkingDir(draft.config.workingDir, written);
  draft.config.workingDir = workingDir;
  if (workingDir === "/") {
    draft.addEmptyRow("WORKDIR /");
    return;
  }
  step.addLayer(
    {
      kind: "workdir",
      parent: step.parent(),
      path: cleanPath(workingDir),
      user: draft.config.user,
      epoch: step.build.epoch,
    },
    `WORKDIR ${workingDir}`,
  );
}
