/** Why tests that need root on Linux cannot run here; null when they can. */
export const needsRoot: string | null =
  process.platform !== "linux" ? "not on Linux" : process.getuid?.() !== 0 ? "not root" : null;
