import { BuildError, isBuildError } from "../base/errors.ts";
import { parseReference } from "../image/reference.ts";
import { checkLogin } from "../registry/check-login.ts";
import { NodeHttpTransport } from "../registry/http-transport.ts";
import { loadRegistriesConfig } from "../registry/registries-config.ts";
import { defaultRetryPolicy } from "../registry/retry.ts";
import { forgetCredentials, saveCredentials } from "../registry/save-credentials.ts";

/**
 * Checks a login with the registry, then keeps it; says where. `given` undefined is docker.io. Throws USAGE_INVALID for
 * what names no registry, SOURCE_* and CONFIG_INVALID.
 */
export async function loginTo(
  given: string | undefined,
  username: string,
  password: string,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string> {
  const registry = registryOf(given);
  const config = await loadRegistriesConfig(environment);
  const transport = new NodeHttpTransport(environment);
  try {
    const credentials = { kind: "password", username, password } as const;
    await checkLogin(transport, registry, credentials, config, defaultRetryPolicy, signal);
  } finally {
    transport.close();
  }
  return saveCredentials(registry, username, password, environment);
}

/** Forgets a login; false when there was none. */
export async function logoutFrom(given: string | undefined, environment: NodeJS.ProcessEnv): Promise<boolean> {
  return forgetCredentials(registryOf(given), environment);
}

/** `registry.example:5000`, also as the URL that docker takes. */
function registryOf(given: string | undefined): string {
  if (given === undefined) return "docker.io";
  const host = given.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
  const invalid = (): BuildError =>
    new BuildError("USAGE_INVALID", `registry ${JSON.stringify(given)}: want a host name with an optional port`);
  try {
    const { registry, repository } = parseReference(`${host}/x`);
    if (registry === host || (host === "index.docker.io" && registry === "docker.io")) return registry;
    if (registry === "docker.io" && repository === "library/x") return registry;
  } catch (error) {
    if (!isBuildError(error)) throw error;
  }
  throw invalid();
}
