import { describeBlobStore } from "../../conformance/describe-blob-store.ts";
import { useStore } from "../../support/use-store.ts";

describeBlobStore("DirectoryBlobStore", () => {
  const stores = useStore();
  return {
    get blobs() {
      return stores.store.blobs;
    },
  };
});
