import { BuildError } from "../base/errors.ts";
import { JsonReader } from "../image/json-reader.ts";
import { parseJsonObject } from "../image/strict-json.ts";
import type { Challenge } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import { networkFailure, statusFailure, unauthorized } from "./failures.ts";
import type { HttpRequest, HttpTransport } from "./http-transport.ts";
import { largestTokenBytes } from "./limits.ts";
import { isLocalAddress } from "./loopback.ts";
import { readLimited } from "./read-limited.ts";

/** A token for one scope. */
export interface AccessToken {
  readonly token: string;
  readonly expiresInMs: number;
}

/** What the specification says when the server does not (distribution-spec, token authentication). */
const defaultLifetimeMs = 60_000;

/**
 * Gets a token for `scopes` from the server a Bearer challenge names. Credentials go to that server only if the rules of
 * `checkRealm` allow it; redirects are refused. Throws SOURCE_UNAUTHORIZED, SOURCE_INVALID or a TransientFailure.
 */
export async function requestToken(
  transport: HttpTransport,
  endpoint: Endpoint,
  challenge: Challenge,
  scopes: readonly string[],
  credentials: Credentials | null,
  signal: AbortSignal,
): Promise<AccessToken> {
  const realm = checkRealm(challenge.parameters.get("realm") ?? "", endpoint);
  const request = tokenRequest(realm, challenge.parameters.get("service") ?? "", scopes, credentials);
  const isToRegistry = realm.origin === endpoint.origin.origin;
  const response = await transport.send({ ...request, isToRegistry }, signal).catch((cause: unknown) => {
    throw networkFailure(realm, cause, signal);
  });
  if (response.status >= 300 && response.status < 400) {
    response.discard();
    throw new BuildError("SOURCE_INVALID", `registry ${endpoint.registry}: its token server ${realm.host} redirects`);
  }
  if (response.status === 400 && credentials !== null) {
    response.discard();
    throw unauthorized(`registry ${endpoint.registry}`, `token server ${realm.host} answered 400`, endpoint.registry);
  }
  if (response.status !== 200) throw await statusFailure(response, realm, `registry ${endpoint.registry}`, signal);
  return parseToken(await readLimited(response, largestTokenBytes, realm, signal), realm);
}

/**
 * The URL of the token server, if it may be asked. A registry's own host and port always may; any other must be
 * reached by HTTPS and must not be an address of this machine or its network: the registry does not decide what is
 * asked there. Throws SOURCE_INVALID.
 */
export function checkRealm(text: string, endpoint: Endpoint): URL {
  const refuse = (problem: string): BuildError =>
    new BuildError("SOURCE_INVALID", `registry ${endpoint.registry}: token server refused: ${problem}`);
  if (!URL.canParse(text)) throw refuse("its URL cannot be read");
  const realm = new URL(text);
  if (realm.protocol !== "https:" && realm.protocol !== "http:") throw refuse(`scheme ${realm.protocol}`);
  if (realm.username !== "" || realm.password !== "") throw refuse("its URL holds credentials");
  if (realm.origin === endpoint.origin.origin) return realm;
  if (realm.protocol !== "https:") throw refuse(`${realm.host} is asked without TLS`);
  if (isLocalAddress(realm.hostname) && realm.host !== endpoint.origin.host)
    throw refuse(`${realm.host} is a local address`);
  return realm;
}

function tokenRequest(
  realm: URL,
  service: string,
  scopes: readonly string[],
  credentials: Credentials | null,
): HttpRequest {
  const headers = { accept: "application/json", "accept-encoding": "identity", "user-agent": "tsbuild" };
  if (credentials?.kind === "identity-token") {
    const form = {
      grant_type: "refresh_token",
      refresh_token: credentials.token,
      client_id: "tsbuild",
      service,
      scope: scopes.join(" "),
    };
    const body = new URLSearchParams(form).toString();
    const length = String(Buffer.byteLength(body));
    return {
      method: "POST",
      url: realm,
      headers: { ...headers, "content-type": "application/x-www-form-urlencoded", "content-length": length },
      body,
    };
  }
  const url = new URL(realm);
  if (service !== "") url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const authorization = credentials?.kind === "password" ? { authorization: basicAuthorization(credentials) } : {};
  return { method: "GET", url, headers: { ...headers, ...authorization } };
}

export function basicAuthorization(credentials: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;
}

function parseToken(bytes: Uint8Array, realm: URL): AccessToken {
  const failure = (problem: string): BuildError =>
    new BuildError("SOURCE_INVALID", `token server ${realm.host}: ${problem}`);
  const answer = new JsonReader(parseJsonObject(bytes, largestTokenBytes, failure), "", failure);
  const token = answer.optionalString("token") || answer.optionalString("access_token");
  if (!token || !/^[\x21-\x7e]+$/.test(token)) throw answer.failure("token", "missing or not printable");
  const seconds = answer.optionalCount("expires_in");
  return { token, expiresInMs: seconds === undefined ? defaultLifetimeMs : seconds * 1000 };
}
