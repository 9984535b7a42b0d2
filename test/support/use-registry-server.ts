import http from "node:http";
import { buffer } from "node:stream/consumers";
import { afterEach } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import {
  type RegistryServer,
  type RegistryServerSettings,
  startRegistryServer,
} from "../../src/serve/registry-server.ts";
import { ServedImages } from "../../src/serve/served-images.ts";
import { StoreLease } from "../../src/serve/store-lease.ts";
import { openLayerStore } from "../../src/store/open-layer-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { type StoredImages, useStoredImages } from "./stored-images.ts";

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** Code of the error body; "" for none. */
  readonly code: string;
}

export interface Asked {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Buffer | string;
}

export interface ServedStore extends StoredImages {
  /** `127.0.0.1:40123` */
  readonly host: string;
  /** What the server failed at for reasons of its own. */
  readonly failures: readonly string[];
  /** Starts the server on the store; everything is allowed unless `settings` say otherwise. */
  serve(settings?: Partial<RegistryServerSettings>): Promise<RegistryServer>;
  ask(request: string, asked?: Asked): Promise<Answer>;
  /** Pushes a blob in one request; its digest. */
  pushBlob(repository: string, content: Buffer | string): Promise<string>;
  /** Pushes the manifest of an artifact with one layer, over which `members` are merged; its digest. */
  pushArtifact(repository: string, name: string | null, members?: object): Promise<string>;
}

export const everything = { push: true, delete: true, users: null };

/** A fresh store for each test of the file that calls this, and a registry on it once the test starts one. */
export function useRegistryServer(): ServedStore {
  const images = useStoredImages();
  let server: RegistryServer | null = null;
  let failures: string[] = [];
  afterEach(async () => {
    await server?.stop();
    server = null;
    failures = [];
  });
  const host = (): string => new URL(server?.url ?? "http://not-started").host;
  const served: Omit<ServedStore, keyof StoredImages> = {
    get host() {
      return host();
    },
    get failures() {
      return failures;
    },
    async serve(settings = {}) {
      const nothing = { open: () => Promise.reject(new Error("nothing is remote")) };
      const lease = new StoreLease(async () => {
        const store = await openStore(images.store.root);
        const layers = openLayerStore(store, images.runner, nothing, () => {});
        return { store, images: new ServedImages(store, layers, new AbortController().signal) };
      }, 0);
      server = await startRegistryServer(lease, {
        host: "127.0.0.1",
        port: 0,
        rights: everything,
        tls: null,
        idleMs: 10_000,
        onFailure: (request, error) => failures.push(`${request}: ${error}`),
        ...settings,
      });
      return server;
    },
    ask: (request, asked = {}) => ask(host(), request, asked),
    async pushBlob(repository, content) {
      const digest = digestOf(content);
      const { status } = await ask(host(), `POST /v2/${repository}/blobs/uploads/?digest=${digest}`, { body: content });
      if (status !== 201) throw new Error(`blob not pushed: ${status}`);
      return digest;
    },
    async pushArtifact(repository, name, members = {}) {
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: await pushed(repository, "{}", "application/vnd.oci.empty.v1+json"),
        layers: [await pushed(repository, `layer of ${name}`, "text/plain")],
        ...members,
      });
      const digest = digestOf(manifest);
      const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
      const { status, body } = await ask(host(), `PUT /v2/${repository}/manifests/${name ?? digest}`, {
        headers,
        body: manifest,
      });
      if (status !== 201) throw new Error(`manifest not pushed: ${status} ${body}`);
      return digest;
    },
  };
  const pushed = async (repository: string, content: string, mediaType: string): Promise<object> => ({
    mediaType,
    digest: await served.pushBlob(repository, content),
    size: content.length,
  });
  return Object.defineProperties(images, Object.getOwnPropertyDescriptors(served)) as ServedStore;
}

/** Sends `GET /v2/…` as it is written, without a client tidying it up. */
async function ask(host: string, request: string, { headers = {}, body }: Asked): Promise<Answer> {
  const [method = "", path = ""] = request.split(" ");
  const [hostname, port] = host.split(":");
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const sent = http.request({ hostname, port, method, path, headers, agent: false }, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
  const bytes = await buffer(response);
  const code = /"code":"([A-Z_]+)"/.exec(bytes.toString())?.[1] ?? "";
  return { status: response.statusCode ?? 0, headers: response.headers, body: bytes, code };
}
