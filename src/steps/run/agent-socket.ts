import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { chmod, chown } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fromNodeError } from "../../sys/system-error.ts";

/** A socket that stands for another one until it is closed. */
export interface AgentSocket {
  readonly path: string;
  close(): void;
}

/**
 * Makes a socket `name` in `directory` with the given mode and owner and passes everything on to the agent at `agent`:
 * the agent's own socket belongs to the user, and its mode must not be changed.
 */
export async function forwardAgent(
  agent: string,
  directory: string,
  name: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<AgentSocket> {
  const open = new Set<Socket>();
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => open.delete(socket));
  };
  const server = createServer((client) => {
    const upstream = connect(agent);
    keep(client);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  // a socket's address has room for 107 bytes, which the path of a store may exceed; closing the server removes the
  // socket by this address, so the descriptor must stay open until then
  const directoryFd = openSync(directory, "r");
  const close = (): void => {
    server.close();
    closeSync(directoryFd);
    for (const socket of open) socket.destroy();
  };
  try {
    server.listen(`/proc/self/fd/${directoryFd}/${name}`);
    await once(server, "listening");
    const path = join(directory, name);
    await chown(path, uid, gid);
    await chmod(path, mode);
    return { path, close };
  } catch (error) {
    close();
    throw fromNodeError(error);
  }
}
