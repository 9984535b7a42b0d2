import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { digestFromHex } from "../base/digest.ts";
import type { BlobIdentity } from "./blob-store.ts";
import { withStorageErrors } from "./storage-error.ts";

/** Writes `chunks` to the new file `into`, flushed to disk, and finds out their digest. */
export async function writeBlob(chunks: AsyncIterable<Uint8Array>, into: string): Promise<BlobIdentity> {
  const hash = createHash("sha256");
  let size = 0;
  const file = await withStorageErrors(into, () => open(into, "wx", 0o600));
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.length;
      await withStorageErrors(into, () => file.writeFile(chunk));
    }
    await withStorageErrors(into, () => file.sync());
  } finally {
    await file.close();
  }
  return { digest: digestFromHex(hash.digest("hex")), size };
}
