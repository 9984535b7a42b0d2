import { closeSync, openSync, readSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { asDiffId, type DiffId, type Digest, digestFromHex, digestOf, parseDigest } from "../base/digest.ts";
import type { BlockFormat, KnownBlocks } from "../layer/compress-blocks.ts";
import { RecordFields } from "./record-fields.ts";
import { readExpendableRecord, writeRecord } from "./record-file.ts";
import { isMissing } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";
import type { PlacedBlock, WrittenBlob } from "./write-blob.ts";

/** Notes that are looked into, the newest first, and blocks that are remembered from them. */
const mostNotes = 64;
const mostBlocks = 100_000;

interface BlockPlace {
  readonly file: string;
  readonly block: PlacedBlock;
}

/**
 * What the blocks of blobs are that were compressed here, one note a layer: `layers/<hex>/blocks.json`. A layer that
 * shares blocks with an earlier one copies them from its blob. Notes go with their layer, and may be lost at any time.
 */
export class BlockNotes {
  readonly #paths: StorePaths;
  /** By encoder. */
  readonly #known = new Map<string, Promise<KnownBlocks>>();

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /** The blocks of the newest notes in this format; of notes written after the first call nothing is known. */
  known(format: BlockFormat): Promise<KnownBlocks> {
    const encoder = encoderOf(format);
    const known = this.#known.get(encoder) ?? this.#readKnown(encoder);
    this.#known.set(encoder, known);
    return known;
  }

  async #readKnown(encoder: string): Promise<KnownBlocks> {
    const places = new Map<Digest, BlockPlace>();
    for (const diffId of await this.#newest()) {
      if (places.size > mostBlocks) break;
      const note = await this.#read(diffId);
      if (note === null || note.encoder !== encoder) continue;
      const file = this.#paths.blob(note.blob);
      for (const block of note.blocks) if (!places.has(block.content)) places.set(block.content, { file, block });
    }
    return {
      read(content) {
        const place = places.get(content);
        return place === undefined ? null : readBlock(place);
      },
    };
  }

  /** Notes the blocks of a layer's blob. One block is not worth it: the layer that shares it is the same layer. */
  async save(diffId: DiffId, format: BlockFormat, { digest, blocks }: WrittenBlob): Promise<void> {
    if (blocks.length < 2 || blocks.length > mostBlocks) return;
    const path = this.#paths.layerFile(diffId, "blocks.json");
    const rows = blocks.map(({ content, digest, offset, size }) => ({ content, digest, offset, size }));
    const record = { blob: digest, encoder: encoderOf(format), blocks: rows };
    await writeRecord(path, record, this.#paths.temporary, "eventual");
  }

  async #newest(): Promise<readonly DiffId[]> {
    const layers = join(this.#paths.root, "layers");
    const found: { readonly diffId: DiffId; readonly atMs: number }[] = [];
    for (const name of await readdir(layers).catch(nothingIfMissing)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const diffId = asDiffId(digestFromHex(name));
      const file = await stat(this.#paths.layerFile(diffId, "blocks.json")).catch(() => null);
      if (file !== null) found.push({ diffId, atMs: file.mtimeMs });
    }
    found.sort((a, b) => b.atMs - a.atMs);
    return found.slice(0, mostNotes).map(({ diffId }) => diffId);
  }

  #read(diffId: DiffId): Promise<{ blob: Digest; encoder: string; blocks: readonly PlacedBlock[] } | null> {
    return readExpendableRecord(this.#paths.layerFile(diffId, "blocks.json"), (fields) => ({
      blob: parseDigest(fields.text("blob")),
      encoder: fields.text("encoder"),
      blocks: fields.list("blocks", parseBlock),
    }));
  }
}

function parseBlock(item: unknown): PlacedBlock {
  const fields = new RecordFields("block", item);
  return {
    content: parseDigest(fields.text("content")),
    digest: parseDigest(fields.text("digest")),
    offset: fields.count("offset"),
    size: fields.count("size"),
  };
}

/** What the bytes depend on besides the block: another version of a library may compress otherwise. */
function encoderOf({ compression, level }: BlockFormat): string {
  const versions: Readonly<Record<string, string | undefined>> = process.versions;
  return `${compression} ${level} ${(compression === "gzip" ? versions.zlib : versions.zstd) ?? ""}`;
}

/** The block from its blob; null when the blob is gone, or is no longer what it was. */
function readBlock({ file, block }: BlockPlace): { readonly bytes: Uint8Array; readonly digest: Digest } | null {
  try {
    const bytes = Buffer.allocUnsafe(block.size);
    const fd = openSync(file, "r");
    try {
      if (readSync(fd, bytes, 0, block.size, block.offset) !== block.size) return null;
    } finally {
      closeSync(fd);
    }
    return digestOf(bytes) === block.digest ? { bytes, digest: block.digest } : null;
  } catch {
    return null;
  }
}

function nothingIfMissing(error: unknown): readonly string[] {
  if (isMissing(error)) return [];
  throw error;
}
