import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ContainerLogWriter, readContainerLog } from "../../../src/store/container-log.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const path = (): string => join(temporary.path, "log");
const never = new AbortController().signal;
const atMs = Date.parse("2024-05-06T07:08:09.010Z");

function writeLog(...chunks: readonly (readonly ["stdout" | "stderr", string | Buffer])[]): void {
  const log = new ContainerLogWriter(path());
  for (const [stream, chunk] of chunks) log.write(stream, Buffer.from(chunk), atMs);
  log.close(atMs);
}

async function readLog(tail: number | null = null): Promise<readonly (readonly [string, string])[]> {
  const rows: (readonly [string, string])[] = [];
  for await (const { stream, bytes } of readContainerLog(path(), tail, async () => false, never))
    rows.push([stream, bytes.toString("utf8")]);
  return rows;
}

test("what was written comes back in lines, in the order they were complete", async () => {
  writeLog(["stdout", "one\ntw"], ["stderr", "oops\n"], ["stdout", "o\n\nend"]);
  expect(await readLog()).toEqual([
    ["stdout", "one\n"],
    ["stderr", "oops\n"],
    ["stdout", "two\n"],
    ["stdout", "\n"],
    ["stdout", "end"],
  ]);
});

test("the file is what docker's json-file driver writes", () => {
  writeLog(["stdout", "é\r\n"]);
  expect(readFileSync(path(), "utf8")).toBe('{"log":"é\\r\\n","stream":"stdout","time":"2024-05-06T07:08:09.010Z"}\n');
});

test.each([
  ["a line without end", "x".repeat(100_000)],
  ["characters of several bytes", "€".repeat(30_000)],
  ["a long line with an end", `${"y".repeat(16 * 1024 + 1)}\n`],
])("%s comes back whole, in pieces", async (_, text) => {
  writeLog(["stdout", text]);
  const rows = await readLog();
  expect(rows.length).toBeGreaterThan(1);
  expect(rows.map(([, piece]) => piece).join("")).toBe(text);
  expect(Math.max(...rows.map(([, piece]) => Buffer.byteLength(piece)))).toBeLessThanOrEqual(16 * 1024);
});

test("bytes that are no text become U+FFFD", async () => {
  writeLog(["stdout", Buffer.from([0x61, 0xff, 0x80, 0x80, 0x80, 0x80, 0x0a])]);
  expect((await readLog())[0]?.[1]).toMatch(/^a\ufffd+\n$/);
});

test.each([
  [0, []],
  [1, ["29999\n"]],
  [2, ["29998\n", "29999\n"]],
  [29_999, ["1\n"]],
  [30_000, ["0\n"]],
  [90_000, ["0\n"]],
])("the last %i rows", async (count, first) => {
  writeLog(["stdout", Array.from({ length: 30_000 }, (_, at) => `${at}\n`).join("")]);
  const rows = await readLog(count);
  expect(rows).toHaveLength(Math.min(count, 30_000));
  expect(rows.slice(0, first.length).map(([, text]) => text)).toEqual(first);
});

test("following goes on until nothing more can come, and misses nothing", async () => {
  writeLog(["stdout", "first\n"]);
  const line = (text: string): string =>
    `${JSON.stringify({ log: text, stream: "stdout", time: "2024-05-06T07:08:09Z" })}\n`;
  const additions = [line("second\n"), line("third\n")];
  const mayGrow = async (): Promise<boolean> => {
    const next = additions.shift();
    if (next === undefined) {
      // written between the question and the answer
      appendFileSync(path(), line("last\n"));
      return false;
    }
    appendFileSync(path(), next);
    return true;
  };
  const texts: string[] = [];
  for await (const { bytes } of readContainerLog(path(), 1, mayGrow, never)) texts.push(bytes.toString());
  expect(texts).toEqual(["first\n", "second\n", "third\n", "last\n"]);
});

test("following ends with its signal", async () => {
  writeLog(["stdout", "first\n"]);
  const abort = new AbortController();
  const texts: string[] = [];
  for await (const { bytes } of readContainerLog(path(), null, async () => true, abort.signal)) {
    texts.push(bytes.toString());
    abort.abort();
  }
  expect(texts).toEqual(["first\n"]);
});

test("rows that a power loss broke are left out", async () => {
  writeLog(["stdout", "good\n"]);
  writeFileSync(path(), `{"log":"ha\n\0\0\0\n[]\nnull\n${readFileSync(path(), "utf8")}{"log":`);
  expect(await readLog()).toEqual([["stdout", "good\n"]]);
});
