import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, hexOf } from "../../src/base/digest.ts";
import { openTarContext } from "../../src/context/tar-context.ts";
import type { TreeSpec } from "../../src/context/tree-spec.ts";
import { verifyArchive } from "../../src/engine/verify-archive.ts";
import { parseManifest } from "../../src/image/manifest.ts";
import { checkLayerBlob, checkLayerBlobTask } from "../../src/output/check-layer.ts";
import { bindTask, functionRunner } from "./function-runner.ts";
import type { TestRegistry } from "./registry.ts";

const runner = functionRunner(bindTask(checkLayerBlobTask, checkLayerBlob));

/** What is wrong with an archive or OCI layout that was written here, as `tsbuild verify --strict` says it. */
export async function problemsIn(path: string, isStrict = true): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), "tsbuild-verify-"));
  try {
    const problems = await verifyArchive(await specOf(path, directory), isStrict, runner, new AbortController().signal);
    return problems.map(({ code, subject, message }) => `${code} ${subject}: ${message}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function specOf(path: string, directory: string): Promise<TreeSpec> {
  if (statSync(path).isDirectory())
    return { kind: "directory", root: path, ignore: [], ignoreFile: null, statCache: null };
  const opened = await openTarContext({ file: path, directory });
  if (opened.kind !== "tree") throw new Error(`${path} is no tar`);
  return opened.tree;
}

/** Writes what a registry has under the tag or digest `name` as an OCI layout into a new `directory`. */
export function writeLayout(registry: TestRegistry, name: string, directory: string): void {
  const manifest = registry.manifest(name);
  if (manifest === null) throw new Error(`the registry has no ${name}`);
  const { mediaType, config, layers } = parseManifest(manifest, null);
  const blobs = join(directory, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  for (const { digest } of [config, ...layers]) {
    const blob = registry.blob(digest);
    if (blob !== null) writeFileSync(join(blobs, digest.slice("sha256:".length)), blob);
  }
  const root = addBlob(blobs, manifest, mediaType);
  writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [root] }));
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

/** Writes a blob into the directory of a layout's blobs; its descriptor. */
export function addBlob(blobs: string, bytes: Uint8Array, mediaType: string): object {
  const digest = digestOf(bytes);
  writeFileSync(join(blobs, hexOf(digest)), bytes);
  return { mediaType, digest, size: bytes.length };
}
