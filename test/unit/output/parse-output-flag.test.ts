import { describe, expect, test } from "vitest";
import { parseCsvLine } from "../../../src/output/csv-line.ts";
import { parseOutputFlag } from "../../../src/output/parse-output-flag.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const gzip = { format: { compression: "gzip", level: null }, force: false };
const epoch = "of the build";
const image = {
  names: [],
  compression: gzip,
  annotations: [],
  ociMediaTypes: true,
  epoch,
  rewriteTimestamps: false,
};

describe("an output", () => {
  test.each([
    ["out", { kind: "local", destination: "out", splitPlatforms: null, epoch }],
    ["-", { kind: "tar", destination: "-", splitPlatforms: null, epoch }],
    ["dest=odd", { kind: "local", destination: "dest=odd", splitPlatforms: null, epoch }],
    ["type=local,dest=out,platform-split=false", { kind: "local", destination: "out", splitPlatforms: false, epoch }],
    ["type=tar,dest=x.tar", { kind: "tar", destination: "x.tar", splitPlatforms: null, epoch }],
    ["type=tar", { kind: "tar", destination: "-", splitPlatforms: null, epoch }],
    ["type=oci,dest=x.tar", { kind: "oci", destination: "x.tar", isArchive: true, ...image }],
    ["dest=x,type=oci", { kind: "oci", destination: "x", isArchive: true, ...image }],
    ["type=oci,dest=x,tar=false", { kind: "oci", destination: "x", isArchive: false, ...image }],
    ['"type=oci","dest=a,b.tar"', { kind: "oci", destination: "a,b.tar", isArchive: true, ...image }],
    ["type=oci,dest=a=b", { kind: "oci", destination: "a=b", isArchive: true, ...image }],
    [
      "type=docker",
      {
        kind: "docker",
        destination: "-",
        ...image,
        compression: { format: { compression: "none", level: null }, force: false },
      },
    ],
    ["type=image", { kind: "image", push: false, store: true, ...image }],
    ["type=image,push=true", { kind: "image", push: true, store: true, ...image }],
    [
      "type=registry,name=ns/app",
      { kind: "image", push: true, store: true, ...image, names: ["docker.io/ns/app:latest"] },
    ],
    ["type=cacheonly", { kind: "cacheonly" }],
  ])("%s", (text, want) => {
    expect(parseOutputFlag(text)).toEqual(want);
  });

  test.each([
    ["compression=zstd,compression-level=19", { format: { compression: "zstd", level: 19 }, force: false }],
    ["compression=uncompressed", { format: { compression: "none", level: null }, force: false }],
    [
      "compression=gzip,force-compression=1,compression-level=0",
      { format: { compression: "gzip", level: 0 }, force: true },
    ],
  ])("takes %s", (options, compression) => {
    expect(parseOutputFlag(`type=oci,${options}`)).toMatchObject({ compression });
  });

  test.each([
    ["type=oci,rewrite-timestamp=true", { rewriteTimestamps: true, epoch: "of the build" }],
    ["type=image,source-date-epoch=1700000000", { epoch: 1_700_000_000 }],
    ["type=local,dest=x,source-date-epoch=0", { epoch: 0 }],
    ["type=tar,source-date-epoch=", { epoch: null }],
  ])("%s sets times", (text, want) => {
    expect(parseOutputFlag(text)).toMatchObject(want);
  });

  test("takes several names in quotes", () => {
    expect(parseOutputFlag('type=image,"name=ns/a:1,127.0.0.1:5001/b"')).toMatchObject({
      names: ["docker.io/ns/a:1", "127.0.0.1:5001/b:latest"],
    });
  });

  test("takes annotations for levels and platforms", () => {
    const text =
      "type=oci,annotation.a.B=1,annotation-index.c=2,annotation[linux/arm64/v8].d=3,annotation-manifest-descriptor[linux/amd64].e==,annotation[linux/*].f=4";
    expect(parseOutputFlag(text)).toMatchObject({
      annotations: [
        { level: "manifest", platform: null, key: "a.B", value: "1" },
        { level: "index", platform: null, key: "c", value: "2" },
        { level: "manifest", platform: "linux/arm64", key: "d", value: "3" },
        { level: "manifest-descriptor", platform: "linux/amd64", key: "e", value: "=" },
        { level: "manifest", platform: "linux/*", key: "f", value: "4" },
      ],
    });
  });

  test.each([
    ["", "USAGE_INVALID", undefined],
    ["type=", "USAGE_INVALID", "add type=oci"],
    ["dest=x,tar=true", "USAGE_INVALID", "add type=oci"],
    ["type=oic,dest=x", "USAGE_INVALID", "did you mean oci?"],
    ["type=__proto__", "USAGE_INVALID", "there are oci"],
    ["type=oci,dset=x", "USAGE_INVALID", "did you mean dest?"],
    ["type=oci,x", "USAGE_INVALID", undefined],
    ["type=oci,tar=maybe", "USAGE_INVALID", undefined],
    ["type=oci,tar=false", "USAGE_INVALID", "add dest=DIR"],
    ["type=local", "USAGE_INVALID", "add dest=DIR"],
    ["type=local,dest=-", "USAGE_INVALID", "add dest=DIR"],
    ["type=local,dest=x,name=a", "USAGE_INVALID", undefined],
    ["type=oci,compression=gz", "USAGE_INVALID", "did you mean gzip?"],
    ["type=oci,compression=estargz", "EXPORT_UNSUPPORTED", undefined],
    ["type=oci,compression-level=10", "USAGE_INVALID", undefined],
    ["type=oci,compression=zstd,compression-level=-1", "USAGE_INVALID", undefined],
    ["type=oci,source-date-epoch=yesterday", "USAGE_INVALID", undefined],
    ["type=oci,rewrite-timestamp=maybe", "USAGE_INVALID", undefined],
    ["type=tar,rewrite-timestamp=true", "USAGE_INVALID", undefined],
    ["type=oci,unpack=true", "EXPORT_UNSUPPORTED", undefined],
    ["type=image,name=UPPER", "REFERENCE_INVALID", undefined],
    ['type=oci,"dest=x', "USAGE_INVALID", "write it like"],
  ] as const)("%j is refused with %s", (text, code, hint) => {
    const error = thrownBy(() => parseOutputFlag(text));
    expect(error.code).toBe(code);
    if (hint !== undefined) expect(error.hint).toContain(hint);
  });
});

test.each([
  ["a,b", ["a", "b"]],
  ["", [""]],
  ["a,", ["a", ""]],
  ['"a,b",c', ["a,b", "c"]],
  ['"say ""hi""",""', ['say "hi"', ""]],
  ['a"b', null],
  ['"a"b', null],
  ['"a', null],
])("the fields of %j are %j", (line, fields) => {
  expect(parseCsvLine(line)).toEqual(fields);
});
