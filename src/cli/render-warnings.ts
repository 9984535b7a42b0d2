import type { BuildWarning } from "../plan/build-graph.ts";
import { toPlainText } from "./progress/plain-text.ts";

/** What the build checks found, as text; "" when they found nothing. */
export function renderWarnings(warnings: readonly BuildWarning[]): string {
  if (warnings.length === 0) return "";
  const count = warnings.length === 1 ? "1 warning" : `${warnings.length} warnings`;
  const lines = warnings.map(({ rule, message, location }) => {
    const place = location === null ? "" : ` (line ${location.startLine})`;
    return ` - ${rule}: ${toPlainText(message)}${place}\n`;
  });
  return `\n${count} found:\n${lines.join("")}`;
}
