import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { openStore, type Store } from "../../src/store/open-store.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

/** A fresh store for each test of the file that calls this, and a directory `path` for other things next to it. */
export function useStore(): { readonly store: Store; readonly path: string; open(): Promise<Store> } {
  const temporary = useTemporaryDirectory();
  let opened: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = await openStore(join(temporary.path, "store"));
    opened.push(store);
    return store;
  };
  beforeEach(async () => {
    opened = [];
    await open();
  });
  afterEach(async () => {
    for (const store of opened) await store.close();
  });
  return {
    get store() {
      const [first] = opened;
      if (first === undefined) throw new Error("the store is only open during a test");
      return first;
    },
    get path() {
      return temporary.path;
    },
    /** Opens the same store once more, as another process would. */
    open,
  };
}
