import { BuildError } from "../base/errors.ts";
import { serveRegistry } from "../engine/serve-registry.ts";
import { isLoopbackHost } from "../registry/loopback.ts";
import type { RegistryServeOptions } from "./registry-commands.ts";
import { renderError } from "./render-error.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild registry serve`: says on stdout where it listens, then runs until it is told to stop. */
export async function runRegistryServe(options: RegistryServeOptions): Promise<void> {
  const { host, port } = parseAddress(options.addr);
  const { tlsCert, tlsKey } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new BuildError("USAGE_INVALID", "--tls-cert and --tls-key: want both or none");
  const allowPush = options.allowPush === true || options.writable === true;
  const request = {
    host,
    port,
    allowPush,
    allowDelete: options.allowDelete === true,
    htpasswd: options.htpasswd ?? null,
    tls: tlsCert === undefined || tlsKey === undefined ? null : { cert: tlsCert, key: tlsKey },
  };
  const warn = (text: string): void => void process.stderr.write(`warning: ${text}\n`);
  if (!isLoopbackHost(host)) {
    if (request.htpasswd === null)
      warn(`everybody who reaches ${options.addr} can read the images of this store; --htpasswd asks for a password`);
    else if (request.tls === null) warn("passwords cross the network readable; --tls-cert and --tls-key encrypt them");
  }
  const events = {
    listening: (url: string): void => void process.stdout.write(`listening on ${url}\n`),
    failed: (what: string, error: unknown): void => {
      const text = renderError(error, { excerpt: null, step: null, debug: options.debug === true });
      process.stderr.write(`${what}: ${text}`);
    },
  };
  const settings = { root: storeRoot(options.root), environment: process.env };
  await withInterrupt((signal) => serveRegistry(settings, request, events, signal));
}

/** `host:port`, `[::1]:port`, or `:port` for every address of this machine. */
function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, name, digits = ""] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65535)
    throw new BuildError("USAGE_INVALID", `--addr ${JSON.stringify(text)}: want host:port`, {
      hint: "127.0.0.1:5000 is this machine only, :5000 every address it has",
    });
  return { host: host === "" ? "::" : host, port };
}
