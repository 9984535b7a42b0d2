/** How a file of an archive is compressed. */
export type ArchiveCompression = "none" | "gzip" | "zstd" | "bzip2" | "xz";

/** As many bytes of a file's beginning as `detectCompression` looks at. */
export const magicBytes = 6;

const magics: readonly (readonly [ArchiveCompression, string])[] = [
  ["gzip", "1f8b08"],
  ["zstd", "28b52ffd"],
  ["bzip2", "425a68"],
  ["xz", "fd377a585a00"],
];

/** By what a file begins with; "none" for anything that is no known format. */
export function detectCompression(start: Uint8Array): ArchiveCompression {
  const hex = Buffer.from(start.subarray(0, magicBytes)).toString("hex");
  if (/^5.2a4d18/.test(hex)) return "zstd";
  return magics.find(([, magic]) => hex.startsWith(magic))?.[0] ?? "none";
}
