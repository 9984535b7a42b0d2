import { workerData } from "node:worker_threads";
import { toWire } from "../base/errors.ts";
import { DirectTarSink } from "./tar-sink.ts";
import type { SinkAnswer, SinkOrder, SinkStart } from "./threaded-tar-sink.ts";

// Entry of the thread behind a ThreadedTarSink: takes its orders one after the other.

const { port, file, signals } = workerData as SinkStart;
const counters = new Int32Array(signals);
/** Made here: node wants a file closed by the thread that opened it. */
let sink: DirectTarSink | null = null;
let hasFailed = false;

function signal(): void {
  Atomics.add(counters, 0, 1);
  Atomics.notify(counters, 0);
}

function answer(message: SinkAnswer, transfer: ArrayBuffer[]): void {
  port.postMessage(message, transfer);
  signal();
}

/** After a failure buffers still go back: whoever fills them finds out between two of them. */
function attempt(work: (sink: DirectTarSink) => void): void {
  if (hasFailed) return;
  try {
    sink ??= new DirectTarSink(file);
    work(sink);
  } catch (error) {
    hasFailed = true;
    answer({ kind: "failed", error: toWire(error) }, []);
  }
}

port.on("message", (order: SinkOrder) => {
  if (order.kind === "take") {
    attempt((to) => to.take(Buffer.from(order.buffer), order.used));
    answer({ kind: "free", buffer: order.buffer }, [order.buffer]);
    return;
  }
  if (order.kind === "finish") attempt((to) => answer({ kind: "finished", digest: to.finish() }, []));
  else sink?.abandon();
  port.close();
});
signal();
