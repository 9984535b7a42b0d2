import type { Readable } from "node:stream";
import { BuildError } from "../base/errors.ts";
import { maxDockerfileBytes } from "../dockerfile/parse-dockerfile.ts";

/** A Dockerfile from stdin. Throws DOCKERFILE_TOO_LARGE. */
export async function readStdin(stdin: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stdin) {
    chunks.push(chunk as Buffer);
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > maxDockerfileBytes)
      throw new BuildError("DOCKERFILE_TOO_LARGE", `Dockerfile on stdin: more than ${maxDockerfileBytes} bytes`);
  }
  return Buffer.concat(chunks);
}
