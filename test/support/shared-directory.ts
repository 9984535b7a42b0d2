import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";

/** One directory for all tests of the file that calls this, removed behind them. */
export function useSharedDirectory(): { readonly path: string } {
  const current = { path: "" };
  beforeAll(() => {
    current.path = mkdtempSync(join(tmpdir(), "tsbuild-test-"));
  });
  afterAll(() => rmSync(current.path, { recursive: true, force: true }));
  return current;
}
