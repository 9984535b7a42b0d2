const proxyNames = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/** Whether `name` is a build arg that every RUN gets without an ARG: `HTTP_PROXY`, `no_proxy`, … */
export const isProxyName = (name: string): boolean => proxyNames.includes(name.toUpperCase());

/** The proxy variables of every RUN, `NAME=value`, in upper and lower case; the spelling last in byte order wins. */
export function proxyEnvironment(buildArgs: ReadonlyMap<string, string>): readonly string[] {
  const given = [...buildArgs.keys()].filter(isProxyName).sort();
  return proxyNames.flatMap((name) => {
    const spelling = given.findLast((key) => key.toUpperCase() === name);
    const value = spelling === undefined ? "" : (buildArgs.get(spelling) ?? "");
    return value === "" ? [] : [`${name}=${value}`, `${name.toLowerCase()}=${value}`];
  });
}
