import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { useTemporaryDirectory } from "../support/temporary-directory.ts";
import { rejectionOf } from "../support/thrown-by.ts";

/** What every BlobStore holds to. `use` sets up a fresh one for each test. */
export function describeBlobStore(name: string, use: () => { readonly blobs: BlobStore }): void {
  describe(`${name} is a BlobStore`, () => {
    const temporary = useTemporaryDirectory();
    const current = use();
    const bytes = Buffer.from("some bytes");
    const blob = { digest: digestOf(bytes), size: bytes.length };

    test("gives back what was put, in pieces or whole", async () => {
      const { blobs } = current;
      expect(await blobs.has(blob)).toBe(false);
      await blobs.put(blob, streamOf("some ", "", "bytes"));
      expect(await blobs.has(blob)).toBe(true);
      expect(await collect(blobs.read(blob.digest))).toEqual(bytes);
      expect(await blobs.readBytes(blob.digest, 100)).toEqual(bytes);
      expect(readFileSync(blobs.path(blob.digest))).toEqual(bytes);
    });

    test("keeps an empty blob", async () => {
      const { blobs } = current;
      const empty = { digest: digestOf(""), size: 0 };
      await blobs.put(empty, streamOf());
      expect(await blobs.has(empty)).toBe(true);
      expect(await collect(blobs.read(empty.digest))).toEqual(Buffer.alloc(0));
    });

    test("finds out the digest of bytes", async () => {
      const { blobs } = current;
      expect(await blobs.putBytes(bytes)).toBe(blob.digest);
      expect(await blobs.putBytes(bytes)).toBe(blob.digest);
      expect(await blobs.readBytes(blob.digest, 100)).toEqual(bytes);
    });

    test.each([
      ["other bytes", ["some_bytes"], "BLOB_DIGEST_MISMATCH"],
      ["fewer bytes", ["some"], "BLOB_DIGEST_MISMATCH"],
      ["more bytes", ["some bytes", "!"], "BLOB_TOO_LARGE"],
    ])("refuses %s and stores nothing", async (_, pieces, code) => {
      const { blobs } = current;
      expect((await rejectionOf(blobs.put(blob, streamOf(...pieces)))).code).toBe(code);
      expect(await blobs.has(blob)).toBe(false);
    });

    test("stops reading a stream that is longer than it should be", async () => {
      const { blobs } = current;
      let given = 0;
      const endless = async function* (): AsyncGenerator<Uint8Array> {
        for (;;) {
          given += 1;
          yield bytes;
        }
      };
      expect((await rejectionOf(blobs.put(blob, endless()))).code).toBe("BLOB_TOO_LARGE");
      expect(given).toBe(2);
    });

    test("stores nothing of a stream that fails", async () => {
      const { blobs } = current;
      const failing = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes;
        throw new Error("connection reset");
      };
      await expect(blobs.put(blob, failing())).rejects.toThrow("connection reset");
      expect(await blobs.has(blob)).toBe(false);
    });

    test("keeps a blob that somebody says has another size", async () => {
      const { blobs } = current;
      await blobs.put(blob, streamOf("some bytes"));
      expect(await blobs.has({ ...blob, size: 3 })).toBe(false);
      expect((await rejectionOf(blobs.put({ ...blob, size: 3 }, streamOf("som")))).code).toBe("BLOB_DIGEST_MISMATCH");
      expect(await blobs.has(blob)).toBe(true);
    });

    test("stores nothing after an abort", async () => {
      const { blobs } = current;
      const put = blobs.put(blob, streamOf("some bytes"), AbortSignal.abort());
      expect((await rejectionOf(put)).code).toBe("BUILD_CANCELLED");
      expect(await blobs.has(blob)).toBe(false);
    });

    test("closes a stream it does not need", async () => {
      const { blobs } = current;
      await blobs.putBytes(bytes);
      let isClosed = false;
      const stream: AsyncIterable<Uint8Array> = {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.reject(new Error("must not be read")),
          return: async () => {
            isClosed = true;
            return { done: true, value: undefined };
          },
        }),
      };
      await blobs.put(blob, stream);
      expect(isClosed).toBe(true);
    });

    test("takes the same blob from several writers at once", async () => {
      const { blobs } = current;
      await Promise.all(Array.from({ length: 8 }, () => blobs.put(blob, streamOf("some ", "bytes"))));
      expect(await blobs.readBytes(blob.digest, 100)).toEqual(bytes);
    });

    test("takes over a finished file", async () => {
      const { blobs } = current;
      const path = join(temporary.path, "finished");
      writeFileSync(path, bytes);
      await blobs.adopt(blob, path);
      expect(await blobs.readBytes(blob.digest, 100)).toEqual(bytes);
    });

    test("says what is not there", async () => {
      const { blobs } = current;
      expect((await rejectionOf(collect(blobs.read(blob.digest)))).code).toBe("BLOB_NOT_FOUND");
      expect((await rejectionOf(blobs.readBytes(blob.digest, 100))).code).toBe("BLOB_NOT_FOUND");
      await blobs.quarantine(blob.digest);
    });

    test("refuses to read more than asked for", async () => {
      const { blobs } = current;
      await blobs.putBytes(bytes);
      expect((await rejectionOf(blobs.readBytes(blob.digest, 9))).code).toBe("BLOB_TOO_LARGE");
    });

    test.each(["read", "readBytes"] as const)(
      "notices a flipped bit in %s, and takes the blob again",
      async (method) => {
        const { blobs } = current;
        await blobs.putBytes(bytes);
        writeFileSync(blobs.path(blob.digest), "some_bytes");
        const reading = method === "read" ? collect(blobs.read(blob.digest)) : blobs.readBytes(blob.digest, 100);
        expect((await rejectionOf(reading)).code).toBe("BLOB_DIGEST_MISMATCH");
        expect(await blobs.has(blob)).toBe(false);
        await blobs.put(blob, streamOf("some bytes"));
        expect(await blobs.readBytes(blob.digest, 100)).toEqual(bytes);
      },
    );

    test("does not count a blob that was cut off", async () => {
      const { blobs } = current;
      await blobs.putBytes(bytes);
      writeFileSync(blobs.path(blob.digest), "some");
      expect(await blobs.has(blob)).toBe(false);
      expect(await blobs.putBytes(bytes)).toBe(blob.digest);
      expect(await blobs.readBytes(blob.digest, 100)).toEqual(bytes);
    });
  });
}

async function* streamOf(...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
