import { createHash } from "node:crypto";
import { digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { FileReader } from "../layer/file-tree.ts";

/** Reads what `reader` reads; at the end throws BLOB_DIGEST_MISMATCH if that is not what its digest promised. */
export function verifiedReader(reader: FileReader, path: string): FileReader {
  const hash = createHash("sha256");
  return {
    digest: reader.digest,
    close: () => reader.close(),
    read(into) {
      const got = reader.read(into);
      if (got > 0) hash.update(into.subarray(0, got));
      else check(digestFromHex(hash.copy().digest("hex")));
      return got;
    },
  };

  function check(got: string): void {
    if (reader.digest !== undefined && got !== reader.digest)
      throw new BuildError(
        "BLOB_DIGEST_MISMATCH",
        `content of ${JSON.stringify(path)}: got ${got}, want ${reader.digest}`,
        {
          hint: "a layer in the store is damaged; build again with --no-cache",
        },
      );
  }
}
