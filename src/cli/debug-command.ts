import { readDockerfileAt } from "../context/read-context-file.ts";
import { parseDockerfile } from "../dockerfile/parse-dockerfile.ts";

/** `tsbuild debug instructions`: what the parser makes of a Dockerfile, as JSON. */
export async function printInstructions(file: string): Promise<void> {
  const { path, bytes } = readDockerfileAt(file);
  const { text, ...parsed } = parseDockerfile(bytes, path);
  process.stdout.write(`${JSON.stringify(parsed, null, 2)}\n`);
}
