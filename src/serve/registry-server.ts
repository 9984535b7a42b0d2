import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { BuildError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { isLoopbackHost } from "../registry/loopback.ts";
import { checkMethod, checkOrigin, checkUser, type RegistryRights } from "./access.ts";
import { answerJson, answerRefusal, type Exchange } from "./exchange.ts";
import { asRefusal } from "./registry-refusal.ts";
import { parseRegistryRoute, type RegistryRoute } from "./registry-route.ts";
import { serveBlob } from "./serve-blob.ts";
import { mostConnections, stopPatienceMs, uploadPatienceMs } from "./serve-limits.ts";
import { serveCatalog, serveReferrers, serveTags } from "./serve-lists.ts";
import { deleteBlob, deleteManifest, readManifestBody, serveManifest, storeManifest } from "./serve-manifest.ts";
import { beginUpload, continueUpload } from "./serve-upload.ts";
import type { OpenedStore, StoreLease } from "./store-lease.ts";
import { Uploads } from "./uploads.ts";

/** Where a registry listens and who may do what. */
export interface RegistryServerSettings {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly rights: RegistryRights;
  /** PEM; null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** A client that sends and takes nothing for this long is given up. */
  readonly idleMs: number;
  /** Told of requests that failed for a reason that is not the client's. */
  readonly onFailure: (request: string, error: unknown) => void;
}

export interface RegistryServer {
  /** `http://127.0.0.1:5000` */
  readonly url: string;
  /** Answers what was begun, for some seconds at most, and ends. Uploads that are not complete are forgotten. */
  stop(): Promise<void>;
}

/**
 * Starts a registry by the OCI distribution specification 1.1 on the store of `lease`. Throws USAGE_INVALID when it
 * cannot listen there, CONFIG_INVALID for a certificate that is none.
 */
export async function startRegistryServer(
  lease: StoreLease,
  settings: RegistryServerSettings,
): Promise<RegistryServer> {
  const uploads = new Uploads(lease, uploadPatienceMs);
  const handler = new RegistryHandler(lease, uploads, settings);
  const options = {
    headersTimeout: 30_000,
    requestTimeout: 0,
    keepAliveTimeout: 30_000,
    connectionsCheckingInterval: 5000,
  };
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void =>
    void handler.handle(request, response);
  const server = createServer(settings, options, listener);
  server.maxConnections = mostConnections;
  const { port } = await listen(server, settings);
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  return {
    url: `${settings.tls === null ? "http" : "https"}://${host}:${port}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), stopPatienceMs);
      await closed;
      clearTimeout(timer);
      await uploads.endAll();
      await lease.close();
    },
  };
}

function createServer(
  { tls }: RegistryServerSettings,
  options: http.ServerOptions,
  listener: http.RequestListener,
): http.Server | https.Server {
  if (tls === null) return http.createServer(options, listener);
  try {
    return https.createServer({ ...options, ...tls, minVersion: "TLSv1.2" }, listener);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new BuildError("CONFIG_INVALID", `TLS certificate and key: cannot be used (${problem})`, { cause });
  }
}

function listen(server: http.Server | https.Server, { host, port }: RegistryServerSettings): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const problem = cause.code === "EADDRINUSE" ? "somebody else listens there" : cause.message;
      reject(new BuildError("USAGE_INVALID", `address ${host}:${port}: ${problem}`, { cause }));
    });
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

class RegistryHandler {
  readonly #lease: StoreLease;
  readonly #uploads: Uploads;
  readonly #settings: RegistryServerSettings;
  /** Manifests are stored and things deleted one after the other: what one checks the next must not take away. */
  readonly #changes = new Semaphore(1);

  constructor(lease: StoreLease, uploads: Uploads, settings: RegistryServerSettings) {
    this.#lease = lease;
    this.#uploads = uploads;
    this.#settings = settings;
  }

  /** Never rejects. */
  async handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const [path = "", query = ""] = splitOnce(request.url ?? "", "?");
    const exchange: Exchange = { request, response, query: new URLSearchParams(query) };
    response.setHeader("docker-distribution-api-version", "registry/2.0");
    response.setHeader("x-content-type-options", "nosniff");
    request.on("error", () => {});
    response.on("error", () => {});
    try {
      checkOrigin(request, isLoopbackHost(this.#settings.host));
      await checkUser(request, this.#settings.rights.users);
      const route = parseRegistryRoute(path);
      checkMethod(request.method ?? "", route, this.#settings.rights);
      await this.#answer(exchange, route);
    } catch (error) {
      // Nobody is there any more to be told.
      if (response.destroyed || request.errored !== null) {
        response.destroy();
        return;
      }
      const refusal = asRefusal(error);
      if (refusal.status >= 500) this.#settings.onFailure(`${request.method} ${path}`, error);
      answerRefusal(exchange, refusal);
    }
  }

  async #answer(exchange: Exchange, route: RegistryRoute): Promise<void> {
    const { idleMs } = this.#settings;
    const { method } = exchange.request;
    const inStore = (work: (opened: OpenedStore) => Promise<void>): Promise<void> => this.#lease.use(work);
    const changing = (work: (opened: OpenedStore) => Promise<void>): Promise<void> =>
      inStore((opened) => this.#changes.use(() => work(opened)));
    switch (route.kind) {
      case "root":
        return answerJson(exchange, {});
      case "catalog":
        return inStore((opened) => serveCatalog(exchange, opened));
      case "tags":
        return inStore((opened) => serveTags(exchange, route.repository, opened));
      case "referrers":
        return inStore((opened) => serveReferrers(exchange, route.repository, route.digest, opened));
      case "blob":
        if (method === "DELETE")
          return changing((opened) => deleteBlob(exchange, route.repository, route.digest, opened));
        return inStore((opened) => serveBlob(exchange, route.repository, route.digest, opened, idleMs));
      case "uploads":
        return inStore((opened) => beginUpload(exchange, route.repository, this.#uploads, opened, idleMs));
      case "upload":
        return continueUpload(exchange, route.repository, route.id, this.#uploads, idleMs);
      case "manifest": {
        const { repository, name } = route;
        if (method === "DELETE") return changing((opened) => deleteManifest(exchange, repository, name, opened));
        if (method !== "PUT") return inStore((opened) => serveManifest(exchange, repository, name, opened));
        const bytes = await readManifestBody(exchange, idleMs);
        return changing((opened) => storeManifest(exchange, repository, name, bytes, opened));
      }
    }
  }
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
