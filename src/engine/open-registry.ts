import { DockerCredentials } from "../registry/credentials.ts";
import { NodeHttpTransport } from "../registry/http-transport.ts";
import { loadRegistriesConfig } from "../registry/registries-config.ts";
import { RegistryClient } from "../registry/registry-client.ts";
import { RegistryWriter } from "../registry/registry-writer.ts";
import { defaultRetryPolicy } from "../registry/retry.ts";

/** A registry writer with the user's credentials and settings. */
export async function openRegistryWriter(environment: NodeJS.ProcessEnv): Promise<RegistryWriter> {
  const config = await loadRegistriesConfig(environment);
  const transport = new NodeHttpTransport(environment);
  return new RegistryWriter(transport, new DockerCredentials(environment), config, defaultRetryPolicy);
}

/** A registry client with the user's credentials and settings. */
export async function openRegistry(environment: NodeJS.ProcessEnv): Promise<RegistryClient> {
  const config = await loadRegistriesConfig(environment);
  const transport = new NodeHttpTransport(environment);
  return new RegistryClient(transport, new DockerCredentials(environment), config, defaultRetryPolicy);
}
