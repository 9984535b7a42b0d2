import type { JsonValue } from "../base/canonical-json.ts";
import { isBuildError } from "../base/errors.ts";
import { type Durability, readSmallFile, replaceFile } from "./atomic-file.ts";
import type { RecordFields } from "./record-fields.ts";
import { openRecord, sealRecord } from "./sealed-record.ts";

const maxRecordBytes = 16 * 1024 * 1024;

/** The record in the file `path`, as `parse` understands it; null when there is no file. Throws STORE_RECORD_INVALID. */
export async function readRecord<T>(path: string, parse: (fields: RecordFields) => T): Promise<T | null> {
  const bytes = await readSmallFile(path, maxRecordBytes);
  return bytes === null ? null : parse(openRecord(`store record "${path}"`, bytes));
}

/** As `readRecord`, for records that can be made again: one that is broken is as good as none. */
export async function readExpendableRecord<T>(path: string, parse: (fields: RecordFields) => T): Promise<T | null> {
  try {
    return await readRecord(path, parse);
  } catch (error) {
    if (isBuildError(error)) return null;
    throw error;
  }
}

/** Replaces the record in the file `path`; `temporary` is a directory on the same file system. */
export async function writeRecord(
  path: string,
  record: JsonValue,
  temporary: string,
  durability: Durability,
): Promise<void> {
  await replaceFile(path, sealRecord(record), temporary, durability);
}
