import type { Compression } from "../image/media-types.ts";
import type { KnownBlob } from "./layer-records.ts";
import type { BlobFormat } from "./layer-store.ts";

/** How the layer blobs of a media type are compressed. */
export function compressionOf(mediaType: string): Compression {
  if (/[+.]gzip$/.test(mediaType)) return "gzip";
  return /[+.]zstd$/.test(mediaType) ? "zstd" : "none";
}

/** Whether a blob is what compressing with `wanted` is to result in. One that came from elsewhere has no level. */
export function hasFormat(known: Pick<KnownBlob, "blob" | "format">, wanted: BlobFormat): boolean {
  const compression = known.format?.compression ?? compressionOf(known.blob.mediaType);
  return compression === wanted.compression && (known.format?.level ?? null) === wanted.level;
}
