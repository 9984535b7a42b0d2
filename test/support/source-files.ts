import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../src", import.meta.url));

/** Every file of src/ with its path below src/. */
export function sourceFiles(): readonly { readonly path: string; readonly text: string }[] {
  return readdirSync(root, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}
