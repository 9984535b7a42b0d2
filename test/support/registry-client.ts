import { digestOf } from "../../src/base/digest.ts";
import { BuildError } from "../../src/base/errors.ts";
import type { CredentialSource, Credentials } from "../../src/registry/credentials.ts";
import { NodeHttpTransport } from "../../src/registry/http-transport.ts";
import type { RegistriesConfig } from "../../src/registry/registries-config.ts";
import { RegistryClient } from "../../src/registry/registry-client.ts";
import { RegistryWriter } from "../../src/registry/registry-writer.ts";
import type { RetryPolicy } from "../../src/registry/retry.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";

/** Retries without waiting; `pauses` are the milliseconds it would have waited. */
export function instantRetries(attempts = 3): RetryPolicy & { readonly pauses: number[] } {
  const pauses: number[] = [];
  const sleep = async (ms: number): Promise<void> => {
    pauses.push(ms);
  };
  return { attempts, firstPauseMs: 100, sleep, random: () => 0, pauses };
}

/** Credentials by registry. */
export const credentialsOf = (byRegistry: Readonly<Record<string, Credentials>>): CredentialSource => ({
  find: async (registry) => (Object.hasOwn(byRegistry, registry) ? (byRegistry[registry] ?? null) : null),
});

export interface TestClientOptions {
  readonly credentials?: CredentialSource;
  readonly config?: RegistriesConfig;
  readonly retry?: RetryPolicy;
  readonly idleTimeoutMs?: number;
}

/** A client that uses no proxy, no files of the user, and does not wait. */
export function testClient(options: TestClientOptions = {}): RegistryClient {
  return new RegistryClient(
    new NodeHttpTransport({}, options.idleTimeoutMs),
    options.credentials ?? credentialsOf({}),
    options.config ?? new Map(),
    options.retry ?? instantRetries(),
  );
}

/** A writer like `testClient`. */
export function testWriter(options: TestClientOptions = {}): RegistryWriter {
  return new RegistryWriter(
    new NodeHttpTransport({}, options.idleTimeoutMs),
    options.credentials ?? credentialsOf({}),
    options.config ?? new Map(),
    options.retry ?? instantRetries(),
  );
}

/** The part of a blob store that image sources use, in memory. */
export function memoryBlobs(): BlobStore & { readonly contents: Map<string, Buffer> } {
  const contents = new Map<string, Buffer>();
  const unused = (): never => {
    throw new BuildError("INTERNAL", "not used here");
  };
  return {
    contents,
    has: async ({ digest, size }) => contents.get(digest)?.length === size,
    putBytes: async (bytes) => {
      const digest = digestOf(bytes);
      contents.set(digest, Buffer.from(bytes));
      return digest;
    },
    readBytes: async (digest) => {
      const bytes = contents.get(digest);
      if (bytes === undefined) throw new BuildError("BLOB_NOT_FOUND", `blob ${digest}: not found`);
      return bytes;
    },
    put: unused,
    adopt: unused,
    read: unused,
    path: unused,
    quarantine: unused,
  };
}

/** The whole of a stream. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
