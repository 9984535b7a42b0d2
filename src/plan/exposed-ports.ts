import { isIP } from "node:net";
import { BuildError } from "../base/errors.ts";

/** One word of EXPOSE, read: `[ip:][hostPort:]port[-end][/protocol]`. */
export interface ExposedPort {
  /** `80/tcp`, one for each port of a range. */
  readonly ports: readonly string[];
  /** As written: `TCP`. */
  readonly protocol: string;
  /** An address or host port was given: it has no effect. */
  readonly hasHostPart: boolean;
}

/** Throws DOCKERFILE_BAD_ARGUMENT for what is no port. */
export function parseExposedPort(word: string): ExposedPort {
  const parts = word.split(":");
  const container = parts.at(-1) ?? "";
  const hostPort = parts.length > 1 ? (parts.at(-2) ?? "") : "";
  const address = parts.slice(0, -2).join(":");
  const [range = "", protocol = ""] = splitOnce(container, "/");
  if (range === "") throw invalid(`invalid port: ${JSON.stringify(word)}: no port specified`);
  if (!["", "tcp", "udp", "sctp"].includes(protocol.toLowerCase()))
    throw invalid(`invalid port: ${JSON.stringify(word)}: invalid proto: ${protocol}`);
  if (address !== "" && isIP(address.replace(/^\[(.*)\]$/, "$1")) === 0)
    throw invalid(`invalid IP address: ${address}`);
  const ports = parseRange(range);
  if (ports === null) throw invalid(`invalid containerPort: ${range}`);
  if (hostPort !== "") checkHostPort(hostPort, range, ports);
  const suffix = `/${protocol === "" ? "tcp" : protocol.toLowerCase()}`;
  return {
    ports: Array.from({ length: ports.last - ports.first + 1 }, (_, at) => `${ports.first + at}${suffix}`),
    protocol,
    hasHostPart: address !== "" || hostPort !== "",
  };
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** A host range may stand for one container port; otherwise both must have the same length. */
function checkHostPort(hostPort: string, range: string, ports: PortRange): void {
  const host = parseRange(hostPort);
  if (host === null) throw invalid(`invalid hostPort: ${hostPort}`);
  if (ports.first !== ports.last && host.last - host.first !== ports.last - ports.first)
    throw invalid(`invalid ranges specified for container and host Ports: ${range} and ${hostPort}`);
}

function parseRange(text: string): PortRange | null {
  const [start = "", end = start] = splitOnce(text, "-");
  const first = parsePort(start);
  const last = parsePort(end);
  return first === null || last === null || last < first ? null : { first, last };
}

function parsePort(text: string): number | null {
  return /^[+-]?\d{1,9}$/.test(text) && Number(text) >= 0 && Number(text) <= 65535 ? Number(text) + 0 : null;
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

const invalid = (message: string): BuildError => new BuildError("DOCKERFILE_BAD_ARGUMENT", message);
