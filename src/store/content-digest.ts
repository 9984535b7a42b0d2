import { createHash, type Hash } from "node:crypto";
import { BuildError } from "../base/errors.ts";

declare const brand: unique symbol;
/** A digest of any algorithm registries use: `sha256:<64 hex>` or `sha512:<128 hex>` (OCI image-spec, descriptor.md). */
export type ContentDigest = string & { readonly [brand]: "ContentDigest" };

const pattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Checks that `text` is a digest; throws BLOB_DIGEST_INVALID otherwise. */
export function parseContentDigest(text: unknown): ContentDigest {
  if (typeof text === "string" && pattern.test(text)) return text as ContentDigest;
  const got = typeof text === "string" ? JSON.stringify(text.slice(0, 200)) : typeof text;
  throw new BuildError("BLOB_DIGEST_INVALID", `digest ${got}: want sha256 or sha512 and lower-case hex digits`);
}

/** The digest of `bytes` by the algorithm of `like`. */
export function contentDigestOf(bytes: Uint8Array, like: ContentDigest): ContentDigest {
  const algorithm = algorithmOf(like);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}` as ContentDigest;
}

/** A hash by the algorithm of `digest`. */
export const hashLike = (digest: ContentDigest): Hash => createHash(algorithmOf(digest));

export const algorithmOf = (digest: ContentDigest): "sha256" | "sha512" =>
  digest.startsWith("sha512:") ? "sha512" : "sha256";
