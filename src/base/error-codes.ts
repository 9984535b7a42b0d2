/** What a failure means for the user; decides the exit code. */
export type ErrorKind = "user" | "usage" | "environment" | "transient" | "corruption" | "cancelled" | "internal";

/** Process exit code of each kind of failure. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
  user: 1,
  usage: 2,
  environment: 3,
  transient: 4,
  corruption: 5,
  internal: 70,
  cancelled: 130,
};

/** Every error code and its kind; the one table the exit code is looked up in. */
export const errorKinds = {
  // the Dockerfile
  DOCKERFILE_SYNTAX: "user",
  DOCKERFILE_UNKNOWN_INSTRUCTION: "user",
  DOCKERFILE_BAD_FLAG: "user",
  DOCKERFILE_BAD_SUBSTITUTION: "user",
  DOCKERFILE_BAD_ARGUMENT: "user",
  DOCKERFILE_TOO_LARGE: "user",
  DOCKERFILE_NOT_FOUND: "user",
  DOCKERFILE_CHECK_FAILED: "user",
  STAGE_NOT_FOUND: "user",
  STAGE_CYCLE: "user",
  STAGE_INVALID: "user",
  MOUNT_INVALID: "user",
  SECRET_NOT_FOUND: "user",
  PLATFORM_UNSUPPORTED: "user",
  // the build context
  CONTEXT_NOT_FOUND: "user",
  CONTEXT_INVALID: "user",
  CONTEXT_PATH_NOT_FOUND: "user",
  CONTEXT_FILE_CHANGED: "user",
  CONTEXT_IGNORE_INVALID: "user",
  // steps
  RUN_FAILED: "user",
  RUN_USER_NOT_FOUND: "user",
  COPY_CONFLICT: "user",
  ADD_CHECKSUM_MISMATCH: "user",
  ADD_ARCHIVE_INVALID: "user",
  // command line and configuration
  USAGE_INVALID: "usage",
  USAGE_UNKNOWN_FLAG: "usage",
  CONFIG_INVALID: "usage",
  REFERENCE_INVALID: "usage",
  // sources and registries
  SOURCE_NOT_FOUND: "user",
  SOURCE_UNAUTHORIZED: "user",
  SOURCE_INVALID: "user",
  SOURCE_UNAVAILABLE: "transient",
  SOURCE_RATE_LIMITED: "transient",
  // this machine
  RUNTIME_UNAVAILABLE: "environment",
  RUNTIME_SETUP_FAILED: "environment",
  STORE_NO_SPACE: "environment",
  STORE_UNWRITABLE: "environment",
  STORE_LOCKED: "environment",
  STORE_TOO_NEW: "environment",
  SYSTEM_CALL_FAILED: "environment",
  // stored or received content
  BLOB_DIGEST_INVALID: "corruption",
  BLOB_DIGEST_MISMATCH: "corruption",
  BLOB_TOO_LARGE: "corruption",
  BLOB_NOT_FOUND: "corruption",
  LAYER_MALFORMED: "corruption",
  LAYER_TOO_LARGE: "corruption",
  LAYER_NOT_FOUND: "corruption",
  STORE_RECORD_INVALID: "corruption",
  IMAGE_INVALID: "corruption",
  // output
  IMAGE_NOT_FOUND: "user",
  CONTAINER_NOT_FOUND: "user",
  CONTAINER_IN_USE: "user",
  EXPORT_DESTINATION_INVALID: "user",
  EXPORT_UNSUPPORTED: "user",
  VERIFY_FAILED: "user",
  // everything else
  BUILD_CANCELLED: "cancelled",
  INTERNAL: "internal",
} as const satisfies Readonly<Record<string, ErrorKind>>;

export type ErrorCode = keyof typeof errorKinds;
