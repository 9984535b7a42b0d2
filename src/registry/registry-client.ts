import { type Digest, digestOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { largestManifestBytes } from "../image/image-document.ts";
import { type ImageRoot, mediaTypeOf, parseImageRoot } from "../image/image-root.ts";
import { isIndexType, isManifestType, mediaTypes } from "../image/media-types.ts";
import { formatReference, type Reference } from "../image/reference.ts";
import { Authorizer } from "./authorizer.ts";
import { checkAnnouncedSize, streamBlob } from "./blob-stream.ts";
import type { CredentialSource } from "./credentials.ts";
import { type Endpoint, endpointsOf } from "./endpoint.ts";
import type { HttpTransport } from "./http-transport.ts";
import { readLimited } from "./read-limited.ts";
import type { RegistriesConfig } from "./registries-config.ts";
import { type RegistryAnswer, RegistryExchange } from "./registry-exchange.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";

/** A manifest or index as it was received and verified. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly root: ImageRoot;
}

/** A repository without a tag. */
export type Repository = Pick<Reference, "registry" | "repository">;

const manifestAccept = [
  mediaTypes.ociIndex,
  mediaTypes.dockerIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
].join(", ");

/** Servers that store things without looking at them announce these: they say nothing. */
const emptyMediaTypes: ReadonlySet<string> = new Set(["application/json", "application/octet-stream", "text/plain"]);

/**
 * Reads from registries by the OCI distribution protocol (opencontainers/distribution-spec). Manifests and configs are
 * verified here, blobs by whoever reads them. Mirrors are asked first; one that cannot be reached is not asked again.
 */
export class RegistryClient {
  readonly #exchange: RegistryExchange;
  readonly #config: RegistriesConfig;
  readonly #retry: RetryPolicy;
  readonly #unreachable = new Set<string>();

  constructor(transport: HttpTransport, credentials: CredentialSource, config: RegistriesConfig, retry: RetryPolicy) {
    this.#exchange = new RegistryExchange(transport, new Authorizer(transport, credentials, Date.now));
    this.#config = config;
    this.#retry = retry;
  }

  /**
   * What a reference leads to, without its content: one HEAD request. Null when the registry does not say enough.
   * Throws SOURCE_*.
   */
  headManifest(reference: Reference, signal: AbortSignal): Promise<Descriptor | null> {
    const subject = formatReference(reference);
    return this.#each(
      reference,
      async (endpoint) => {
        const request = {
          method: "HEAD",
          path: manifestPath(reference),
          headers: { accept: manifestAccept },
          subject,
        } as const;
        const { response } = await this.#exchange.send(endpoint, request, signal);
        response.discard();
        const mediaType = announcedType(response.header("content-type"));
        const digest = sha256Header(response.header("docker-content-digest"));
        const size = Number(response.header("content-length") ?? Number.NaN);
        if (mediaType === null || digest === null || !Number.isSafeInteger(size)) return null;
        if (reference.digest !== null && reference.digest !== digest) return null;
        if (!isManifestType(mediaType) && !isIndexType(mediaType)) return null;
        return { mediaType, digest, size };
      },
      signal,
    );
  }

  /**
   * The manifest or index a reference leads to: by its digest if it has one, else by its tag. Throws SOURCE_*,
   * IMAGE_INVALID, BLOB_DIGEST_MISMATCH, BLOB_TOO_LARGE above 4 MiB.
   */
  fetchManifest(reference: Reference, signal: AbortSignal): Promise<FetchedManifest> {
    const subject = formatReference(reference);
    return this.#each(
      reference,
      async (endpoint) => {
        const request = {
          method: "GET",
          path: manifestPath(reference),
          headers: { accept: manifestAccept },
          subject,
        } as const;
        const { response, url } = await this.#exchange.send(endpoint, request, signal);
        const bytes = await readLimited(response, largestManifestBytes, url, signal);
        const digest = digestOf(bytes);
        const named = reference.digest ?? sha256Header(response.header("docker-content-digest")) ?? digest;
        if (digest !== named)
          throw new BuildError("BLOB_DIGEST_MISMATCH", `manifest of ${subject}: got ${digest}, want ${named}`);
        const root = parseImageRoot(bytes, announcedType(response.header("content-type")), `manifest of ${subject}`);
        return { descriptor: { mediaType: mediaTypeOf(root), digest, size: bytes.length }, bytes, root };
      },
      signal,
    );
  }

  /**
   * The bytes of a blob as they come, not verified but for their number. Resolves when the registry begins to answer;
   * a connection that breaks is resumed. Throws SOURCE_*.
   */
  openBlob(repository: Repository, blob: Descriptor, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const subject = `blob ${blob.digest} of ${repository.registry}/${repository.repository}`;
    return this.#each(
      repository,
      async (endpoint) => {
        const openAt = (offset: number): Promise<RegistryAnswer> => {
          const headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
          const path = `blobs/${blob.digest}`;
          return this.#exchange.send(endpoint, { method: "GET", path, headers, subject }, signal);
        };
        const first = await openAt(0);
        checkAnnouncedSize(first, blob);
        return streamBlob(blob, first, openAt, this.#retry, signal);
      },
      signal,
    );
  }

  /** All of a small blob, verified. Throws SOURCE_*, BLOB_TOO_LARGE above `limitBytes`, BLOB_DIGEST_MISMATCH. */
  async fetchBlob(
    repository: Repository,
    blob: Descriptor,
    limitBytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (blob.size > limitBytes) {
      throw new BuildError("BLOB_TOO_LARGE", `blob ${blob.digest}: got ${blob.size} bytes, want at most ${limitBytes}`);
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of await this.openBlob(repository, blob, signal)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const got = digestOf(bytes);
    if (got !== blob.digest) throw new BuildError("BLOB_DIGEST_MISMATCH", `blob: got ${got}, want ${blob.digest}`);
    return bytes;
  }

  /** Asks mirrors and registry in order until one has an answer; the registry's own error is the one that counts. */
  async #each<T>(repository: Repository, ask: (endpoint: Endpoint) => Promise<T>, signal: AbortSignal): Promise<T> {
    const endpoints = endpointsOf(repository.registry, repository.repository, this.#config);
    for (const mirror of endpoints.slice(0, -1)) {
      if (this.#unreachable.has(mirror.registry)) continue;
      try {
        return await withRetries(this.#retry, signal, () => ask(mirror));
      } catch (error) {
        if (!isBuildError(error) || error.code === "BUILD_CANCELLED") throw error;
        if (error.code === "SOURCE_UNAVAILABLE") this.#unreachable.add(mirror.registry);
      }
    }
    const registry = endpoints.at(-1);
    if (registry === undefined) throw new BuildError("INTERNAL", `registry ${repository.registry}: no endpoint`);
    return withRetries(this.#retry, signal, () => ask(registry));
  }
}

const manifestPath = (reference: Reference): string => `manifests/${reference.digest ?? reference.tag ?? "latest"}`;

function announcedType(contentType: string | null): string | null {
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return mediaType === "" || emptyMediaTypes.has(mediaType) ? null : mediaType;
}

/** The header may name another algorithm; then it says nothing that could be checked here. */
function sha256Header(value: string | null): Digest | null {
  return value?.startsWith("sha256:") ? (value as Digest) : null;
}
