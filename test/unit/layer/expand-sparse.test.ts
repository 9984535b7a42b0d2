import { describe, expect, test } from "vitest";
import { SparseExpander } from "../../../src/layer/expand-sparse.ts";
import { defaultTarLimits, type TarLimits } from "../../../src/layer/tar-member.ts";
import { listTar } from "../../support/list-tar.ts";
import { pax, paxRecord, type RawMember, rawMember, rawTar } from "../../support/raw-tar.ts";
import { thrownBy } from "../../support/thrown-by.ts";

type Pieces = readonly (readonly [offset: number, length: number])[];

function expand(tar: Buffer, chunkBytes = tar.length, limits: TarLimits = defaultTarLimits): Buffer {
  const parts: Buffer[] = [];
  const expander = new SparseExpander(limits, (bytes) => void parts.push(Buffer.from(bytes)));
  for (let at = 0; at < tar.length; at += chunkBytes) expander.push(tar.subarray(at, at + chunkBytes));
  expander.end();
  return Buffer.concat(parts);
}

const stored = (pieces: Pieces): Buffer =>
  Buffer.concat(pieces.map(([, length], at) => Buffer.alloc(length, 0x41 + (at % 26))));

function fileOf(pieces: Pieces, realSize: number): Buffer {
  const file = Buffer.alloc(realSize);
  for (const [at, [offset, length]] of pieces.entries()) file.fill(0x41 + (at % 26), offset, offset + length);
  return file;
}

const octal = (value: number): string => `${value.toString(8).padStart(11, "0")}\0`;
const table = (pieces: Pieces, bytes: number): Buffer => {
  const block = Buffer.alloc(bytes);
  block.write(pieces.map(([offset, length]) => octal(offset) + octal(length)).join(""), "latin1");
  return block;
};

/** The bytes of one member with holes. */
const formats: Readonly<Record<string, (pieces: Pieces, realSize: number, member?: RawMember) => Buffer>> = {
  "old GNU": (pieces, realSize, member = {}) => {
    const fields = Buffer.concat([
      table(pieces.slice(0, 4), 96),
      Buffer.from([pieces.length > 4 ? 1 : 0]),
      Buffer.from(octal(realSize)),
    ]);
    const blocks: Buffer[] = [];
    for (let at = 4; at < pieces.length; at += 21) {
      const block = table(pieces.slice(at, at + 21), 512);
      if (at + 21 < pieces.length) block[504] = 1;
      blocks.push(block);
    }
    const content = stored(pieces);
    const whole = rawMember({
      type: "S",
      magic: "ustar  \0",
      patch: { at: 386, bytes: fields },
      size: content.length,
      content,
      ...member,
    });
    return Buffer.concat([whole.subarray(0, 512), ...blocks, whole.subarray(512)]);
  },
  "pax 0.0": (pieces, realSize, member = {}) =>
    Buffer.concat([
      paxRecords([
        ["GNU.sparse.size", String(realSize)],
        ["GNU.sparse.numblocks", String(pieces.length)],
        ...pieces.flatMap(([offset, length]) => [
          ["GNU.sparse.offset", String(offset)] as const,
          ["GNU.sparse.numbytes", String(length)] as const,
        ]),
      ]),
      rawMember({ content: stored(pieces), ...member }),
    ]),
  "pax 0.1": (pieces, realSize, member = {}) =>
    Buffer.concat([
      paxRecords([
        ["GNU.sparse.size", String(realSize)],
        ["GNU.sparse.numblocks", String(pieces.length)],
        ["GNU.sparse.name", "f"],
        ["GNU.sparse.map", pieces.flat().join(",")],
      ]),
      rawMember({ name: "GNUSparseFile.0/f", content: stored(pieces), ...member }),
    ]),
  "pax 1.0": (pieces, realSize, member = {}) => {
    const lines = Buffer.from([pieces.length, ...pieces.flat()].map((number) => `${number}\n`).join(""));
    const map = Buffer.concat([lines, Buffer.alloc((512 - (lines.length % 512)) % 512)]);
    return Buffer.concat([
      paxRecords([
        ["GNU.sparse.major", "1"],
        ["GNU.sparse.minor", "0"],
        ["GNU.sparse.name", "f"],
        ["GNU.sparse.realsize", String(realSize)],
      ]),
      rawMember({ name: "GNUSparseFile.0/f", content: Buffer.concat([map, stored(pieces)]), ...member }),
    ]);
  },
};

/** As `pax`, but a key may come again. */
function paxRecords(records: readonly (readonly [string, string])[]): Buffer {
  const content = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  return rawMember({ name: "PaxHeaders.0/f", type: "x", content });
}

const end = Buffer.alloc(1024);
const many: Pieces = Array.from({ length: 60 }, (_, at) => [at * 1000 + 300, 100 + at] as const);
const files: readonly (readonly [string, Pieces, number])[] = [
  [
    "some pieces",
    [
      [512, 600],
      [5000, 3],
    ],
    9000,
  ],
  [
    "a piece at each end",
    [
      [0, 10],
      [100, 20],
    ],
    120,
  ],
  [
    "pieces side by side",
    [
      [0, 10],
      [10, 20],
      [30, 5],
    ],
    35,
  ],
  ["nothing but a hole", [[70_000, 0]], 70_000],
  ["no piece at all", [], 1000],
  ["nothing", [], 0],
  ["many pieces", many, 100_000],
];

