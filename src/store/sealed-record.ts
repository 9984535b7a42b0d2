import { canonicalJson, type JsonValue } from "../base/canonical-json.ts";
import { digestOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { RecordFields } from "./record-fields.ts";

/** Text of a record file: one JSON object `{"record":…,"sha256":…}` with the digest of the record's canonical JSON. */
export function sealRecord(record: JsonValue): string {
  return `${canonicalJson({ record, sha256: digestOf(canonicalJson(record)) })}\n`;
}

/**
 * The members of a record that `sealRecord` wrote. Throws STORE_RECORD_INVALID when a single bit is not what was
 * written. `what` names the record in messages.
 */
export function openRecord(what: string, bytes: Uint8Array): RecordFields {
  const sealed = new RecordFields(what, parseJson(what, bytes));
  const record = sealed.json("record");
  const got = digestOf(canonicalJson(record));
  if (got !== sealed.text("sha256"))
    throw new BuildError("STORE_RECORD_INVALID", `${what}: digest mismatch: got ${got}, want ${sealed.text("sha256")}`);
  return new RecordFields(what, record);
}

function parseJson(what: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    throw new BuildError("STORE_RECORD_INVALID", `${what}: not JSON`, { cause: error });
  }
}
