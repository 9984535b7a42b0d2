import { BuildError } from "../base/errors.ts";
import { parseByteSize } from "./byte-size.ts";
import { csvFields } from "./csv-fields.ts";
import type { MountFlag, MountType } from "./instruction.ts";
import { quoteText, shorten } from "./quote-text.ts";
import { didYouMean } from "./suggest-name.ts";

const types: readonly MountType[] = ["bind", "cache", "tmpfs", "secret", "ssh"];
const sharings = ["shared", "private", "locked"] as const;
const truths: readonly string[] = ["1", "t", "T", "TRUE", "true", "True"];
const falsehoods: readonly string[] = ["0", "f", "F", "FALSE", "false", "False"];

type Draft = { -readonly [K in keyof MountFlag]: MountFlag[K] };
type Setter = (draft: Draft, value: string, key: string) => void;

/** What each key of a mount sets. The type counts as it was seen so far: `type=` belongs first. */
const setters: Readonly<Record<string, Setter>> = {
  type: (draft, value) => {
    draft.type = oneOf(types, value, "unsupported mount type");
  },
  from: (draft, value) => {
    draft.from = value || null;
  },
  source: (draft, value) => {
    draft.source = value || null;
  },
  target: (draft, value) => {
    draft.target = value || null;
  },
  readonly: (draft, value, key) => {
    draft.readOnly = truthOf(value, key);
  },
  readwrite: (draft, value, key) => {
    draft.readOnly = !truthOf(value, key);
  },
  required: (draft, value, key) => {
    refuseUnless(draft.type === "secret" || draft.type === "ssh", draft.type, key);
    draft.required = truthOf(value, key);
  },
  size: (draft, value, key) => {
    refuseUnless(draft.type === "tmpfs", draft.type, key);
    draft.sizeBytes = parseByteSize(value);
    if (draft.sizeBytes === null)
      throw bad(`invalid value for ${key}: ${quoteText(value)}`, "write a number of bytes with or without k, m or g");
  },
  id: (draft, value) => {
    draft.id = value || null;
  },
  sharing: (draft, value) => {
    draft.sharing = oneOf(sharings, value, "unsupported sharing value");
  },
  mode: (draft, value, key) => {
    draft.mode = numberOf(value, key, 8);
  },
  uid: (draft, value, key) => {
    draft.uid = numberOf(value, key, 10);
  },
  gid: (draft, value, key) => {
    draft.gid = numberOf(value, key, 10);
  },
  env: (draft, value) => {
    draft.env = value;
  },
};

const aliases: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  rw: "readwrite",
};

/** Keys that may stand without a value, meaning true. */
const bareKeys: readonly string[] = ["readonly", "readwrite", "required"];

/**
 * The value of one `RUN --mount=`. `expand` is applied to the value of every key, after the commas have been found.
 * `env` is "" when it was given without a name. Throws MOUNT_INVALID, DOCKERFILE_BAD_FLAG and what `expand` throws.
 */
export function parseMountFlag(flag: string, expand: (text: string) => string): MountFlag {
  const draft: Draft = {
    type: "bind",
    from: null,
    source: null,
    target: null,
    readOnly: null,
    required: false,
    sizeBytes: null,
    id: null,
    sharing: null,
    mode: null,
    uid: null,
    gid: null,
    env: null,
  };
  for (const field of csvFields(flag)) {
    const { key, value } = splitField(field);
    const name = Object.hasOwn(aliases, key) ? (aliases[key] ?? key) : key;
    if (value === null && !bareKeys.includes(name))
      throw bad(`invalid field '${shorten(field)}' must be a key=value pair`, didYouMean(key, bareKeys));
    const setter = Object.hasOwn(setters, name) ? setters[name] : undefined;
    const expanded = value === null ? "true" : expand(value);
    if (setter === undefined)
      throw bad(
        `unexpected key '${shorten(key)}' in '${shorten(field)}'`,
        didYouMean(key, [...Object.keys(setters), ...Object.keys(aliases)]),
      );
    setter(draft, expanded, key);
  }
  checkTogether(draft);
  return draft;
}

/**
 * What can be said of a `--mount` before its variables are known: its commas and quotes, and that `from` has no
 * variable. Throws MOUNT_INVALID, DOCKERFILE_BAD_FLAG.
 */
export function checkMountFlag(flag: string): void {
  for (const field of csvFields(flag)) {
    const { key, value } = splitField(field);
    const dollar = key === "from" ? (value ?? "").indexOf("$") : -1;
    if (dollar >= 0 && dollar !== (value ?? "").length - 1)
      throw bad(
        "'from' doesn't support variable expansion, define alias stage instead",
        "FROM takes variables: FROM $IMAGE AS name, then from=name",
      );
  }
}

function splitField(field: string): { readonly key: string; readonly value: string | null } {
  const equals = field.indexOf("=");
  if (equals < 0) return { key: field.toLowerCase(), value: null };
  return { key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1) };
}

/** The rules that need all keys. */
function checkTogether(mount: MountFlag): void {
  const { type } = mount;
  if (type === "bind" || type === "tmpfs") {
    for (const key of ["mode", "uid", "gid"] as const)
      if (mount[key] !== null) throw bad(`${key} not allowed for "${type}" type mounts`);
  }
  if (type === "secret") {
    if (mount.from !== null) throw bad("secret mount should not have a from");
    if (mount.sharing !== null) throw bad("secret mount should not define sharing");
    if (mount.source === null && mount.target === null && mount.id === null)
      throw bad("invalid secret mount. one of source, target required", "add id=NAME");
    if (mount.source !== null && mount.id !== null) throw bad("both source and id can't be set");
  }
  if (mount.sharing !== null && type !== "cache") throw bad(`invalid cache sharing set for ${type} mount`);
}

function oneOf<T extends string>(names: readonly T[], value: string, problem: string): T {
  const found = names.find((name) => name === value.toLowerCase());
  if (found === undefined) throw bad(`${problem} ${quoteText(value)}`, didYouMean(value, names));
  return found;
}

function truthOf(value: string, key: string): boolean {
  if (truths.includes(value)) return true;
  if (falsehoods.includes(value)) return false;
  throw bad(`invalid value for ${key}: ${quoteText(value)}`, "write true or false");
}

function numberOf(value: string, key: string, radix: 8 | 10): number {
  const number = (radix === 8 ? /^[0-7]{1,40}$/ : /^\d{1,40}$/).test(value) ? Number.parseInt(value, radix) : -1;
  if (number < 0 || number > 0xffffffff) throw bad(`invalid value ${quoteText(value)} for ${key}`);
  return number;
}

function refuseUnless(isAllowed: boolean, type: MountType, key: string): void {
  if (isAllowed) return;
  const wanted = key === "size" ? "tmpfs" : "secret and ssh";
  throw bad(
    `unexpected key '${key}' for mount type '${type}'`,
    `${key} belongs to ${wanted} mounts, and type= must stand before it`,
  );
}

const bad = (message: string, hint?: string): BuildError => new BuildError("MOUNT_INVALID", message, { hint });
