import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { describe, expect, test } from "vitest";
import { makeSocketPair, receiveWithDescriptors, sendWithDescriptors } from "../../../src/sys/descriptor-passing.ts";
import { isReadable, waitReadable } from "../../../src/sys/wait-readable.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const word = (text: string): Buffer => Buffer.from(text.padEnd(8));

describe.skipIf(process.platform !== "linux")("descriptors sent over a socket (Linux)", () => {
  test("arrive whatever the garbage collector does meanwhile", () => {
    const [one, other] = makeSocketPair();
    setFlagsFromString("--stress-scavenge=80");
    try {
      for (let round = 0; round < 5000; round += 1) {
        sendWithDescriptors(one, word(`${round}`), [one]);
        const received = receiveWithDescriptors(other, 8);
        for (const fd of received?.descriptors ?? []) closeSync(fd);
        expect([received?.bytes.toString().trim(), received?.descriptors.length]).toEqual([`${round}`, 1]);
      }
    } finally {
      setFlagsFromString("--stress-scavenge=0");
    }
    closeSync(one);
    closeSync(other);
  });

  test("are the same open files on the other side, each with its message", () => {
    const [one, other] = makeSocketPair();
    const files = ["a", "b", "c"].map((name) => join(temporary.path, name));
    const fds = files.map((file) => {
      writeFileSync(file, `content of ${file}`);
      return openSync(file, "r");
    });
    sendWithDescriptors(one, word("first"), fds.slice(0, 2));
    sendWithDescriptors(one, word("none"), []);
    sendWithDescriptors(one, word("last"), fds.slice(2));
    for (const fd of fds) closeSync(fd);
    const expected = [
      ["first", files.slice(0, 2)],
      ["none", []],
      ["last", files.slice(2)],
    ] as const;
    for (const [text, names] of expected) {
      const received = receiveWithDescriptors(other, 8);
      expect(received?.bytes.toString().trim()).toBe(text);
      expect(received?.descriptors.map((fd) => readFileSync(fd, "utf8"))).toEqual(
        names.map((name) => `content of ${name}`),
      );
      for (const fd of received?.descriptors ?? []) closeSync(fd);
    }
    closeSync(one);
    expect(receiveWithDescriptors(other, 8)).toBeNull();
    closeSync(other);
  });

  test("nobody receives are an error of the sender, not a signal", () => {
    const [one, other] = makeSocketPair();
    closeSync(other);
    expect(() => sendWithDescriptors(one, word("lost"), [])).toThrow(/EPIPE/);
    expect(fstatSync(one).isSocket()).toBe(true);
    closeSync(one);
  });

  test("can be waited for, among others", () => {
    const pairs = [makeSocketPair(), makeSocketPair(), makeSocketPair()] as const;
    const watched = pairs.map(([, end]) => end);
    expect(isReadable(watched)).toBe(false);
    sendWithDescriptors(pairs[1][0], word("here"), []);
    closeSync(pairs[2][0]);
    expect(isReadable(watched)).toBe(true);
    expect(waitReadable(watched)).toEqual([pairs[1][1], pairs[2][1]]);
    for (const fd of [pairs[0][0], pairs[1][0], ...watched]) closeSync(fd);
  });
});
