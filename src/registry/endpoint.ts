import { isLoopbackHost } from "./loopback.ts";
import type { RegistriesConfig } from "./registries-config.ts";

/** A server that has a repository, and what the repository is called there. */
export interface Endpoint {
  /** As in a reference: names the server in messages and in the credential store. */
  readonly registry: string;
  readonly origin: URL;
  readonly repository: string;
}

/** The servers to ask for a repository, in order: mirrors first, the registry itself last. */
export function endpointsOf(registry: string, repository: string, config: RegistriesConfig): readonly Endpoint[] {
  const mirrors = config.get(registry)?.mirrors ?? [];
  return [
    ...mirrors.map((mirror) => ({
      registry: mirror.registry,
      origin: originOf(mirror.registry, config),
      repository: mirror.prefix === "" ? repository : `${mirror.prefix}/${repository}`,
    })),
    { registry, origin: originOf(registry, config), repository },
  ];
}

/** HTTPS, but for registries on this machine and those the config says so of. Never decided by what the server answers. */
function originOf(registry: string, config: RegistriesConfig): URL {
  if (registry === "docker.io") return new URL("https://registry-1.docker.io");
  const secure = new URL(`https://${registry}`);
  const plain = config.get(registry)?.plainHttp ?? isLoopbackHost(secure.hostname);
  return plain ? new URL(`http://${registry}`) : secure;
}
