import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { pipeline } from "node:stream/promises";
import tls from "node:tls";
import { Certificates, type HostCertificates } from "./certificates.ts";
import { idleTimeoutMs, largestHeaderBytes } from "./limits.ts";
import { authorizationOf, openTunnel, proxyFor } from "./proxy.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** It goes to the registry that was named, not to where that sent somebody. */
  readonly isToRegistry?: boolean;
  /** A stream needs `content-length` among the headers. What it fails with, `send` rejects with. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

export interface HttpResponse {
  readonly status: number;
  /** The value of a header by its lower-case name; the first one when there are several. */
  header(name: string): string | null;
  /** Every value of a header. */
  headerValues(name: string): readonly string[];
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the connection; to be called when the body is not read to its end. */
  discard(): void;
}

/** One HTTP exchange: no redirects, no retries, no decompression, nothing added to the headers but `host`. */
export interface HttpTransport {
  /** Resolves when the headers are there; rejects with what Node reports. */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
}

/** Certificates are always checked: NODE_TLS_REJECT_UNAUTHORIZED does not reach here. */
const tlsOptions = { rejectUnauthorized: true, minVersion: "TLSv1.2" } as const;

/** Sends with Node's client over kept-alive connections, through the proxy the environment names. */
export class NodeHttpTransport implements HttpTransport {
  readonly #plain = new http.Agent({ keepAlive: true, maxSockets: 16 });
  readonly #secure = new https.Agent({ keepAlive: true, maxSockets: 16, ...tlsOptions });
  /** For hosts with certificates of their own. */
  readonly #ownSecure = new Map<HostCertificates, https.Agent>();
  readonly #environment: NodeJS.ProcessEnv;
  readonly #idleTimeoutMs: number;
  readonly #certificates: Certificates;

  constructor(
    environment: NodeJS.ProcessEnv,
    idleMs = idleTimeoutMs,
    certificates: Certificates = new Certificates(environment),
  ) {
    this.#environment = environment;
    this.#idleTimeoutMs = idleMs;
    this.#certificates = certificates;
  }

  /** Closes the connections that are idle. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
    for (const agent of this.#ownSecure.values()) agent.destroy();
  }

  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const started = await this.#start(request, signal);
    return new Promise((resolve, reject) => {
      started.setTimeout(this.#idleTimeoutMs, () => {
        started.destroy(Object.assign(new Error(`no data for ${this.#idleTimeoutMs} ms`), { code: "ETIMEDOUT" }));
      });
      started.on("error", reject);
      started.on("response", (message) => resolve(responseOf(message)));
      const { body } = request;
      if (body === undefined || typeof body === "string" || body instanceof Uint8Array) started.end(body);
      // A server may answer before it has read everything; then nothing that happens to the rest matters.
      else pipeline(body, started).catch(reject);
    });
  }

  #secureAgent({ url, isToRegistry = false }: HttpRequest): https.Agent {
    const own = this.#certificates.find(url, isToRegistry);
    if (own === null) return this.#secure;
    const known = this.#ownSecure.get(own);
    if (known !== undefined) return known;
    const agent = new https.Agent({ keepAlive: true, maxSockets: 16, ...tlsOptions, ...tlsOptionsOf(own) });
    this.#ownSecure.set(own, agent);
    return agent;
  }

  async #start(request: HttpRequest, signal: AbortSignal): Promise<http.ClientRequest> {
    const { method, url, headers } = request;
    const options = { method, headers, signal, maxHeaderSize: largestHeaderBytes };
    const proxy = proxyFor(url, this.#environment);
    if (url.protocol === "http:" && proxy === null) return http.request(url, { ...options, agent: this.#plain });
    if (proxy === null) return https.request(url, { ...options, agent: this.#secureAgent(request) });
    if (url.protocol === "http:") {
      const authorization = authorizationOf(proxy);
      return http.request(proxy, {
        ...options,
        agent: this.#plain,
        path: url.href,
        headers: {
          ...headers,
          host: url.host,
          ...(authorization === null ? {} : { "proxy-authorization": authorization }),
        },
      });
    }
    const socket = await openTunnel(proxy, url, this.#idleTimeoutMs, signal);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const own = tlsOptionsOf(this.#certificates.find(url, request.isToRegistry === true));
    const name = isIP(host) === 0 ? { servername: host } : {};
    const createConnection = (): tls.TLSSocket => tls.connect({ ...tlsOptions, ...own, ...name, host, socket });
    return https.request(url, { ...options, createConnection });
  }
}

const tlsOptionsOf = (own: HostCertificates | null): tls.SecureContextOptions => ({
  ...(own?.ca == null ? {} : { ca: [...own.ca] }),
  ...own?.client,
});

function responseOf(message: http.IncomingMessage): HttpResponse {
  const headerValues = (name: string): readonly string[] => message.headersDistinct[name] ?? [];
  return {
    status: message.statusCode ?? 0,
    header: (name) => headerValues(name)[0] ?? null,
    headerValues,
    body: message,
    discard: () => message.destroy(),
  };
}
