/** The content of /etc/hosts for a step: its own name is an address of the loopback interface. */
export function hostsFile(
  hostname: string,
  extraHosts: readonly { readonly name: string; readonly address: string }[],
): string {
  return [
    `127.0.0.1\tlocalhost ${hostname}`,
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...extraHosts.map(({ name, address }) => `${address}\t${name}`),
    "",
  ].join("\n");
}
