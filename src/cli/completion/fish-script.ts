import { allNodes, type CommandNode, type OptionNode, type WordKind } from "./command-tree.ts";

/** The script that completes in fish. */
export function fishScript(root: CommandNode): string {
  const lines = [
    "# Completion of tsbuild for fish: tsbuild completion fish | source",
    "function __tsbuild_at",
    "    set -l words (commandline -opc)",
    "    set -e words[1]",
    "    set -l key",
    "    for word in $words",
    '        string match -q -- "-*" $word; and break',
    '        contains -- "$key $word" $__tsbuild_keys; or break',
    '        set key "$key $word"',
    "    end",
    '    test "$key" = "$argv[1]"',
    "end",
    `set -g __tsbuild_keys ${allNodes(root)
      .filter(({ path }) => path.length > 0)
      .map((node) => quote(keyOf(node)))
      .join(" ")}`,
    "complete -c tsbuild -e",
    "complete -c tsbuild -f",
    ...allNodes(root).flatMap(linesOf),
  ];
  return `${lines.join("\n")}\n`;
}

const keyOf = ({ path }: CommandNode): string => path.map((word) => ` ${word}`).join("");

function linesOf(node: CommandNode): readonly string[] {
  const here = `complete -c tsbuild -n ${quote(`__tsbuild_at ${quote(keyOf(node))}`)}`;
  return [
    ...node.children.map((child) => `${here} -a ${quote(child.path.at(-1) ?? "")} -d ${quote(child.description)}`),
    ...(node.argument === "other" ? [] : [`${here} ${wordsOf(node.argument)}`]),
    ...node.options.map((option) => `${here} ${optionOf(option)}`),
  ];
}

function optionOf({ long, short, description, value, choices }: OptionNode): string {
  const parts = [
    ...(long === null ? [] : [`-l ${long.slice(2)}`]),
    ...(short === null ? [] : [`-s ${short.slice(1)}`]),
    ...(value === null ? [] : [choices.length > 0 ? "-x" : "-r"]),
    ...(choices.length > 0 ? [`-a ${quote(choices.join(" "))}`] : value === null ? [] : [wordsOf(value)]),
    `-d ${quote(description)}`,
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function wordsOf(kind: WordKind): string {
  if (kind === "file") return "-F";
  return kind === "other" ? "" : `-a ${quote(`(tsbuild __complete ${kind} 2>/dev/null)`)}`;
}

const quote = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
