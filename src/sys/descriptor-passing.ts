import { addressOf, lastErrno, libcFunction } from "./native.ts";
import { errnoNumbers, systemError } from "./system-error.ts";

const cSocketpair = libcFunction("int socketpair(int domain, int type, int protocol, void *fds)");
const cSendmsg = libcFunction("long sendmsg(int fd, const void *message, int flags)");
const cRecvmsg = libcFunction("long recvmsg(int fd, void *message, int flags)");

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** Length of `struct cmsghdr`: a length of 8 bytes, level and type. */
const headerLength = 16;
/** Descriptors in one message: a few pipes and files. */
const descriptorLimit = 8;

/** Two connected stream sockets that no program inherits. */
export function makeSocketPair(): readonly [number, number] {
  const fds = Buffer.alloc(8);
  if (cSocketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) throw systemError("socketpair", null, lastErrno());
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/** Parts of a message's memory: `struct msghdr`, `struct iovec`, then what those point to. */
const vectorAt = 56;
const controlAt = vectorAt + 16;
const controlLengthAt = 40;

/**
 * A message with room for one piece of data and for control data, as sendmsg(2) and recvmsg(2) take it. All of it is one
 * buffer: of one that only a pointer leads to nobody knows that it is needed, and it is gone with the next garbage
 * collection.
 */
function makeMessage(controlLength: number, dataLength: number) {
  const memory = Buffer.alloc(controlAt + controlLength + dataLength);
  const address = addressOf(memory);
  const dataAt = controlAt + controlLength;
  memory.writeBigUInt64LE(address + BigInt(dataAt), vectorAt);
  memory.writeBigUInt64LE(BigInt(dataLength), vectorAt + 8);
  memory.writeBigUInt64LE(address + BigInt(vectorAt), 16);
  memory.writeBigUInt64LE(1n, 24);
  if (controlLength > 0) memory.writeBigUInt64LE(address + BigInt(controlAt), 32);
  memory.writeBigUInt64LE(BigInt(controlLength), controlLengthAt);
  return { memory, control: memory.subarray(controlAt, dataAt), data: memory.subarray(dataAt) };
}

/** Sends a short message and with it open descriptors (unix(7), SCM_RIGHTS); the sender's own ones stay open. */
export function sendWithDescriptors(socket: number, bytes: Buffer, descriptors: readonly number[]): void {
  const length = headerLength + 4 * descriptors.length;
  const { memory, control, data } = makeMessage(descriptors.length === 0 ? 0 : Math.ceil(length / 8) * 8, bytes.length);
  data.set(bytes);
  if (descriptors.length > 0) {
    control.writeBigUInt64LE(BigInt(length), 0);
    control.writeInt32LE(SOL_SOCKET, 8);
    control.writeInt32LE(SCM_RIGHTS, 12);
    descriptors.forEach((fd, index) => {
      control.writeInt32LE(fd, headerLength + 4 * index);
    });
  }
  if (cSendmsg(socket, memory, MSG_NOSIGNAL) < bytes.length) throw systemError("sendmsg", null, lastErrno());
}

/** A message and the descriptors that came with it. */
export interface Received {
  readonly bytes: Buffer;
  readonly descriptors: readonly number[];
}

/**
 * Waits for a message of up to `length` bytes sent by `sendWithDescriptors`; null when the other side has closed. The
 * descriptors are the receiver's to close; no program inherits them.
 */
export function receiveWithDescriptors(socket: number, length: number): Received | null {
  const { memory, control, data } = makeMessage(headerLength + 4 * descriptorLimit, length);
  let count = cRecvmsg(socket, memory, MSG_CMSG_CLOEXEC);
  while (count < 0 && lastErrno() === errnoNumbers.EINTR) count = cRecvmsg(socket, memory, MSG_CMSG_CLOEXEC);
  if (count < 0) {
    if (lastErrno() === errnoNumbers.ECONNRESET) return null;
    throw systemError("recvmsg", null, lastErrno());
  }
  if (count === 0) return null;
  const controlLength = Number(memory.readBigUInt64LE(controlLengthAt));
  const descriptors: number[] = [];
  if (controlLength >= headerLength) {
    for (let at = headerLength; at + 4 <= Number(control.readBigUInt64LE(0)); at += 4) {
      descriptors.push(control.readInt32LE(at));
    }
  }
  return { bytes: data.subarray(0, count), descriptors };
}
