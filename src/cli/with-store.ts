import { openStore, type Store } from "../store/open-store.ts";
import type { GlobalOptions } from "./command-line.ts";
import { storeRoot } from "./store-root.ts";

/** Runs `work` on the store the options name, and closes it whatever happens. */
export async function withStore<T>(options: GlobalOptions, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(storeRoot(options.root));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
