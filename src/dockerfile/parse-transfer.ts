import { BuildError } from "../base/errors.ts";
import { type FlagKind, readFlags } from "./flag-values.ts";
import { parseHeredocWord } from "./heredoc.ts";
import type { Heredoc, InstructionOf } from "./instruction.ts";
import type { SourceNode } from "./source-node.ts";

type Own<K extends "copy" | "add"> = Omit<InstructionOf<K>, "location" | "keyword" | "original" | "comments">;

const sharedFlags = { chown: "text", chmod: "text", link: "switch", exclude: "list" } as const satisfies Record<
  string,
  FlagKind
>;

/** COPY and ADD: sources, heredocs and destination, with the flags of each. */
export function parseTransfer(node: SourceNode, name: "COPY"): Own<"copy">;
export function parseTransfer(node: SourceNode, name: "ADD"): Own<"add">;
export function parseTransfer(node: SourceNode, name: "COPY" | "ADD"): Own<"copy"> | Own<"add"> {
  const words = node.args.form === "words" || node.args.form === "json" ? node.args.words : [];
  const destination = words.at(-1);
  if (destination === undefined || words.length < 2)
    throw new BuildError(
      "DOCKERFILE_BAD_ARGUMENT",
      `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
      { hint: `write ${name} source destination` },
    );
  const flags = readFlags(node.flags, {
    ...sharedFlags,
    ...(name === "COPY"
      ? { from: "text", parents: "switch" }
      : { checksum: "text", "keep-git-dir": "switch", unpack: "switch" }),
  });
  if (parseHeredocWord(destination) !== null)
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `${name} cannot accept a heredoc as a destination`);
  const shared = {
    ...splitSources(words.slice(0, -1), node.heredocs),
    destination,
    chown: flags.text("chown"),
    chmod: flags.text("chmod"),
    link: flags.switch("link") ?? false,
    excludes: flags.list("exclude"),
  };
  if (name === "COPY")
    return { kind: "copy", from: flags.text("from"), ...shared, parents: flags.switch("parents") ?? false };
  return {
    kind: "add",
    checksum: flags.text("checksum"),
    keepGitDir: flags.switch("keep-git-dir"),
    unpack: flags.switch("unpack"),
    ...shared,
    parents: false,
  };
}

/** Paths and heredocs apart. Two heredocs of one name both have the body of the last one. */
function splitSources(
  words: readonly string[],
  collected: readonly Heredoc[],
): { readonly sources: readonly string[]; readonly heredocs: readonly Heredoc[] } {
  const bodies = new Map(collected.map(({ name, content }) => [name, content]));
  const sources: string[] = [];
  const heredocs: Heredoc[] = [];
  for (const word of words) {
    const heredoc = parseHeredocWord(word);
    if (heredoc === null) sources.push(word);
    else heredocs.push({ ...heredoc, content: bodies.get(heredoc.name) ?? "" });
  }
  return { sources, heredocs };
}
