import { BuildError } from "../base/errors.ts";
import { parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { endpointsOf } from "./endpoint.ts";
import { networkFailure, statusFailure } from "./failures.ts";
import type { HttpResponse, HttpTransport } from "./http-transport.ts";
import type { RegistriesConfig } from "./registries-config.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";
import { basicAuthorization, requestToken } from "./token-server.ts";

/**
 * Asks a registry whether it knows a user and the password. One that asks for no login accepts everybody. Throws
 * SOURCE_UNAUTHORIZED, or another SOURCE_* when it cannot be asked.
 */
export async function checkLogin(
  transport: HttpTransport,
  registry: string,
  credentials: Credentials & { readonly kind: "password" },
  config: RegistriesConfig,
  retry: RetryPolicy,
  signal: AbortSignal,
): Promise<void> {
  const endpoint = endpointsOf(registry, "", config).at(-1);
  if (endpoint === undefined) throw new BuildError("INTERNAL", `registry ${registry}: no endpoint`);
  const url = new URL("/v2/", endpoint.origin);
  const ask = async (authorization: string | null): Promise<HttpResponse> => {
    const headers = { "accept-encoding": "identity", "user-agent": "tsbuild" };
    const all = authorization === null ? headers : { ...headers, authorization };
    const response = await transport
      .send({ method: "GET", url, headers: all, isToRegistry: true }, signal)
      .catch((cause: unknown) => {
        throw networkFailure(url, cause, signal);
      });
    if (response.status !== 200 && (response.status !== 401 || authorization !== null))
      throw await statusFailure(response, url, `login to ${registry}`, signal);
    response.discard();
    return response;
  };
  await explained(registry, () =>
    withRetries(retry, signal, async () => {
      const open = await ask(null);
      if (open.status === 200) return;
      const challenges = parseChallenges(open.headerValues("www-authenticate"));
      const bearer = challenges.find(({ scheme }) => scheme === "bearer");
      if (bearer !== undefined) {
        const { token } = await requestToken(transport, endpoint, bearer, [], credentials, signal);
        await ask(`Bearer ${token}`);
      } else if (challenges.some(({ scheme }) => scheme === "basic")) {
        await ask(basicAuthorization(credentials));
      } else {
        throw new BuildError("SOURCE_INVALID", `login to ${registry}: the registry asks for no known kind of login`);
      }
    }),
  );
}

async function explained(registry: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== "SOURCE_UNAUTHORIZED") throw error;
    throw new BuildError("SOURCE_UNAUTHORIZED", `login to ${registry}: user name or password not accepted`, {
      hint: "some registries want a token in place of the password",
      cause: error,
    });
  }
}
