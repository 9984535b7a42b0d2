import { setMaxListeners } from "node:events";
import { digestOf } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { largestManifestBytes } from "../image/image-document.ts";
import { formatReference, type Reference } from "../image/reference.ts";
import { Authorizer } from "./authorizer.ts";
import { type BlobArrival, BlobUpload } from "./blob-upload.ts";
import type { CredentialSource } from "./credentials.ts";
import { type Endpoint, endpointsOf } from "./endpoint.ts";
import type { HttpTransport } from "./http-transport.ts";
import { uploadsAtOnce } from "./limits.ts";
import type { PushBlob, PushContent, PushManifest } from "./push-content.ts";
import { readLimited } from "./read-limited.ts";
import type { RegistriesConfig } from "./registries-config.ts";
import { RegistryExchange } from "./registry-exchange.ts";
import { type RetryPolicy, TransientFailure, withRetries } from "./retry.ts";

/** Told what happens to each blob. */
export interface PushProgress {
  sent(blob: PushBlob, doneBytes: number): void;
  arrived(blob: PushBlob, how: BlobArrival): void;
}

/**
 * Writes to registries by the OCI distribution protocol. Only ever to the registry a reference names, never to mirrors;
 * what was written is asked for again before it counts.
 */
export class RegistryWriter {
  readonly #exchange: RegistryExchange;
  readonly #config: RegistriesConfig;
  readonly #retry: RetryPolicy;
  readonly #slots = new Semaphore(uploadsAtOnce);

  constructor(transport: HttpTransport, credentials: CredentialSource, config: RegistriesConfig, retry: RetryPolicy) {
    this.#exchange = new RegistryExchange(transport, new Authorizer(transport, credentials, Date.now));
    this.#config = config;
    this.#retry = retry;
  }

  /**
   * Puts the image into a repository: blobs first, then manifests by their digests. Tags do not change. Throws SOURCE_*,
   * BLOB_DIGEST_MISMATCH for a blob that is broken here.
   */
  async upload(
    repository: Pick<Reference, "registry" | "repository">,
    content: PushContent,
    progress: PushProgress,
    signal: AbortSignal,
  ): Promise<void> {
    const endpoint = this.#endpointOf(repository);
    await explained(endpoint, async () => {
      await this.#uploadBlobs(endpoint, content.blobs, progress, signal);
      for (const manifest of content.manifests)
        await this.#putManifest(endpoint, manifest, manifest.descriptor.digest, signal);
    });
  }

  /** Makes the tag of `reference` lead to the root of `content`, which `upload` has put there. Throws SOURCE_*. */
  async tag(reference: Reference, content: PushContent, signal: AbortSignal): Promise<void> {
    const endpoint = this.#endpointOf(reference);
    await explained(endpoint, () => this.#putManifest(endpoint, content.root, reference.tag ?? "latest", signal));
  }

  async #uploadBlobs(
    endpoint: Endpoint,
    blobs: readonly PushBlob[],
    progress: PushProgress,
    signal: AbortSignal,
  ): Promise<void> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    setMaxListeners(0, either); // every blob that waits or is sent listens
    const uploads = blobs.map((blob) =>
      this.#slots.use(async () => {
        const onSent = (doneBytes: number): void => progress.sent(blob, doneBytes);
        const upload = new BlobUpload(this.#exchange, endpoint, blob, this.#retry, onSent, either);
        progress.arrived(blob, await upload.run());
      }, either),
    );
    try {
      await Promise.all(uploads);
    } catch (error) {
      stop.abort();
      await Promise.allSettled(uploads);
      throw error;
    }
  }

  async #putManifest(
    endpoint: Endpoint,
    { descriptor, bytes }: PushManifest,
    name: string,
    signal: AbortSignal,
  ): Promise<void> {
    const subject = `manifest ${name} of ${endpoint.registry}/${endpoint.repository}`;
    const path = `manifests/${name}`;
    const common = { path, subject, access: "push" } as const;
    await withRetries(this.#retry, signal, async () => {
      const headers = { "content-type": descriptor.mediaType, "content-length": String(bytes.length) };
      const request = { ...common, method: "PUT", headers, body: () => bytes, staysThere: true } as const;
      const { response, url } = await this.#exchange.send(endpoint, request, signal);
      response.discard();
      if (response.status < 200 || response.status > 299)
        throw new BuildError("SOURCE_INVALID", `${subject}: registry ${url.host} answered ${response.status}`);
    });
    await withRetries(this.#retry, signal, async () => {
      const got = await this.#digestOf(endpoint, { ...common, headers: { accept: descriptor.mediaType } }, signal);
      if (got === descriptor.digest) return;
      const want = `want ${descriptor.digest}`;
      throw new TransientFailure(
        new BuildError("SOURCE_INVALID", `${subject}: registry ${endpoint.origin.host} now has ${got}, ${want}`),
      );
    });
  }

  /** The digest of what the registry has under a name. */
  async #digestOf(
    endpoint: Endpoint,
    request: {
      readonly path: string;
      readonly subject: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly access: "push";
    },
    signal: AbortSignal,
  ): Promise<string> {
    try {
      const head = await this.#exchange.send(endpoint, { ...request, method: "HEAD" }, signal);
      head.response.discard();
      const named = head.response.header("docker-content-digest");
      if (named?.startsWith("sha256:")) return named;
      const { response, url } = await this.#exchange.send(endpoint, { ...request, method: "GET" }, signal);
      return digestOf(await readLimited(response, largestManifestBytes, url, signal));
    } catch (error) {
      if (isBuildError(error, "SOURCE_NOT_FOUND")) return "nothing";
      throw error;
    }
  }

  #endpointOf({ registry, repository }: Pick<Reference, "registry" | "repository">): Endpoint {
    const endpoint = endpointsOf(registry, repository, this.#config).at(-1);
    if (endpoint === undefined) throw new BuildError("INTERNAL", `registry ${registry}: no endpoint`);
    return endpoint;
  }
}

/** Runs `work`; when it fails for lack of rights, the error says what helps against that. */
async function explained(endpoint: Endpoint, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isBuildError(error, "SOURCE_UNAUTHORIZED")) throw error;
    const login = `tsbuild login ${endpoint.registry === "docker.io" ? "" : endpoint.registry}`.trimEnd();
    const hint = `log in as somebody who may push to ${endpoint.repository}: ${login}`;
    throw new BuildError(error.code, error.message, { hint, cause: error.cause, details: error.details });
  }
}

/** Repositories of `references`, each once, in order. */
export function repositoriesOf(
  references: readonly Reference[],
): readonly Pick<Reference, "registry" | "repository">[] {
  const byName = new Map(references.map((each) => [formatReference({ ...each, tag: null, digest: null }), each]));
  return [...byName.values()].map(({ registry, repository }) => ({ registry, repository }));
}
