import { BuildError, isBuildError, withFacts } from "../base/errors.ts";
import { keywords } from "./argument-forms.ts";
import { parseDuration } from "./duration.ts";
import { readFlags } from "./flag-values.ts";
import type { CommandLine, Instruction, InstructionKind, InstructionOf, KeyValue } from "./instruction.ts";
import { checkMountFlag } from "./mount-flag.ts";
import { parseTransfer } from "./parse-transfer.ts";
import { quoteText, shorten, wordDetail } from "./quote-text.ts";
import type { SourceNode } from "./source-node.ts";
import { suggestName } from "./suggest-name.ts";
import { trim } from "./white-space.ts";

type Common = Pick<Instruction, "location" | "keyword" | "original" | "comments">;
type Own<K extends InstructionKind> = Omit<InstructionOf<K>, keyof Common>;
type Parsers = { readonly [K in InstructionKind]: (node: SourceNode) => Own<K> };

/** What each instruction makes of its node: flags and arguments checked, nothing expanded. */
const parsers: Parsers = {
  from: parseFrom,
  arg: (node) => ({ kind: "arg", args: atLeastOne(node).map(parseArg) }),
  env: (node) => ({ kind: "env", ...parsePairs(node) }),
  label: (node) => ({ kind: "label", ...parsePairs(node) }),
  run: parseRun,
  copy: (node) => parseTransfer(node, "COPY"),
  add: (node) => parseTransfer(node, "ADD"),
  workdir: (node) => ({ kind: "workdir", path: onlyText(node) }),
  user: (node) => ({ kind: "user", user: onlyText(node) }),
  expose: (node) => {
    const ports = atLeastOne(node).toSorted();
    refuseFlags(node);
    return { kind: "expose", ports };
  },
  volume: parseVolume,
  stopsignal: (node) => ({ kind: "stopsignal", signal: exactlyOne(node) }),
  cmd: (node) => ({ kind: "cmd", command: parseCommand(node) }),
  entrypoint: (node) => ({ kind: "entrypoint", command: parseCommand(node) }),
  shell: parseShell,
  healthcheck: parseHealthcheck,
  onbuild: parseOnbuild,
  maintainer: (node) => ({ kind: "maintainer", maintainer: onlyText(node) }),
};

/**
 * A node as an instruction. Throws DOCKERFILE_UNKNOWN_INSTRUCTION, DOCKERFILE_BAD_FLAG, DOCKERFILE_BAD_ARGUMENT,
 * MOUNT_INVALID, STAGE_INVALID, with the node's location.
 */
export function parseInstruction(node: SourceNode): Instruction {
  const { location, keyword, original, comments } = node;
  try {
    const kind = keyword.toLowerCase();
    if (!isKind(kind)) throw unknownInstruction(keyword);
    return { location, keyword, original, comments, ...parsers[kind](node) };
  } catch (error) {
    throw isBuildError(error) ? withFacts(error, { location }) : error;
  }
}

const isKind = (kind: string): kind is InstructionKind => Object.hasOwn(parsers, kind);

function unknownInstruction(keyword: string): BuildError {
  const known = suggestName(keyword.toUpperCase(), keywords);
  const suggested = keyword === keyword.toLowerCase() ? known?.toLowerCase() : known;
  return new BuildError("DOCKERFILE_UNKNOWN_INSTRUCTION", `unknown instruction: ${shorten(keyword)}`, {
    hint: suggested === undefined ? undefined : `did you mean ${suggested}?`,
    details: wordDetail(keyword),
  });
}

function parseFrom(node: SourceNode): Own<"from"> {
  const [base, asKeyword, written] = wordsOf(node);
  const count = wordsOf(node).length;
  const isNamed = count === 3 && asKeyword?.toLowerCase() === "as";
  if (base === undefined || (count !== 1 && !isNamed)) throw bad("FROM requires either one or three arguments");
  const stageName = isNamed ? (written ?? "").toLowerCase() : null;
  if (stageName !== null && !/^[a-z][a-z0-9\-_.]*$/.test(stageName))
    throw new BuildError(
      "STAGE_INVALID",
      `invalid name for build stage: ${quoteText(written ?? "")}, name can't start with a number or contain symbols`,
      { details: wordDetail(written ?? "") },
    );
  const flags = readFlags(node.flags, { platform: "text" });
  return {
    kind: "from",
    base,
    platform: flags.text("platform"),
    stageName,
    stageNameAsWritten: isNamed ? (written ?? null) : null,
    asKeyword: isNamed ? (asKeyword ?? null) : null,
  };
}

function parseArg(word: string): KeyValue {
  const equals = word.indexOf("=");
  if (equals === 0) throw bad("ARG names can not be blank");
  return equals < 0 ? { key: word, value: null } : { key: word.slice(0, equals), value: word.slice(equals + 1) };
}

function parsePairs(node: SourceNode): { readonly pairs: readonly KeyValue[]; readonly legacy: boolean } {
  const keyword = node.keyword.toUpperCase();
  refuseFlags(node);
  const { args } = node;
  if (args.form !== "pairs" || args.pairs.length === 0) throw bad(`${keyword} requires at least one argument`);
  if (args.pairs.some(({ key }) => key === "")) throw bad(`${keyword} names can not be blank`);
  return { pairs: args.pairs, legacy: args.isLegacy };
}

