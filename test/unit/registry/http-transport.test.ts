import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { NodeHttpTransport } from "../../../src/registry/http-transport.ts";
import { isLocalAddress, isLoopbackHost } from "../../../src/registry/loopback.ts";
import { proxyFor } from "../../../src/registry/proxy.ts";
import { collect } from "../../support/registry-client.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const directory = useTemporaryDirectory();
const signal = new AbortController().signal;
const servers: (http.Server | https.Server)[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
async function listen<T extends http.Server | https.Server>(server: T): Promise<{ server: T; port: number }> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}
const get = async (url: string, environment: NodeJS.ProcessEnv = {}): Promise<string> => {
  const response = await new NodeHttpTransport(environment).send(
    { method: "GET", url: new URL(url), headers: {} },
    signal,
  );
  return `${response.status} ${(await collect(response.body)).toString()}`;
};

test.each([
  ["https://reg.example/x", { HTTPS_PROXY: "http://p:3128" }, "http://p:3128/"],
  ["https://reg.example/x", { https_proxy: "p:3128" }, "http://p:3128/"],
  ["https://reg.example/x", { HTTP_PROXY: "http://p:3128" }, null],
  ["http://reg.example/x", { HTTP_PROXY: "http://p:3128" }, "http://p:3128/"],
  ["https://reg.example/x", { HTTPS_PROXY: "" }, null],
  ["https://reg.example/x", { HTTPS_PROXY: "socks5://p" }, null],
  ["https://reg.example/x", { HTTPS_PROXY: "http://p", NO_PROXY: "reg.example" }, null],
  ["https://reg.example/x", { HTTPS_PROXY: "http://p", no_proxy: "other, .example" }, null],
  ["https://reg.example/x", { HTTPS_PROXY: "http://p", NO_PROXY: "*" }, null],
  ["https://reg.example:8443/x", { HTTPS_PROXY: "http://p", NO_PROXY: "reg.example:8443" }, null],
  ["https://reg.example/x", { HTTPS_PROXY: "http://p", NO_PROXY: "reg.example:8443" }, "http://p/"],
  ["https://reg.example/x", { HTTPS_PROXY: "http://p", NO_PROXY: "g.example,," }, "http://p/"],
  ["https://127.0.0.1:5001/x", { HTTPS_PROXY: "http://p" }, null],
  ["http://localhost:5000/x", { HTTP_PROXY: "http://p" }, null],
])("%s with %j goes by the proxy %s", (url, environment, proxy) => {
  expect(proxyFor(new URL(url), environment)?.href ?? null).toBe(proxy);
});

describe("a proxy", () => {
  test("gets the whole URL of plain requests, and its own credentials", async () => {
    const seen: string[] = [];
    const { port } = await listen(
      http.createServer((request, response) => {
        seen.push(`${request.url} ${request.headers.host} ${request.headers["proxy-authorization"]}`);
        response.end("proxied");
      }),
    );
    expect(await get("http://reg.invalid/v2/", { HTTP_PROXY: `http://me:p%40w@127.0.0.1:${port}` })).toBe(
      "200 proxied",
    );
    expect(seen).toEqual([`http://reg.invalid/v2/ reg.invalid Basic ${Buffer.from("me:p@w").toString("base64")}`]);
  });

  /** A proxy that answers CONNECT with `answer`; `tunnels` are its connections. */
  async function startProxy(answer: string): Promise<{ url: string; asked: string[]; tunnels: Duplex[] }> {
    const { server, port } = await listen(http.createServer());
    const asked: string[] = [];
    const tunnels: Duplex[] = [];
    server.on("connect", (request, socket) => {
      asked.push(request.url ?? "");
      tunnels.push(socket);
      socket.write(answer);
      socket.on("data", () => socket.end("this is no TLS"));
    });
    return { url: `http://127.0.0.1:${port}`, asked, tunnels };
  }

  test("opens a tunnel for HTTPS, which is closed when there is no TLS at its end", async () => {
    const { url, asked, tunnels } = await startProxy("HTTP/1.1 200 OK\r\n\r\n");
    const work = get("https://reg.invalid/v2/", { HTTPS_PROXY: url });
    await expect(work).rejects.toMatchObject({ code: expect.stringMatching(/EPROTO|ERR_SSL/) });
    expect(asked).toEqual(["reg.invalid:443"]);
    await Promise.all(tunnels.map(closed));
  });

  test("that refuses is named, and its connection closed", async () => {
    const { url, tunnels } = await startProxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    await expect(get("https://reg.invalid/v2/", { HTTPS_PROXY: url })).rejects.toThrow("the proxy answered 407");
    await Promise.all(tunnels.map(closed));
  });
});

/** Resolves when the other side is gone. */
const closed = (socket: Duplex): Promise<void> =>
  new Promise((resolve) => {
    socket.on("error", () => {});
    if (socket.destroyed) resolve();
    else socket.on("close", resolve).resume().end();
  });

const hasOpenssl = (() => {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasOpenssl)(`TLS${hasOpenssl ? "" : " (skipped: openssl is not installed)"}`, () => {
  test("with a certificate nobody vouches for is refused, also with NODE_TLS_REJECT_UNAUTHORIZED=0", async () => {
    const [key, cert] = [join(directory.path, "key.pem"), join(directory.path, "cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        key,
        "-out",
        cert,
        ...subject,
      ],
      { stdio: "ignore" },
    );
    const { port } = await listen(
      https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) =>
        response.end("no"),
      ),
    );
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      await expect(get(`https://localhost:${port}/`)).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });
});

test("a server that speaks no HTTP is an error", async () => {
  const server = net.createServer((socket) => socket.resume().end("SSH-2.0-OpenSSH\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await expect(get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)).rejects.toMatchObject({
    code: expect.stringMatching(/^HPE_/),
  });
  await new Promise((resolve) => server.close(resolve));
});

test.each(["localhost", "LOCALHOST", "127.0.0.1", "127.255.1.2", "::1", "[::1]"])("%s is this machine", (host) => {
  expect(isLoopbackHost(host)).toBe(true);
  expect(isLocalAddress(host)).toBe(true);
});

test.each(["127.0.0.1.example", "localhost.example", "128.0.0.1", "example", "", "::2"])(
  "%s is not this machine",
  (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  },
);

test.each([
  "8.8.8.8",
  "172.15.0.1",
  "172.32.0.1",
  "192.169.0.1",
  "100.128.0.1",
  "[2001:db8::1]",
  "auth.example",
  "10.example",
])("%s is no local address", (host) => {
  expect(isLocalAddress(host)).toBe(false);
});
