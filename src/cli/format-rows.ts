import { formatTable } from "./format-table.ts";
import { parseTemplate } from "./template/parse-template.ts";
import { jsonOfValue } from "./template/print-value.ts";
import { renderTemplate } from "./template/render-template.ts";
import type { Pipeline, TemplateNode } from "./template/template-node.ts";
import type { TemplateStruct } from "./template/template-value.ts";

/** Of docker's tables, the space behind a column included. */
const narrowestColumn = 10;

/**
 * Rows as `--format` wants them: `json` (one object a line), `table` (the columns of `columns`), `table TEMPLATE` with
 * headings, or a line of TEMPLATE for each. `columns` is a template too, cells parted by tabs; `headings` says what stands
 * above each field. Throws USAGE_INVALID for a template that is wrong.
 */
export function formatRows(
  format: string | undefined,
  rows: readonly TemplateStruct[],
  columns: string,
  headings: Readonly<Record<string, string>>,
): string {
  const wanted = (format ?? "table").trim();
  if (wanted === "json") return rows.map((row) => `${jsonOfValue(row)}\n`).join("");
  const table = /^table(?:\s+|$)/.exec(wanted)?.[0];
  const source = table === undefined ? wanted : wanted.slice(table.length) || columns;
  const nodes = withBlanks(parseTemplate(source));
  const lines = rows.map((row) => renderTemplate(nodes, source, row));
  if (table === undefined) return lines.map((line) => `${line}\n`).join("");
  return formatTable(
    headingOf(nodes, headings).split("\t"),
    lines.map((line) => line.split("\t")),
    narrowestColumn,
  );
}

/** A shell hands over `\t` as two characters; in strings of a template they are escapes already. */
function withBlanks(nodes: readonly TemplateNode[]): readonly TemplateNode[] {
  return nodes.map((node) => {
    if (node.kind === "text") return { ...node, text: node.text.replaceAll("\\t", "\t").replaceAll("\\n", "\n") };
    if (node.kind === "action") return node;
    return { ...node, body: withBlanks(node.body), otherwise: withBlanks(node.otherwise) };
  });
}

/** The line above a table: each action as the heading of the field it shows. */
function headingOf(nodes: readonly TemplateNode[], headings: Readonly<Record<string, string>>): string {
  return nodes
    .map((node) => {
      if (node.kind === "text") return node.text;
      if (node.kind !== "action") return headingOf(node.body, headings);
      const field = firstField(node.pipeline);
      return field === null ? "" : (headings[field] ?? field.toUpperCase());
    })
    .join("");
}

function firstField({ commands }: Pipeline): string | null {
  for (const operand of commands.flatMap(({ operands }) => operands)) {
    const field =
      operand.kind === "dot" ? operand.path[0] : operand.kind === "group" ? firstField(operand.pipeline) : null;
    if (field !== null && field !== undefined) return field;
  }
  return null;
}
