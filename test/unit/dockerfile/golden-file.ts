import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

const root = "fixtures/dockerfile";

/** Names of the cases in a folder of fixtures/dockerfile. */
export const casesIn = (folder: string): string[] => readdirSync(join(root, folder)).sort();

export const caseDockerfile = (folder: string, name: string): Buffer =>
  readFileSync(join(root, folder, name, "Dockerfile"));

/** Compares with a case's golden file; UPDATE_GOLDEN=1 writes it instead. */
export function expectGolden(folder: string, name: string, file: string, actual: string): void {
  const path = join(root, folder, name, file);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, actual);
  expect(existsSync(path), `${path} is missing: run with UPDATE_GOLDEN=1 and look at what it writes`).toBe(true);
  expect(actual).toBe(readFileSync(path, "utf8"));
}
