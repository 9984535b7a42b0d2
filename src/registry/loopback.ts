/** Whether a host name or address (as in a URL or a reference, without port) is this machine: 127.0.0.0/8, ::1, localhost. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  return name === "localhost" || name === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/**
 * Whether `host` is an address that only means something on this machine or in its own network (loopback, private,
 * link-local, unspecified): no server elsewhere has a reason to send someone there. Names are not looked up.
 */
export function isLocalAddress(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (isLoopbackHost(name) || name.endsWith(".localhost")) return true;
  if (name.includes(":")) return /^(::|f[cd]|fe[89ab])/.test(name);
  const [first = -1, second = -1] = /^\d+\.\d+\.\d+\.\d+$/.test(name) ? name.split(".").map(Number) : [];
  if ([0, 10, 127].includes(first)) return true;
  if (first === 172) return second >= 16 && second <= 31;
  if (first === 100) return second >= 64 && second <= 127;
  return (first === 192 && second === 168) || (first === 169 && second === 254);
}
