import { expect, test } from "vitest";
import { randomContainerName } from "../../../../src/engine/containers/container-name.ts";

test("names are two words, and never one that is taken", () => {
  const taken = new Set<string>();
  for (let count = 0; count < 5000; count += 1) {
    const name = randomContainerName(taken);
    expect(name).toMatch(/^[a-z]+_[a-z]+\d*$/);
    expect(taken.has(name)).toBe(false);
    taken.add(name);
  }
});
