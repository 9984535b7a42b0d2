import { type ContentDigest, parseContentDigest } from "../store/content-digest.ts";
import { RegistryRefusal } from "./registry-refusal.ts";

/** What a manifest is asked for by. */
export type ManifestName =
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "digest"; readonly digest: ContentDigest };

/** What a path of the distribution specification ("Endpoints") is about. Names and digests in it are well-formed. */
export type RegistryRoute =
  | { readonly kind: "root" }
  | { readonly kind: "catalog" }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "manifest"; readonly repository: string; readonly name: ManifestName }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: ContentDigest }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: ContentDigest };

const longestName = 255;
const namePattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const uploadPattern = /^[0-9a-f]{32}$/;

/** Reads the path of a request. Throws a RegistryRefusal for what is none of the specification's. */
export function parseRegistryRoute(path: string): RegistryRoute {
  const text = decoded(path);
  if (text === "/v2" || text === "/v2/") return { kind: "root" };
  if (text === "/v2/_catalog") return { kind: "catalog" };
  const [, repository, kind, last = ""] =
    /^\/v2\/(.+)\/(tags\/list|blobs\/uploads)\/?$/.exec(text) ??
    /^\/v2\/(.+)\/(blobs\/uploads|manifests|blobs|referrers)\/([^/]+)$/.exec(text) ??
    [];
  if (repository === undefined) throw new RegistryRefusal(404, "UNSUPPORTED", "no such endpoint");
  checkRepositoryName(repository);
  switch (kind) {
    case "tags/list":
      return { kind: "tags", repository };
    case "manifests":
      return { kind: "manifest", repository, name: parseManifestName(last) };
    case "blobs":
      return { kind: "blob", repository, digest: parseContentDigest(last) };
    case "referrers":
      return { kind: "referrers", repository, digest: parseContentDigest(last) };
    default:
      if (last === "") return { kind: "uploads", repository };
      if (!uploadPattern.test(last)) throw new RegistryRefusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
      return { kind: "upload", repository, id: last };
  }
}

export const isRepositoryName = (name: string): boolean => name.length <= longestName && namePattern.test(name);

/** Throws a RegistryRefusal for what is no repository name. */
export function checkRepositoryName(name: string): void {
  if (isRepositoryName(name)) return;
  throw new RegistryRefusal(400, "NAME_INVALID", `repository ${JSON.stringify(name.slice(0, 300))}: invalid name`);
}

/** Throws a RegistryRefusal for what is no tag. */
export function checkTag(tag: string): string {
  if (tagPattern.test(tag)) return tag;
  throw new RegistryRefusal(400, "TAG_INVALID", `tag ${JSON.stringify(tag.slice(0, 140))}: invalid name`);
}

function parseManifestName(text: string): ManifestName {
  if (text.includes(":")) return { kind: "digest", digest: parseContentDigest(text) };
  return { kind: "tag", tag: checkTag(text) };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RegistryRefusal(400, "NAME_INVALID", "the path is not valid");
  }
}
