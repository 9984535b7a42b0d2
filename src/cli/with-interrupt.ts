/**
 * Runs `work` with a signal that Ctrl-C and a polite kill abort. A second Ctrl-C ends the process at once: the kernel
 * takes the sandboxes away with it, and the store ignores what is half written.
 */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const interrupt = (): void => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    return await work(abort.signal);
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}
