import { afterEach, beforeEach } from "vitest";
import { type RegistryAuth, TestRegistry } from "./registry.ts";

/** A fresh registry for each test of the file that calls this. */
export function useRegistry(auth?: RegistryAuth): { readonly current: TestRegistry } {
  let registry: TestRegistry | null = null;
  beforeEach(async () => {
    registry = await TestRegistry.start(auth);
  });
  afterEach(() => registry?.close());
  return {
    get current() {
      if (registry === null) throw new Error("the registry runs only during a test");
      return registry;
    },
  };
}
