import { baseNameOf, childPath, parentOf } from "./path-order.ts";

/** What the names of whiteouts begin with (OCI image-spec, layer.md, "Whiteouts"). */
export const whiteoutPrefix = ".wh.";
/** Name of the mark that hides the lower layers' content of the directory it lies in. */
export const opaqueName = ".wh..wh..opq";

/** Path inside a layer's tar of the whiteout of `path`. */
export const whiteoutPath = (path: string): string => childPath(parentOf(path), whiteoutPrefix + baseNameOf(path));

/** Path inside a layer's tar of the opaque mark of `directory`. */
export const opaquePath = (directory: string): string => childPath(directory, opaqueName);
