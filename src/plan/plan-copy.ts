import { type Digest, parseDigest } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { type GitUrl, isGitUrl, isHttpUrl, parseGitUrl } from "../context/git-url.ts";
import { redactUrls } from "../context/redact-url.ts";
import { heredocText } from "../dockerfile/heredoc.ts";
import type { InstructionOf } from "../dockerfile/instruction.ts";
import { quoteText } from "../dockerfile/quote-text.ts";
import type { CopyInlineAction, CopyPathsAction, TreeSource } from "./build-graph.ts";
import { baseName, copyDestination, isFileName } from "./container-path.ts";
import { checkModeChange } from "./mode-change.ts";
import type { GitSource, HttpSource } from "./plan-input.ts";
import type { StepScope } from "./step-scope.ts";

type Transfer = InstructionOf<"copy"> | InstructionOf<"add">;
type Action = CopyPathsAction | CopyInlineAction;
/** What all actions of an instruction have in common. */
type Target = Pick<CopyPathsAction, "destination" | "chown" | "chmod">;

/** Every source becomes an action of one step, in order, heredocs last; `--link` makes the step stand on nothing. */
export function planTransfer(step: StepScope, instruction: Transfer): void {
  const { draft } = step;
  const chown = expandFlag(step, instruction.chown);
  const chmod = expandFlag(step, instruction.chmod);
  const checksum = instruction.kind === "add" ? expandFlag(step, instruction.checksum) : null;
  const sources = instruction.sources.map((source) => step.expand(source));
  const destination = step.expand(instruction.destination);
  const heredocs = instruction.heredocs.map((heredoc) => {
    const text = heredocText(heredoc);
    return { name: heredoc.name, content: heredoc.expand ? step.expandHeredoc(text) : text };
  });
  if (chmod !== null) checkModeChange(chmod);
  if (checksum !== null) checkChecksumUse(sources);

  const target = { destination: copyDestination(draft.config.workingDir, destination), chown, chmod };
  const actions: Action[] = [];
  for (const source of sources) addSource(step, instruction, actions, source, checksum, target);
  for (const { name, content } of heredocs) {
    if (!isFileName(name))
      throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `heredoc ${quoteText(name)}: want a name without slashes`);
    actions.push({ kind: "inline", name, content, ...target });
  }

  const createdBy = [
    instruction.kind === "add" ? "ADD" : "COPY",
    ...(instruction.parents && instruction.kind === "copy" ? ["--parents"] : []),
    ...(chown === null ? [] : [`--chown=${chown}`]),
    ...(chmod === null ? [] : [`--chmod=${chmod}`]),
    ...sources.map(redactUrls),
    ...heredocs.map(({ name }) => `<<${name}`),
    destination,
    "# buildkit",
  ].join(" ");
  const spec = { kind: "copy", actions, instruction: instruction.kind === "add" ? "ADD" : "COPY" } as const;
  if (instruction.link && chmod === null) step.addLinkedLayer({ ...spec, parent: null }, createdBy);
  else step.addLayer({ ...spec, parent: step.parent() }, createdBy);
}

/** A flag's value, expanded; null when it is not given or turns out empty. */
function expandFlag(step: StepScope, value: string | null): string | null {
  const expanded = value === null ? "" : step.expand(value);
  return expanded === "" ? null : expanded;
}

function checkChecksumUse(sources: readonly string[]): void {
  const problem =
    sources.length !== 1
      ? "checksum can't be specified for multiple sources"
      : sources.every((source) => isGitUrl(source) || isHttpUrl(source))
        ? null
        : "checksum requires HTTP(S) or Git sources";
  if (problem !== null) throw new BuildError("DOCKERFILE_BAD_FLAG", problem);
}

function addSource(
  step: StepScope,
  instruction: Transfer,
  actions: Action[],
  source: string,
  checksum: string | null,
  target: Target,
): void {
  const git = parseGitUrl(source);
  const isRemote = (git !== null && !git.looksLocal) || isHttpUrl(source);
  if (isRemote && instruction.kind === "copy")
    throw new BuildError(
      "DOCKERFILE_BAD_ARGUMENT",
      git === null ? "source can't be a URL for COPY" : "source can't be a git ref for COPY",
      { hint: "use ADD for remote sources" },
    );
  if (instruction.kind === "add" && isRemote) {
    const spec = git === null ? httpSource(source, checksum) : gitSource(git, instruction.keepGitDir, checksum);
    const tree: TreeSource = { kind: "vertex", vertex: step.addSource(spec) };
    const unpack = spec.kind === "http" && instruction.unpack === true ? "auto" : "never";
    const path = spec.kind === "http" ? literalPattern(spec.fileName) : "";
    actions.push(pathsAction(tree, `/${path}`, instruction, target, unpack));
    return;
  }
  const unpack = instruction.kind === "add" && instruction.unpack !== false ? "auto" : "never";
  const tree = step.copySource();
  if (tree.kind === "context" && tree.name === "context") step.warnIfIgnored(source);
  const last = actions.at(-1);
  if (last?.kind === "paths" && last.source === tree && last.unpack === unpack)
    actions[actions.length - 1] = { ...last, paths: [...last.paths, source] };
  else actions.push({ ...pathsAction(tree, source, instruction, target, unpack) });
}

function pathsAction(
  source: TreeSource,
  path: string,
  instruction: Transfer,
  target: Target,
  unpack: CopyPathsAction["unpack"],
): CopyPathsAction {
  const parents = instruction.kind === "copy" && instruction.parents;
  return { kind: "paths", source, paths: [path], ...target, parents, excludes: instruction.excludes, unpack };
}

/** A pattern that matches exactly this name. */
const literalPattern = (name: string): string =>
  /[*?[]/.test(name) ? name.replace(/[*?[\\]/g, (char) => `[${char === "\\" ? "\\\\" : char}]`) : name;

/** The file behind a URL, named as the last part of its path. */
export function httpSource(url: string, checksum: string | null): HttpSource {
  return { kind: "http", url, fileName: fileNameOf(url), checksum: checksum === null ? null : readChecksum(checksum) };
}

function fileNameOf(url: string): string {
  const path = URL.canParse(url) ? decodePath(new URL(url).pathname) : "";
  const name = baseName(path);
  return isFileName(name) ? name : "__unnamed__";
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function readChecksum(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    if (!isBuildError(error)) throw error;
    throw new BuildError("DOCKERFILE_BAD_FLAG", `invalid checksum: ${error.message}`, { cause: error });
  }
}

/** The repository a URL names, with what flags of ADD add to it. */
export function gitSource(git: GitUrl, keepGitDir: boolean | null, checksum: string | null): GitSource {
  if (keepGitDir !== null && git.keepGitDir !== null && keepGitDir !== git.keepGitDir)
    throw new BuildError("DOCKERFILE_BAD_FLAG", "inconsistent keep-git-dir configuration");
  if (checksum !== null && git.checksum !== null && checksum !== git.checksum)
    throw new BuildError(
      "DOCKERFILE_BAD_FLAG",
      `checksum mismatch ${quoteText(checksum)} != ${quoteText(git.checksum)}`,
    );
  return {
    kind: "git",
    url: git.remote,
    ref: git.ref,
    subdir: git.subdir,
    keepGitDir: git.keepGitDir ?? keepGitDir ?? false,
    submodules: git.submodules ?? true,
    checksum: git.checksum ?? checksum,
  };
}
