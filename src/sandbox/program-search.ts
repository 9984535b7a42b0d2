/** The value of `name` in `NAME=value` rows; the last one counts. */
export function environmentValue(environment: readonly string[], name: string): string | undefined {
  return environment.findLast((row) => row.startsWith(`${name}=`))?.slice(name.length + 1);
}

/**
 * Paths at which `program` may lie, in order: itself when it names a path, else one in each directory of PATH. Relative
 * directories are left out: what a command means must not depend on where it runs.
 */
export function programCandidates(program: string, searchPath: string): readonly string[] {
  if (program.includes("/")) return [program];
  if (program === "") return [];
  return searchPath
    .split(":")
    .filter((directory) => directory.startsWith("/"))
    .map((directory) => `${directory.endsWith("/") ? directory : `${directory}/`}${program}`);
}
