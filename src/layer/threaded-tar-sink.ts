import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { BuildError, fromWire, type WireError } from "../base/errors.ts";
import { packageRoot } from "../base/package-root.ts";
import { DirectTarSink, type TarBuffer, type TarSink } from "./tar-sink.ts";

/** What the thread is started with. It leaves the file alone until the first order. */
export interface SinkStart {
  readonly port: MessagePort;
  readonly file: string | null;
  /** One 32 bit number that the thread raises when it is ready, and after each answer. */
  readonly signals: SharedArrayBuffer;
}

export type SinkOrder =
  | { readonly kind: "take"; readonly buffer: ArrayBuffer; readonly used: number }
  | { readonly kind: "finish" }
  | { readonly kind: "abandon" };

export type SinkAnswer =
  | { readonly kind: "free"; readonly buffer: ArrayBuffer }
  | { readonly kind: "finished"; readonly digest: string }
  | { readonly kind: "failed"; readonly error: WireError };

/** Buffers that are full before a thread is worth its start. */
const buffersBeforeThread = 4;
/** How many buffers there are at most. */
const bufferLimit = 12;
/** A thread that has not started after this long will not. */
const startLimitMs = 5000;

interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly counters: Int32Array;
}

/**
 * Leaves hashing and writing to a thread of its own, so that they go on while the next files are read: half of the work
 * of packing. Small tars, and those of a machine with one processor, are made without. The caller never returns to its
 * event loop in between, so all waiting is for a number in shared memory; buffers change hands, because shared memory
 * is slow to hash.
 */
export class ThreadedTarSink implements TarSink {
  readonly #file: string | null;
  /** Full buffers, while it is not known whether there will be a thread. */
  readonly #waiting: { readonly buffer: TarBuffer; readonly used: number }[] = [];
  readonly #free: TarBuffer[] = [];
  #thread: Thread | null = null;
  /** Set once it is known that there will be no thread. */
  #direct: DirectTarSink | null = null;
  #isReady = false;
  #bufferCount = 1;
  #digest: string | null = null;

  /** `file` is created; null: the tar is only hashed. */
  constructor(file: string | null) {
    this.#file = file;
    if (availableParallelism() === 1) this.#direct = new DirectTarSink(file);
  }

  take(buffer: TarBuffer, used: number): TarBuffer {
    if (this.#direct !== null) return this.#direct.take(buffer, used);
    const { length } = buffer;
    this.#waiting.push({ buffer, used });
    if (this.#thread === null && this.#waiting.length >= buffersBeforeThread) this.#start();
    this.#handOver();
    return this.#nextBuffer(length);
  }

  finish(): string {
    if (this.#thread === null || !this.#becomesReady()) return this.#withoutThread().finish();
    this.#handOver();
    this.#order({ kind: "finish" });
    this.#waitUntil(() => this.#digest !== null);
    return this.#digest ?? "";
  }

  abandon(): void {
    if (this.#isReady) this.#order({ kind: "abandon" });
    else this.#withoutThread().abandon();
  }

  #start(): void {
    const program = join(packageRoot(), "dist", "tar-sink-thread.cjs");
    if (!existsSync(program)) {
      this.#withoutThread();
      return;
    }
    const { port1, port2 } = new MessageChannel();
    const signals = new SharedArrayBuffer(4);
    const start: SinkStart = { port: port2, file: this.#file, signals };
    const worker = new Worker(program, { workerData: start, transferList: [port2] });
    worker.unref();
    // one that cannot start is done without
    worker.on("error", () => {});
    this.#thread = { worker, port: port1, counters: new Int32Array(signals) };
  }

  /** Gives the thread what is waiting, if it has started. */
  #handOver(): void {
    const { counters } = this.#thread ?? {};
    if (counters === undefined || (!this.#isReady && Atomics.load(counters, 0) === 0)) return;
    this.#isReady = true;
    for (const { buffer, used } of this.#waiting.splice(0)) {
      this.#order({ kind: "take", buffer: buffer.buffer, used }, [buffer.buffer]);
    }
    this.#readAnswers();
  }

  #nextBuffer(length: number): TarBuffer {
    if (this.#free.length === 0 && this.#bufferCount < bufferLimit) {
      this.#bufferCount += 1;
      return Buffer.allocUnsafeSlow(length);
    }
    if (this.#free.length === 0 && this.#becomesReady()) {
      this.#handOver();
      this.#waitUntil(() => this.#free.length > 0);
    }
    if (!this.#isReady) this.#withoutThread();
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(length);
  }

  #becomesReady(): boolean {
    const { counters } = this.#thread ?? {};
    if (counters === undefined) return false;
    this.#isReady ||= Atomics.wait(counters, 0, 0, startLimitMs) !== "timed-out";
    return this.#isReady;
  }

  /** Goes on in this thread. */
  #withoutThread(): DirectTarSink {
    void this.#thread?.worker.terminate();
    this.#thread = null;
    this.#direct ??= new DirectTarSink(this.#file);
    for (const { buffer, used } of this.#waiting.splice(0)) this.#free.push(this.#direct.take(buffer, used));
    return this.#direct;
  }

  #order(order: SinkOrder, transfer: ArrayBuffer[] = []): void {
    this.#thread?.port.postMessage(order, transfer);
  }

  #waitUntil(isDone: () => boolean): void {
    const { counters } = this.#thread ?? {};
    if (counters === undefined) throw new BuildError("INTERNAL", "nobody is there to be waited for");
    for (;;) {
      const seen = Atomics.load(counters, 0);
      this.#readAnswers();
      if (isDone()) return;
      Atomics.wait(counters, 0, seen);
    }
  }

  #readAnswers(): void {
    const { port } = this.#thread ?? {};
    if (port === undefined) return;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const answer = next.message as SinkAnswer;
      if (answer.kind === "failed") throw fromWire(answer.error);
      if (answer.kind === "free") this.#free.push(Buffer.from(answer.buffer));
      else this.#digest = answer.digest;
    }
  }
}
