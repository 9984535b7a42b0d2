import { describe, expect, test } from "vitest";
import { parseByteSize } from "../../../src/dockerfile/byte-size.ts";
import { csvFields } from "../../../src/dockerfile/csv-fields.ts";
import { parseDuration } from "../../../src/dockerfile/duration.ts";
import { checkMountFlag, parseMountFlag } from "../../../src/dockerfile/mount-flag.ts";
import { suggestName } from "../../../src/dockerfile/suggest-name.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const same = (text: string): string => text;
const plainBind = parseMountFlag("target=/t", same);

test("a bind mount of the build context is the default", () => {
  expect(plainBind).toEqual({
    type: "bind",
    from: null,
    source: null,
    target: "/t",
    readOnly: null,
    required: false,
    sizeBytes: null,
    id: null,
    sharing: null,
    mode: null,
    uid: null,
    gid: null,
    env: null,
  });
});

test.each([
  ["type=bind,from=stage,src=/s,dst=/d", { from: "stage", source: "/s", target: "/d" }],
  ["source=a,destination=/d,rw", { source: "a", target: "/d", readOnly: false }],
  ["target=/d,readwrite=false", { readOnly: true }],
  ["target=/d,ro=0", { readOnly: false }],
  [
    "TYPE=Cache,ID=x,Sharing=Locked,mode=0755,uid=1,gid=2,target=/c",
    { type: "cache", id: "x", sharing: "locked", mode: 0o755, uid: 1, gid: 2 },
  ],
  ["type=tmpfs,size=1.5k,target=/t", { type: "tmpfs", sizeBytes: 1536 }],
  ["type=secret,id=s,required,env=", { type: "secret", id: "s", required: true, env: "" }],
  ["type=ssh,required=true,mode=0600", { type: "ssh", required: true, mode: 0o600 }],
  ['"source=a,b",target=/d', { source: "a,b" }],
  ['"source=say ""hi""",target=/d', { source: 'say "hi"' }],
  ["target=/a,target=/b", { target: "/b" }],
])("read: %s", (flag, parts) => {
  expect(parseMountFlag(flag, same)).toMatchObject(parts);
});

test.each([
  ["typ=tmpfs", "unexpected key 'typ' in 'typ=tmpfs'", "did you mean type?"],
  ["type=disk", 'unsupported mount type "disk"', undefined],
  ["type=tmpf", 'unsupported mount type "tmpf"', "did you mean tmpfs?"],
  ["type=cache,sharing=lock", 'unsupported sharing value "lock"', "did you mean locked?"],
  ["target", "invalid field 'target' must be a key=value pair", undefined],
  ["requird", "invalid field 'requird' must be a key=value pair", "did you mean required?"],
  ["", "invalid field '' must be a key=value pair", undefined],
  [
    "required,type=secret,id=x",
    "unexpected key 'required' for mount type 'bind'",
    "required belongs to secret and ssh mounts, and type= must stand before it",
  ],
  [
    "size=1k,type=tmpfs",
    "unexpected key 'size' for mount type 'bind'",
    "size belongs to tmpfs mounts, and type= must stand before it",
  ],
  ["type=tmpfs,size=lots", 'invalid value for size: "lots"', "write a number of bytes with or without k, m or g"],
  ["ro=maybe", 'invalid value for ro: "maybe"', "write true or false"],
  ["type=cache,mode=0o755", 'invalid value "0o755" for mode', undefined],
  ["type=cache,uid=-1", 'invalid value "-1" for uid', undefined],
  ["type=cache,gid=4294967296", 'invalid value "4294967296" for gid', undefined],
  ["mode=0755", 'mode not allowed for "bind" type mounts', undefined],
  ["type=tmpfs,uid=1", 'uid not allowed for "tmpfs" type mounts', undefined],
  ["type=secret,id=a,from=b", "secret mount should not have a from", undefined],
  ["type=secret", "invalid secret mount. one of source, target required", "add id=NAME"],
  ["type=secret,id=a,source=b", "both source and id can't be set", undefined],
  ["type=secret,id=a,sharing=shared", "secret mount should not define sharing", undefined],
  ["sharing=shared", "invalid cache sharing set for bind mount", undefined],
])("refused: %s", (flag, message, hint) => {
  const error = thrownBy(() => parseMountFlag(flag, same));
  expect({ code: error.code, message: error.message, hint: error.hint }).toEqual({
    code: "MOUNT_INVALID",
    message,
    hint,
  });
});

describe("variables", () => {
  test("values are expanded after the commas were found, keys are not", () => {
    const expand = (text: string): string => text.replace("$X", "a,type=tmpfs").replace("$T", "cache");
    expect(parseMountFlag("type=$T,target=$X", expand)).toMatchObject({ type: "cache", target: "a,type=tmpfs" });
    expect(thrownBy(() => parseMountFlag("$T=x", expand)).message).toBe("unexpected key '$t' in '$T=x'");
  });

  test("from takes none; a dollar at its end is no variable", () => {
    expect(thrownBy(() => checkMountFlag("target=/x,from=${IMAGE}")).code).toBe("MOUNT_INVALID");
    expect(() => checkMountFlag("from=a$,target=$X,typ=later")).not.toThrow();
  });
});

test.each([
  ["a,b,,c", ["a", "b", "", "c"]],
  ["a,", ["a", ""]],
  ["", [""]],
  ['"a,b","c"', ["a,b", "c"]],
  ['"a""b"', ['a"b']],
  ['""', [""]],
  [" a , b ", [" a ", " b "]],
])("fields of %s", (line, fields) => {
  expect(csvFields(line)).toEqual(fields);
});

test.each(['a"b', '"a', '"a"b', '"a" ,b', 'a,"'])("no fields: %s", (line) => {
  expect(thrownBy(() => csvFields(line)).code).toBe("DOCKERFILE_BAD_FLAG");
});

test.each([
  ["0", 0],
  ["128", 128],
  ["1b", 1],
  ["1k", 1024],
  ["1KB", 1024],
  ["2 MiB", 2 * 1024 ** 2],
  ["1.5g", 1.5 * 1024 ** 3],
  [".5k", 512],
  ["1t", 1024 ** 4],
])("%s is a size", (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each(["", "k", "-1", "1x", "1bb", "1ib", "1e3", "1  k", "9999999p", "0x10"])("%j is no size", (text) => {
  expect(parseByteSize(text)).toBeNull();
});

test.each([
  ["0", 0],
  ["1ns", 1],
  ["1.5us", 1500],
  ["3µs", 3000],
  ["300ms", 300e6],
  ["1m30s", 90e9],
  ["1.5h", 5400e9],
  ["-2s", -2e9],
  ["+2s", 2e9],
  [".5s", 0.5e9],
])("%s is a duration", (text, duration) => {
  expect(parseDuration(text)).toBe(duration);
});

test.each(["", "5", "s", "1 s", "1d", "1s2", "--1s", "1e3s", "9999999999h", `${"1s".repeat(10_000)}x`])(
  "no duration %#",
  (text) => {
    expect(thrownBy(() => parseDuration(text)).code).toBe("DOCKERFILE_BAD_ARGUMENT");
  },
);

test.each([
  ["RUM", ["RUN", "COPY"], "RUN"],
  ["chwon", ["chmod", "chown"], "chown"],
  ["colour", ["type", "from"], undefined],
  ["run", ["run", "rum"], undefined],
  ["", ["ab", "abc"], "ab"],
  ["x".repeat(1_000_000), ["x"], undefined],
])("suggestion %#", (written, names, suggestion) => {
  expect(suggestName(written, names)).toBe(suggestion);
});
