import { type Digest, parseDigest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";

/** `registry/repository:tag@digest`, parsed and normalised (docker.io, library/ and :latest filled in). */
export interface Reference {
  /** Host with an optional port: `docker.io`, `127.0.0.1:40123`. */
  readonly registry: string;
  /** `library/busybox`. */
  readonly repository: string;
  /** null only when there is a digest. */
  readonly tag: string | null;
  readonly digest: Digest | null;
}

const longestReference = 1024;
const longestRepository = 255;
const defaultRegistry = "docker.io";
const registryPattern = /^(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::([0-9]{1,5}))?$/;
const hyphenAtEdge = /(?:^|\.)-|-(?:\.|:|$)/;
const pathComponent = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Parses an image reference as docker does: `busybox` is `docker.io/library/busybox:latest`, the first part is a
 * registry when it has a dot, a colon or an upper-case letter or is `localhost`. Throws REFERENCE_INVALID with a hint.
 */
export function parseReference(text: string): Reference {
  if (text.length > longestReference) throw invalid(text, `longer than ${longestReference} characters`);
  if (text === "") throw invalid(text, "empty");
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//.exec(text)?.[0];
  if (scheme !== undefined) throw invalid(text, `begins with ${scheme}`, `leave out "${scheme}"`);
  if (/^[0-9a-f]{64}$/.test(text)) throw invalid(text, "64 hex digits are an image ID, not a name");
  const { name, tag, digest } = splitName(text);
  const { registry, path } = splitRegistry(name);
  checkRegistry(text, registry);
  const repository = registry === defaultRegistry && !path.includes("/") ? `library/${path}` : path;
  checkRepository(text, path, repository);
  if (tag !== null && !tagPattern.test(tag)) {
    const got = JSON.stringify(tag.slice(0, 140));
    throw invalid(text, `tag ${got}: want 1 to 128 letters, digits, "_", "." or "-", not "." or "-" first`);
  }
  return {
    registry,
    repository,
    tag: tag === null && digest === null ? "latest" : tag,
    digest: digest === null ? null : parseDigestPart(text, digest),
  };
}

function splitName(text: string): { name: string; tag: string | null; digest: string | null } {
  const at = text.indexOf("@");
  const digest = at < 0 ? null : text.slice(at + 1);
  const tagged = at < 0 ? text : text.slice(0, at);
  const colon = tagged.indexOf(":", tagged.lastIndexOf("/") + 1);
  if (colon < 0) return { name: tagged, tag: null, digest };
  return { name: tagged.slice(0, colon), tag: tagged.slice(colon + 1), digest };
}

function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isRegistry = slash >= 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  if (!isRegistry) return { registry: defaultRegistry, path: name };
  return { registry: first === "index.docker.io" ? defaultRegistry : first, path: name.slice(slash + 1) };
}

function checkRegistry(text: string, registry: string): void {
  const match = registryPattern.exec(registry);
  if (match !== null && !hyphenAtEdge.test(registry) && Number(match[1] ?? 0) <= 65535) return;
  throw invalid(text, `registry ${JSON.stringify(registry)}: want a host name or address with an optional port`);
}

function checkRepository(text: string, path: string, repository: string): void {
  if (repository.length > longestRepository)
    throw invalid(text, `repository longer than ${longestRepository} characters`);
  if (path.split("/").every((part) => pathComponent.test(part))) return;
  const problem = `repository ${JSON.stringify(path)}: want lower-case letters and digits, in between also "." "_" "-", parted by "/"`;
  const lower = path.toLowerCase();
  const fixable = lower !== path && lower.split("/").every((part) => pathComponent.test(part));
  throw invalid(text, problem, fixable ? `did you mean ${JSON.stringify(text.replace(path, lower))}?` : undefined);
}

function parseDigestPart(text: string, digest: string): Digest {
  try {
    return parseDigest(digest);
  } catch {
    throw invalid(text, `digest ${JSON.stringify(digest.slice(0, 100))}: want sha256: and 64 lower-case hex digits`);
  }
}

function invalid(text: string, problem: string, hint?: string): BuildError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new BuildError("REFERENCE_INVALID", `image reference ${JSON.stringify(shown)}: ${problem}`, { hint });
}

/** A name an image is to get. Throws REFERENCE_INVALID, also for one with a digest. */
export function parseNewName(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest === null) return reference;
  throw new BuildError("REFERENCE_INVALID", `tag ${JSON.stringify(text)}: a digest cannot be given to an image`);
}

/** The reference in full: `docker.io/library/busybox:latest@sha256:…`. */
export function formatReference(reference: Reference): string {
  return `${reference.registry}/${reference.repository}${suffix(reference)}`;
}

/** As docker shows it: `busybox:latest`, `ns/app:1`, `ghcr.io/ns/app:1`. */
export function familiarReference(reference: Reference): string {
  if (reference.registry !== defaultRegistry) return formatReference(reference);
  const official = /^library\/([^/]+)$/.exec(reference.repository)?.[1];
  return `${official ?? reference.repository}${suffix(reference)}`;
}

function suffix(reference: Reference): string {
  const tag = reference.tag === null ? "" : `:${reference.tag}`;
  return reference.digest === null ? tag : `${tag}@${reference.digest}`;
}