function parseRun(node: SourceNode): Own<"run"> {
  const flags = readFlags(node.flags, {
    mount: "list",
    network: "text",
    security: "text",
    device: "list",
  });
  const mounts = flags.list("mount");
  for (const mount of mounts) checkMountFlag(mount);
  const network = node.flags.some((flag) => flag.startsWith("--network=")) ? (flags.text("network") ?? "") : "default";
  if (network !== "default" && network !== "none" && network !== "host")
    throw badFlag(`invalid network mode ${quoteText(network)}`, "want default, none or host");
  const security = flags.list("security")[0] ?? "sandbox";
  if (security !== "sandbox" && security !== "insecure")
    throw badFlag(`security ${quoteText(security)} is not valid`, "want sandbox or insecure");
  const devices = flags.list("device");
  return { kind: "run", command: commandOf(node), heredocs: node.heredocs, mounts, network, security, devices };
}

function parseVolume(node: SourceNode): Own<"volume"> {
  const words = atLeastOne(node);
  refuseFlags(node);
  const paths = words.map(trim);
  if (paths.includes("")) throw bad("VOLUME specified can not be an empty string");
  return { kind: "volume", paths };
}

function parseCommand(node: SourceNode): CommandLine {
  refuseFlags(node);
  return commandOf(node);
}

/** The JSON array, or the text; "" when there is nothing. */
function commandOf(node: SourceNode): CommandLine {
  const { args } = node;
  return args.form === "json" ? { form: "exec", args: args.words } : { form: "shell", text: wordsOf(node).join(" ") };
}

function parseShell(node: SourceNode): Own<"shell"> {
  refuseFlags(node);
  const shell = atLeastOne(node);
  if (node.args.form !== "json")
    throw bad("SHELL requires the arguments to be in JSON form", 'write SHELL ["/bin/bash", "-c"]');
  return { kind: "shell", shell };
}

function parseHealthcheck(node: SourceNode): Own<"healthcheck"> {
  const [type, ...words] = atLeastOne(node);
  const kind = (type ?? "").toUpperCase();
  const none = { command: null, interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };
  if (kind === "NONE") {
    if (words.length > 0) throw bad("HEALTHCHECK NONE takes no arguments");
    return { kind: "healthcheck", ...none };
  }
  const flags = readFlags(node.flags, {
    interval: "text",
    timeout: "text",
    "start-period": "text",
    "start-interval": "text",
    retries: "text",
  });
  if (kind !== "CMD") throw bad(`Unknown type ${quoteText(kind)} in HEALTHCHECK (try CMD)`);
  if (words.length === 0) throw bad("Missing command after HEALTHCHECK CMD");
  return {
    kind: "healthcheck",
    command: node.args.form === "json" ? { form: "exec", args: words } : { form: "shell", text: words.join(" ") },
    interval: parseInterval("interval", flags.text("interval")),
    timeout: parseInterval("timeout", flags.text("timeout")),
    startPeriod: parseInterval("start-period", flags.text("start-period")),
    startInterval: parseInterval("start-interval", flags.text("start-interval")),
    retries: parseRetries(flags.text("retries")),
  };
}

/** Nanoseconds; 0 when not given. */
function parseInterval(name: string, text: string | null): number {
  const duration = text === null ? 0 : parseDuration(text);
  if (duration !== 0 && duration < 1e6) throw bad(`Interval "${name}" cannot be less than 1ms`);
  return duration;
}

function parseRetries(text: string | null): number {
  if (text === null) return 0;
  const retries = /^[-+]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(Math.abs(retries) < 2 ** 31)) throw bad(`invalid value ${quoteText(text)} for --retries: want a whole number`);
  if (retries < 0) throw bad(`--retries cannot be negative (${retries})`);
  return retries;
}

function parseOnbuild(node: SourceNode): Own<"onbuild"> {
  const trigger = node.args.form === "trigger" ? node.args.trigger : null;
  if (trigger === null) throw bad("ONBUILD requires at least one argument");
  refuseFlags(node);
  const keyword = trigger.keyword.toUpperCase();
  if (keyword === "ONBUILD") throw bad("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword === "MAINTAINER" || keyword === "FROM") throw bad(`${keyword} isn't allowed as an ONBUILD trigger`);
  const header = node.original.replace(/^[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*/i, "");
  const bodies = node.heredocs.map(({ content, name }) => `\n${content}${name}`);
  return { kind: "onbuild", expression: header + bodies.join("") };
}

function wordsOf(node: SourceNode): readonly string[] {
  return node.args.form === "words" || node.args.form === "json" ? node.args.words : [];
}

function atLeastOne(node: SourceNode): readonly string[] {
  const words = wordsOf(node);
  if (words.length === 0) throw bad(`${node.keyword.toUpperCase()} requires at least one argument`);
  return words;
}

function exactlyOne(node: SourceNode): string {
  const [word] = wordsOf(node);
  if (word === undefined) throw bad(`${node.keyword.toUpperCase()} requires exactly one argument`);
  return word;
}

function onlyText(node: SourceNode): string {
  const text = exactlyOne(node);
  refuseFlags(node);
  return text;
}

function refuseFlags(node: SourceNode): void {
  readFlags(node.flags, {});
}

const bad = (message: string, hint?: string): BuildError =>
  new BuildError("DOCKERFILE_BAD_ARGUMENT", message, { hint });
const badFlag = (message: string, hint: string): BuildError => new BuildError("DOCKERFILE_BAD_FLAG", message, { hint });
