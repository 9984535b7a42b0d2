import { createHash } from "node:crypto";
import { type DiffId, type Digest, digestFromHex } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import { defineTask } from "../base/task.ts";
import { openTree } from "../context/open-tree.ts";
import type { TreeSpec } from "../context/tree-spec.ts";
import type { ImageProblem } from "../image/image-problem.ts";
import type { Compression } from "../image/media-types.ts";
import { LayerTarCheck } from "../layer/check-layer-tar.ts";
import { decompress } from "../layer/decompress.ts";
import type { LayerRow } from "../layer/entry.ts";
import { fileChunks } from "../layer/file-chunks.ts";
import { encodeRow } from "../layer/index-line.ts";
import { readLayerIndex } from "../layer/layer-index.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import { streamLayerTar } from "../layer/stream-layer-tar.ts";
import { defaultTarLimits } from "../layer/tar-member.ts";

type Finding = Pick<ImageProblem, "code" | "message">;

export interface LayerBlobCheckInput {
  /** Where the blob lies. */
  readonly tree: TreeSpec;
  readonly path: string;
  /** What is said of it; null for what nobody says. */
  readonly digest: Digest | null;
  readonly diffId: DiffId | null;
  readonly compression: Compression | null;
  readonly isStrict: boolean;
}

export const checkLayerBlobTask = defineTask<LayerBlobCheckInput, readonly Finding[]>("output.checkLayerBlob");
export interface StoredLayerCheckInput {
  readonly layer: LayerLocation;
  /** The blob the tar is made from where `layer` has nothing to make it from; null otherwise. */
  readonly blobFile: string | null;
}

export const checkStoredLayerTask = defineTask<StoredLayerCheckInput, readonly Finding[]>("output.checkStoredLayer");

const chunkBytes = 1 << 19;

/** Reads a layer's blob once; everything about it that is not as it should be. Without a diffID it is only hashed. */
export async function checkLayerBlob(input: LayerBlobCheckInput): Promise<readonly Finding[]> {
  const { diffId } = input;
  const blobHash = createHash("sha256");
  const chunks = hashedChunks(input, (chunk) => void blobHash.update(chunk));
  const findings: Finding[] = [];
  if (diffId !== null) findings.push(...(await checkContent(chunks, diffId, input)));
  for (const _ of chunks);
  const got = digestFromHex(blobHash.digest("hex"));
  if (input.digest !== null && got !== input.digest)
    findings.unshift({ code: "BLOB_DIGEST", message: `got ${got}, want ${input.digest}` });
  return findings;
}

async function checkContent(
  chunks: Iterable<Buffer>,
  diffId: DiffId,
  { compression, isStrict }: LayerBlobCheckInput,
): Promise<readonly Finding[]> {
  const check = new LayerTarCheck(isStrict, defaultTarLimits);
  try {
    const found = await decompress(unclosed(chunks), ["gzip", "zstd"], (bytes) => check.take(bytes));
    const got = check.finish();
    const findings: Finding[] = [...check.problems];
    if (compression !== null && found !== compression)
      findings.push({ code: "MEDIA_TYPE", message: `is compressed with ${found}, want ${compression}` });
    if (got !== diffId) findings.push({ code: "DIFF_ID", message: `got ${got}, want ${diffId}` });
    return findings;
  } catch (error) {
    if (!isBuildError(error)) throw error;
    return [...check.problems, { code: "TAR_FORMAT", message: error.message }];
  }
}

/** What is wrong with a layer of the store: its bytes, and its index, which must tell the same. */
export async function checkStoredLayer({ layer, blobFile }: StoredLayerCheckInput): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let tarProblems: readonly Finding[] = [];
  try {
    const index = readLayerIndex(layer.indexFile);
    const check = new LayerTarCheck(index.isCanonical, defaultTarLimits);
    tarProblems = check.problems;
    if (blobFile === null) for (const chunk of streamLayerTar(layer)) check.take(chunk);
    else await decompress(fileChunks(blobFile), ["gzip", "zstd"], (chunk) => check.take(chunk));
    const got = check.finish();
    if (got !== layer.diffId) findings.push({ code: "DIFF_ID", message: `got ${got}` });
    if (index.sizeBytes !== check.sizeBytes)
      findings.push({ code: "INDEX", message: `got ${index.sizeBytes} bytes, want ${check.sizeBytes}` });
    const rows = check.rows();
    const difference = rows === null ? null : firstDifference(index, rows, index.isCanonical);
    if (difference !== null) findings.push({ code: "INDEX", message: difference });
  } catch (error) {
    if (!isBuildError(error)) throw error;
    const code = error.code === "LAYER_MALFORMED" ? "INDEX" : "DIFF_ID";
    findings.push({ code, message: error.message });
  }
  return [...tarProblems, ...findings];
}

/** A layer of a directory knows its times to the nanosecond; its tar has whole seconds. */
function firstDifference(index: Iterable<LayerRow>, rows: Iterable<LayerRow>, isCanonical: boolean): string | null {
  const line = (row: LayerRow): string => encodeRow(isCanonical ? { ...row, mtimeNanos: 0 } : row);
  const wanted = rows[Symbol.iterator]();
  for (const row of index) {
    const next = wanted.next();
    if (next.done === true) return `has a row ${JSON.stringify(row.path)} too many`;
    if (line(row) !== line(next.value)) return `tells of ${JSON.stringify(row.path)} what the tar does not`;
  }
  const left = wanted.next();
  return left.done === true ? null : `has no row for ${JSON.stringify(left.value.path)}`;
}

function* hashedChunks(
  { tree: spec, path }: LayerBlobCheckInput,
  onChunk: (chunk: Buffer) => void,
): Generator<Buffer, void> {
  const tree = openTree(spec);
  const entry = tree.lstat(path);
  if (entry === null) return;
  const reader = tree.open(entry);
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafeSlow(chunkBytes);
      const got = reader.read(chunk);
      if (got === 0) return;
      onChunk(chunk.subarray(0, got));
      yield chunk.subarray(0, got);
    }
  } finally {
    reader.close();
  }
}

/** Whoever stops reading early leaves the rest to be hashed. */
const unclosed = (chunks: Iterable<Buffer>): Iterable<Buffer> => {
  const iterator = chunks[Symbol.iterator]();
  return { [Symbol.iterator]: () => ({ next: () => iterator.next() }) };
};
