import { createHash } from "node:crypto";
import { BuildError } from "./errors.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `sha256:<64 hex>` of bytes as they are stored or sent, possibly compressed (OCI image-spec, descriptor.md). */
export type Digest = Branded<"Digest">;
/** `sha256:<64 hex>` of a layer's uncompressed tar, as listed in `rootfs.diff_ids` (OCI image-spec, config.md). */
export type DiffId = Branded<"DiffId">;
/** `sha256:<64 hex>` that names an ordered list of diffIDs (OCI image-spec, config.md, "Layer ChainID"). */
export type ChainId = Branded<"ChainId">;
/** `sha256:<64 hex>` of the canonical JSON that describes a step and its inputs. */
export type CacheKey = Branded<"CacheKey">;

const sha256Pattern = /^sha256:[0-9a-f]{64}$/;

function check<T extends string>(text: unknown, what: string): T {
  if (typeof text === "string" && sha256Pattern.test(text)) return text as T;
  const got = typeof text === "string" ? JSON.stringify(text.slice(0, 100)) : typeof text;
  throw new BuildError("BLOB_DIGEST_INVALID", `${what} ${got}: want sha256: and 64 lower-case hex digits`);
}

/** Checks that `text` is a sha256 digest; throws BLOB_DIGEST_INVALID otherwise. */
export const parseDigest = (text: unknown): Digest => check<Digest>(text, "digest");
/** Checks that `text` is a diffID; throws BLOB_DIGEST_INVALID otherwise. */
export const parseDiffId = (text: unknown): DiffId => check<DiffId>(text, "diffID");
/** Checks that `text` is a cache key; throws BLOB_DIGEST_INVALID otherwise. */
export const parseCacheKey = (text: unknown): CacheKey => check<CacheKey>(text, "cache key");

/** sha256 of `data` as a digest. */
export function digestOf(data: string | Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(data).digest("hex")}` as Digest;
}

/** The digest with the given 64 hex digits; throws BLOB_DIGEST_INVALID when they are not. */
export const digestFromHex = (hex: string): Digest => parseDigest(`sha256:${hex}`);

/** The digest with the 32 bytes that stand at `at`. */
export const digestFromBytes = (bytes: Buffer, at: number): Digest =>
  `sha256:${bytes.toString("hex", at, at + 32)}` as Digest;

/** The 64 hex digits of a digest: its name inside the store. */
export const hexOf = (digest: Digest | DiffId | ChainId | CacheKey): string => digest.slice("sha256:".length);

/** The diffID that has the same hex digits as `digest`: for bytes known to be an uncompressed tar. */
export const asDiffId = (digest: Digest): DiffId => digest as string as DiffId;

/** chainID of an ordered, non-empty diffID list (OCI image-spec, config.md). */
export function chainIdOf(diffIds: readonly DiffId[]): ChainId {
  let chain = diffIds[0] as string | undefined;
  if (chain === undefined) throw new BuildError("INTERNAL", "chainID of an empty diffID list");
  for (const diffId of diffIds.slice(1)) chain = digestOf(`${chain} ${diffId}`);
  return chain as ChainId;
}
