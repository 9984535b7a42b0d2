import { type BuildError, isBuildError } from "../base/errors.ts";
import type { Challenge } from "./challenge.ts";
import type { CredentialSource, Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import { unauthorized } from "./failures.ts";
import type { HttpTransport } from "./http-transport.ts";
import { basicAuthorization, requestToken } from "./token-server.ts";

interface Grant {
  /** Value of the Authorization header. */
  readonly header: string;
  readonly expiresAtMs: number;
  /** What it was the answer to. */
  readonly challenges: readonly Challenge[];
}

/** A token is not used in its last seconds: the request still has to get there. */
const marginMs = 5_000;

/** Holds what servers want to see in `Authorization`, by server and scope, and gets it when they ask. */
export class Authorizer {
  readonly #transport: HttpTransport;
  readonly #credentials: CredentialSource;
  readonly #now: () => number;
  readonly #grants = new Map<string, Grant>();
  readonly #pending = new Map<string, Promise<Grant>>();

  constructor(transport: HttpTransport, credentials: CredentialSource, now: () => number) {
    this.#transport = transport;
    this.#credentials = credentials;
    this.#now = now;
  }

  /** The header a request for `scopes` ("repository:ns/app:pull") will need, when it is known; null otherwise. */
  known(endpoint: Endpoint, scopes: readonly string[]): string | null {
    const grant = this.#grants.get(keyOf(endpoint, scopes));
    return grant !== undefined && grant.expiresAtMs - marginMs > this.#now() ? grant.header : null;
  }

  /** As `known`, but what has expired is got anew, before a server refuses a large body. Throws SOURCE_UNAUTHORIZED. */
  async current(
    endpoint: Endpoint,
    scopes: readonly string[],
    subject: string,
    signal: AbortSignal,
  ): Promise<string | null> {
    const known = this.known(endpoint, scopes);
    const expired = this.#grants.get(keyOf(endpoint, scopes));
    if (known !== null || expired === undefined) return known;
    return this.answer(endpoint, scopes, expired.challenges, subject, signal);
  }

  /** The header that answers `challenges`, got anew; asked for once by requests at the same time. Throws SOURCE_UNAUTHORIZED. */
  answer(
    endpoint: Endpoint,
    scopes: readonly string[],
    challenges: readonly Challenge[],
    subject: string,
    signal: AbortSignal,
  ): Promise<string> {
    const key = keyOf(endpoint, scopes);
    const running = this.#pending.get(key) ?? this.#grant(endpoint, scopes, challenges, subject, signal);
    this.#pending.set(key, running);
    return running
      .then((grant) => {
        this.#grants.set(key, grant);
        return grant.header;
      })
      .finally(() => {
        if (this.#pending.get(key) === running) this.#pending.delete(key);
      });
  }

  async #grant(
    endpoint: Endpoint,
    scopes: readonly string[],
    challenges: readonly Challenge[],
    subject: string,
    signal: AbortSignal,
  ): Promise<Grant> {
    const { credentials, problem } = await this.#findCredentials(endpoint);
    if (credentials?.kind === "bearer")
      return { header: `Bearer ${credentials.token}`, expiresAtMs: Number.POSITIVE_INFINITY, challenges };
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer !== undefined) {
      const granted = await requestToken(this.#transport, endpoint, bearer, scopes, credentials, signal);
      return { header: `Bearer ${granted.token}`, expiresAtMs: this.#now() + granted.expiresInMs, challenges };
    }
    const basic = challenges.some((challenge) => challenge.scheme === "basic");
    if (basic && credentials?.kind === "password") {
      return { header: basicAuthorization(credentials), expiresAtMs: Number.POSITIVE_INFINITY, challenges };
    }
    const reason = basic
      ? "the registry wants a user name and a password"
      : "the registry asks for no known kind of login";
    throw unauthorized(subject, problem?.message ?? reason, endpoint.registry, problem ?? undefined);
  }

  /** Without a working credential helper public images must still be had: the problem is only told when access is denied. */
  async #findCredentials(endpoint: Endpoint): Promise<{ credentials: Credentials | null; problem: BuildError | null }> {
    try {
      return { credentials: await this.#credentials.find(endpoint.registry), problem: null };
    } catch (error) {
      if (isBuildError(error, "CONFIG_INVALID")) return { credentials: null, problem: error };
      throw error;
    }
  }
}

const keyOf = (endpoint: Endpoint, scopes: readonly string[]): string =>
  JSON.stringify([endpoint.origin.origin, endpoint.repository, ...scopes]);
