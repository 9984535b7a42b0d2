/** Processor time `work` takes in milliseconds; unlike the clock it does not run while other processes do. */
export function cpuTimeOf(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
