/** The environment, in which `--cert-dir` stands in for the variable of the same meaning. */
export const registryEnvironment = ({ certDir }: { readonly certDir?: string }): NodeJS.ProcessEnv =>
  certDir === undefined ? process.env : { ...process.env, TSBUILD_CERT_DIR: certDir };
