import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { isLoopbackHost } from "../registry/loopback.ts";
import type { Htpasswd } from "./htpasswd.ts";
import { RegistryRefusal } from "./registry-refusal.ts";
import type { RegistryRoute } from "./registry-route.ts";

/** What clients may do. */
export interface RegistryRights {
  readonly push: boolean;
  readonly delete: boolean;
  /** null: everybody may read. */
  readonly users: Htpasswd | null;
}

const challenge = { "www-authenticate": 'Basic realm="tsbuild", charset="UTF-8"' };

/** Throws a RegistryRefusal unless the request says who it is from, when that is asked for. */
export async function checkUser(request: IncomingMessage, users: Htpasswd | null): Promise<void> {
  if (users === null) return;
  const encoded = /^Basic ([A-Za-z0-9+/=]{1,1000})$/i.exec(request.headers.authorization ?? "")?.[1];
  const text = Buffer.from(encoded ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon > 0 && (await users.accepts(text.slice(0, colon), text.slice(colon + 1)))) return;
  throw new RegistryRefusal(401, "UNAUTHORIZED", "log in", challenge);
}

/** Throws a RegistryRefusal for what nobody may do here. */
export function checkMethod(method: string, route: RegistryRoute, rights: RegistryRights): void {
  const isUpload = route.kind === "uploads" || route.kind === "upload";
  const isRead = (method === "GET" || method === "HEAD") && !isUpload;
  if (isRead) return;
  if (method === "DELETE" && !isUpload) {
    if (route.kind !== "manifest" && route.kind !== "blob") throw unsupported("no such method");
    if (!rights.delete) throw unsupported("nothing can be deleted here");
    return;
  }
  const isPush =
    route.kind === "uploads"
      ? method === "POST"
      : route.kind === "upload"
        ? ["PATCH", "PUT", "GET", "DELETE"].includes(method)
        : route.kind === "manifest" && method === "PUT";
  if (!isPush) throw unsupported("no such method");
  if (!rights.push) throw unsupported("nothing can be pushed here");
}

const unsupported = (message: string): RegistryRefusal => new RegistryRefusal(405, "UNSUPPORTED", message);

/**
 * Throws a RegistryRefusal for requests that a web page in the browser of somebody here may have sent: those that say
 * so, and on a server for this machine alone those to a name, which could be made to lead here (DNS rebinding).
 */
export function checkOrigin(request: IncomingMessage, isForThisMachine: boolean): void {
  if (request.headers.origin !== undefined) throw new RegistryRefusal(403, "DENIED", "not for web pages");
  const host = (request.headers.host ?? "").replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  if (isForThisMachine && host !== "" && isIP(host) === 0 && !isLoopbackHost(host))
    throw new RegistryRefusal(403, "DENIED", "this registry is for its own machine only; ask for it as 127.0.0.1");
}