describe.each(Object.entries(formats))("files with holes in %s", (_, write) => {
  test.each(files)("%s", (_name, pieces, realSize) => {
    const neighbour = rawMember({ name: "g", content: "plain" });
    const tar = Buffer.concat([neighbour, write(pieces, realSize, { uid: 7, mode: 0o640 }), neighbour, end]);
    const whole = expand(tar);
    expect(listTar(whole).map(({ name }) => name)).toEqual(["g", "f", "g"]);
    const file = listTar(whole)[1];
    expect(file).toMatchObject({ type: "0", uid: 7, mode: 0o640, mtime: 1_600_000_000 });
    expect(file?.content.equals(fileOf(pieces, realSize))).toBe(true);
    for (const chunkBytes of [1, 511, 777]) expect(expand(tar, chunkBytes).equals(whole)).toBe(true);
  });

  test.each([
    ["a piece behind the end", [[90, 20]], 100],
    [
      "pieces that overlap",
      [
        [0, 20],
        [10, 20],
      ],
      100,
    ],
    [
      "pieces out of order",
      [
        [50, 10],
        [0, 10],
      ],
      100,
    ],
    ["more than a tar may hold", [[0, 1]], 2 ** 32],
  ] as const)("%s is refused", (_name, pieces, realSize) => {
    const tar = Buffer.concat([write(pieces, realSize), end]);
    const error = thrownBy(() => expand(tar, tar.length, { ...defaultTarLimits, maxTarBytes: 2 ** 30 }));
    expect(error.code).toMatch(/^LAYER_(MALFORMED|TOO_LARGE)$/);
  });

  test("a content of another size than its pieces is refused", () => {
    const content = Buffer.alloc(5000, "1\n0\n10\n");
    const tar = Buffer.concat([write([[0, 10]], 100, { content, size: content.length }), end]);
    expect(thrownBy(() => expand(tar))).toMatchObject({ code: "LAYER_MALFORMED" });
  });

  test("an end in the middle is refused", () => {
    const tar = write(many, 100_000);
    for (const length of [600, 1100, tar.length - 512])
      expect(thrownBy(() => expand(tar.subarray(0, length)))).toMatchObject({ code: "LAYER_MALFORMED" });
  });
});

test("a tar without such files stays as it is, with what stands behind its end", () => {
  const tar = Buffer.concat([
    rawTar(pax({ path: "a long name", mtime: "1.5" }), { content: "x".repeat(1000) }, { name: "d/", type: "5" }),
    Buffer.from("behind"),
  ]);
  expect(expand(tar, 100).equals(tar)).toBe(true);
});

describe("hostile maps are refused soon", () => {
  const sparse = (records: readonly (readonly [string, string])[], member: RawMember = {}): Buffer =>
    Buffer.concat([paxRecords(records), rawMember(member), end]);
  const version1 = [
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.realsize", "100"],
  ] as const;
  test.each([
    ["an unknown version", sparse([["GNU.sparse.major", "2"]])],
    [
      "no real size",
      sparse(
        [
          ["GNU.sparse.map", "0,1"],
          ["GNU.sparse.numblocks", "1"],
        ],
        { content: "x" },
      ),
    ],
    [
      "half a pair",
      sparse([
        ["GNU.sparse.size", "9"],
        ["GNU.sparse.numblocks", "1"],
        ["GNU.sparse.map", "1"],
      ]),
    ],
    [
      "a wrong count",
      sparse(
        [
          ["GNU.sparse.size", "9"],
          ["GNU.sparse.numblocks", "2"],
          ["GNU.sparse.map", "0,1"],
        ],
        { content: "x" },
      ),
    ],
    [
      "lengths before offsets",
      sparse(
        [
          ["GNU.sparse.size", "9"],
          ["GNU.sparse.numblocks", "1"],
          ["GNU.sparse.numbytes", "1"],
          ["GNU.sparse.offset", "0"],
        ],
        { content: "x" },
      ),
    ],
    [
      "a sign",
      sparse([
        ["GNU.sparse.size", "-9"],
        ["GNU.sparse.numblocks", "0"],
      ]),
    ],
    [
      "a directory with holes",
      sparse(
        [
          ["GNU.sparse.size", "0"],
          ["GNU.sparse.numblocks", "0"],
        ],
        { type: "5" },
      ),
    ],
    ["two maps", Buffer.concat([paxRecords([["GNU.sparse.size", "0"]]), rawMember({ type: "S" }), end])],
    ["a map without content", sparse(version1)],
    ["a map without count", sparse(version1, { content: Buffer.alloc(2048, "9") })],
    ["a count that is none", sparse(version1, { content: Buffer.alloc(2048, "x\n") })],
    [
      "a map that does not end",
      sparse(version1, { content: Buffer.concat([Buffer.from("999999\n"), Buffer.alloc(3 << 20, "1")]) }),
    ],
    [
      "pieces without end",
      rawMember({ type: "S", magic: "ustar  \0", patch: { at: 482, bytes: Buffer.from(`\x01${octal(9)}`) } }),
    ],
  ])("%s", (_, tar) => {
    expect(thrownBy(() => expand(tar))).toMatchObject({ code: "LAYER_MALFORMED" });
  });
});
