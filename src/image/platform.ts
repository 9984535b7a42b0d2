/** OCI image-spec platform; `variant` and `osVersion` are "" when not given. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  readonly osVersion: string;
}
