/** ARGs that steer BuildKit and are never seen by steps. */
export const hiddenArgs: ReadonlySet<string> = new Set(["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"]);
