import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { isLoopbackHost } from "./loopback.ts";

/**
 * The proxy for `url` by HTTPS_PROXY, HTTP_PROXY and NO_PROXY (also in lower case), or null. This machine itself is
 * never reached through a proxy.
 */
export function proxyFor(url: URL, environment: NodeJS.ProcessEnv): URL | null {
  const name = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  const proxy = environment[name] || environment[name.toUpperCase()];
  if (!proxy || isLoopbackHost(url.hostname) || isExcluded(url, environment)) return null;
  const text = /^[a-z0-9]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
  const parsed = URL.canParse(text) ? new URL(text) : null;
  return parsed?.protocol === "http:" || parsed?.protocol === "https:" ? parsed : null;
}

/** NO_PROXY: host names that cover their subdomains, with an optional port; `*` is everything. */
function isExcluded(url: URL, environment: NodeJS.ProcessEnv): boolean {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const list = (environment.no_proxy || environment.NO_PROXY || "").toLowerCase().split(",");
  return list.some((entry) => {
    const [, name = "", wantedPort] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry.trim()) ?? [];
    if (entry.trim() === "*") return true;
    if (name === "" || (wantedPort !== undefined && wantedPort !== port)) return false;
    return url.hostname === name || url.hostname.endsWith(`.${name}`);
  });
}

/** Basic credentials from a proxy's URL, or null. */
export function authorizationOf(proxy: URL): string | null {
  if (proxy.username === "") return null;
  const userInfo = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(userInfo).toString("base64")}`;
}

/** A connection to the host of `url` through `proxy` (RFC 9110 section 9.3.6, CONNECT). */
export function openTunnel(proxy: URL, url: URL, timeoutMs: number, signal: AbortSignal): Promise<Duplex> {
  const authority = `${url.hostname}:${url.port || "443"}`;
  const authorization = authorizationOf(proxy);
  return new Promise((resolve, reject) => {
    const request = (proxy.protocol === "https:" ? https : http).request(proxy, {
      method: "CONNECT",
      path: authority,
      headers: { host: authority, ...(authorization === null ? {} : { "proxy-authorization": authorization }) },
      signal,
      agent: false,
    });
    request.setTimeout(timeoutMs, () => {
      request.destroy(Object.assign(new Error("the proxy does not answer"), { code: "ETIMEDOUT" }));
    });
    request.on("error", reject);
    request.on("connect", (response, socket) => {
      if (response.statusCode === 200) {
        socket.setTimeout(0);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(Object.assign(new Error(`the proxy answered ${response.statusCode}`), { code: "EPROXY" }));
    });
    request.end();
  });
}
