import { BuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { openOciLayoutBlob } from "../image/oci-layout.ts";
import { parseReference } from "../image/reference.ts";
import type { RemoteBlobs } from "../store/layer-store.ts";
import { layoutOriginPrefix } from "./image-source.ts";
import type { RegistryClient } from "./registry-client.ts";

/** Opens layers where `ImageSource.origin` says they are: `registry/repository`, or `oci-layout:` and a path. */
export class RegistryBlobs implements RemoteBlobs {
  readonly #client: RegistryClient;

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  open(origin: string, blob: Descriptor, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    if (origin.startsWith(layoutOriginPrefix)) {
      return openOciLayoutBlob(origin.slice(layoutOriginPrefix.length), blob, signal);
    }
    const repository = parseReference(origin);
    if (`${repository.registry}/${repository.repository}` !== origin) {
      return Promise.reject(new BuildError("INTERNAL", `origin ${JSON.stringify(origin)}: want registry/repository`));
    }
    return this.#client.openBlob(repository, blob, signal);
  }
}
