import { BuildError, isBuildError } from "../base/errors.ts";
import type { Authorizer } from "./authorizer.ts";
import { parseChallenges } from "./challenge.ts";
import type { Endpoint } from "./endpoint.ts";
import { networkFailure, statusFailure } from "./failures.ts";
import type { HttpResponse, HttpTransport } from "./http-transport.ts";
import { mostRedirects } from "./limits.ts";

/** A request below `/v2/<repository>/`. */
export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  /** `manifests/latest`, or a URL of the registry itself. */
  readonly path: string | URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Called again when the request has to be sent again. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  /** What the request may do; reading when left out. */
  readonly access?: "pull" | "push";
  /** Another repository of the registry that is read as well. */
  readonly alsoReads?: string;
  /** Redirects are answers; nobody but the registry itself is asked. */
  readonly staysThere?: boolean;
  /** What the message is about: `docker.io/library/busybox:latest`. */
  readonly subject: string;
}

/** An answer and where it came from after redirects. */
export interface RegistryAnswer {
  readonly response: HttpResponse;
  readonly url: URL;
}

/**
 * Sends requests to registries: answers one challenge, follows redirects, makes errors of everything but 2xx. The
 * Authorization header only ever goes to the registry's own scheme, host and port; other hosts are not answered when
 * they ask for it.
 */
export class RegistryExchange {
  readonly #transport: HttpTransport;
  readonly #authorizer: Authorizer;

  constructor(transport: HttpTransport, authorizer: Authorizer) {
    this.#transport = transport;
    this.#authorizer = authorizer;
  }

  /** Throws a SOURCE_* error, or a TransientFailure for what may work when tried again. */
  async send(endpoint: Endpoint, request: RegistryRequest, signal: AbortSignal): Promise<RegistryAnswer> {
    const scopes = scopesOf(endpoint, request);
    let authorization =
      request.body === undefined
        ? this.#authorizer.known(endpoint, scopes)
        : await this.#authorizer.current(endpoint, scopes, request.subject, signal);
    let answer = await this.#follow(endpoint, request, authorization, signal);
    if (answer.response.status === 401 && answer.url.origin === endpoint.origin.origin) {
      const challenges = parseChallenges(answer.response.headerValues("www-authenticate"));
      if (challenges.length > 0) {
        answer.response.discard();
        authorization = await this.#authorizer.answer(endpoint, scopes, challenges, request.subject, signal);
        answer = await this.#follow(endpoint, request, authorization, signal);
      }
    }
    const { response, url } = answer;
    if (request.staysThere && isRedirect(response.status)) return answer;
    if (response.status < 200 || response.status > 299)
      throw await statusFailure(response, url, request.subject, signal);
    const encoding = response.header("content-encoding");
    if (encoding !== null && encoding !== "identity") {
      response.discard();
      throw new BuildError(
        "SOURCE_INVALID",
        `${request.subject}: registry ${url.host} sent it with an encoding that was not asked for`,
      );
    }
    return answer;
  }

  async #follow(
    endpoint: Endpoint,
    request: RegistryRequest,
    authorization: string | null,
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    let url =
      request.path instanceof URL
        ? request.path
        : new URL(`/v2/${endpoint.repository}/${request.path}`, endpoint.origin);
    for (let hop = 0; ; hop += 1) {
      const isToRegistry = url.origin === endpoint.origin.origin;
      const mayAuthorize = authorization !== null && isToRegistry;
      const headers = {
        ...request.headers,
        "accept-encoding": "identity",
        "user-agent": "tsbuild",
        ...(mayAuthorize ? { authorization } : {}),
      };
      const target = url;
      const body = request.body?.();
      const response = await this.#transport
        .send({ method: request.method, url, headers, isToRegistry, ...(body === undefined ? {} : { body }) }, signal)
        .catch((cause: unknown) => {
          throw isBuildError(cause) ? cause : networkFailure(target, cause, signal);
        });
      if (request.staysThere || !isRedirect(response.status)) return { response, url };
      response.discard();
      if (hop >= mostRedirects) throw refusedRedirect(request, url, `more than ${mostRedirects} of them`);
      url = redirectTarget(request, url, response.header("location"));
    }
  }
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

function scopesOf({ repository }: Endpoint, { access, alsoReads }: RegistryRequest): readonly string[] {
  const own = `repository:${repository}:${access === "push" ? "pull,push" : "pull"}`;
  return alsoReads === undefined ? [own] : [own, `repository:${alsoReads}:pull`];
}

function redirectTarget(request: RegistryRequest, from: URL, location: string | null): URL {
  if (location === null || !URL.canParse(location, from.href)) throw refusedRedirect(request, from, "to nowhere");
  const target = new URL(location, from);
  if (target.protocol !== "https:" && target.protocol !== "http:")
    throw refusedRedirect(request, from, `to ${target.protocol}`);
  if (target.username !== "" || target.password !== "")
    throw refusedRedirect(request, from, "to a URL with credentials");
  if (from.protocol === "https:" && target.protocol === "http:")
    throw refusedRedirect(request, from, "from https to http");
  return target;
}

const refusedRedirect = (request: RegistryRequest, from: URL, problem: string): BuildError =>
  new BuildError("SOURCE_INVALID", `${request.subject}: redirect of ${from.host} refused: ${problem}`);
