import { closeSync } from "node:fs";
import { lastErrno, libcFunction } from "./native.ts";
import { systemError } from "./system-error.ts";

const socket = libcFunction("int socket(int domain, int type, int protocol)");
const ioctl = libcFunction("int ioctl(int fd, unsigned long request, void *argument)");

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP_RUNNING = 0x1 | 0x40;

/** Brings up `lo` in the thread's network namespace: a new one has it, but down. */
export function bringUpLoopback(): void {
  const fd = socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw systemError("socket", null, lastErrno());
  try {
    const request = Buffer.alloc(40); // struct ifreq: a name of 16 bytes, then the flags
    request.write("lo");
    request.writeInt16LE(IFF_UP_RUNNING, 16);
    if (ioctl(fd, SIOCSIFFLAGS, request) < 0) throw systemError("ioctl SIOCSIFFLAGS", "lo", lastErrno());
  } finally {
    closeSync(fd);
  }
}
