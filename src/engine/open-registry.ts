import { DockerCredentials } from "../registry/credentials.ts";
import { NodeHttpTransport } from "../registry/http-transport.ts";
import { loadRegistriesConfig } from "../registry/registries-config.ts";
import { RegistryClient } from "../registry/registry-client.ts";
import { defaultRetryPolicy } from "../registry/retry.ts";

/** A registry client with the user's credentials and settings. */
export async function openRegistry(environment: NodeJS.ProcessEnv): Promise<RegistryClient> {
  const config = await loadRegistriesConfig(environment);
  const transport = new NodeHttpTransport(environment);
  return new RegistryClient(transport, new DockerCredentials(environment), config, defaultRetryPolicy);
}
