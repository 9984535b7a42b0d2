const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const nameOf = (row: string): string => row.slice(0, row.indexOf("="));

/**
 * The environment of a step: what the Dockerfile says, proxy variables that it does not set itself, a PATH, and last the
 * secrets given as variables. Rows are `NAME=value`.
 */
export function runEnvironment(
  env: readonly string[],
  proxyEnv: readonly string[],
  secretEnv: readonly string[],
): readonly string[] {
  const own = new Set(env.map(nameOf));
  const proxies = proxyEnv.filter((row) => !own.has(nameOf(row)));
  const path = own.has("PATH") ? [] : [`PATH=${defaultPath}`];
  return [...env, ...proxies, ...path, ...secretEnv];
}
