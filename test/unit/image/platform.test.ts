import { describe, expect, test } from "vitest";
import {
  compatiblePlatforms,
  formatPlatform,
  hostPlatform,
  isSamePlatform,
  type Platform,
  parsePlatform,
  selectPlatform,
} from "../../../src/image/platform.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const host = hostPlatform();
const platforms = (texts: string): readonly Platform[] => texts.split(" ").map(parsePlatform);

describe("parsePlatform", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["Linux/X86_64", "linux/amd64"],
    ["linux/x86-64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/i386", "linux/386"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm64/8", "linux/arm64"],
    ["linux/arm64/v9", "linux/arm64/v9"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["arm64", "linux/arm64"],
    ["armhf", "linux/arm/v7"],
    ["s390x", "linux/s390x"],
    ["macos/arm64", "darwin/arm64"],
    ["linux", `linux/${host.architecture}`],
    ["windows(10.0.20348.1)/amd64", "windows(10.0.20348.1)/amd64"],
  ])("%s is %s", (text, normalized) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normalized);
  });

  test.each([
    "",
    "/",
    "linux/",
    "linux//v7",
    "a/b/c/d",
    "nonsense",
    "linux/am d64",
    "linux(/amd64",
    "../x",
    "linux/\0",
  ])("refuses %j", (text) => {
    expect(thrownBy(() => parsePlatform(text)).code).toBe("PLATFORM_UNSUPPORTED");
  });
});

test("the platform of this machine is a Linux one in its normal spelling", () => {
  expect(host.os).toBe("linux");
  expect(parsePlatform(formatPlatform(host))).toEqual(host);
});

test.each([
  ["linux/amd64", "linux/amd64 linux/386"],
  ["linux/amd64/v3", "linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386"],
  ["linux/arm/v7", "linux/arm/v7 linux/arm/v6 linux/arm/v5"],
  ["linux/arm/v5", "linux/arm/v5"],
  ["linux/arm64", "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"],
  ["linux/s390x", "linux/s390x"],
])("on %s run, best first, %s", (wanted, expected) => {
  expect(compatiblePlatforms(parsePlatform(wanted)).map(formatPlatform).join(" ")).toBe(expected);
});

describe("selectPlatform", () => {
  test.each([
    ["the same", "linux/arm/v6 linux/arm/v7", "linux/arm/v7", 1],
    ["the first of equals", "linux/amd64 linux/amd64/v1", "linux/amd64", 0],
    ["the nearest older variant", "linux/arm/v5 linux/arm/v6", "linux/arm/v7", 1],
    ["arm64 spelled arm64/v8", "linux/amd64 linux/arm64/v8", "linux/arm64", 1],
    ["32 bit when there is nothing else", "linux/arm64 linux/386", "linux/amd64", 1],
    ["a Windows of the same build", "windows(10.0.1.5)/amd64 windows(10.0.2.7)/amd64", "windows(10.0.2.1)/amd64", 1],
  ])("takes %s", (_name, offered, wanted, expected) => {
    const offers = platforms(offered).map((platform) => ({ platform }));
    expect(selectPlatform(offers, parsePlatform(wanted), "x")).toBe(offers[expected]);
  });

  test("takes an entry without platform only when none fits", () => {
    const unnamed: { readonly id: number; readonly platform?: Platform } = { id: 1 };
    const named = { id: 2, platform: parsePlatform("linux/amd64") };
    expect(selectPlatform([unnamed, named], parsePlatform("linux/amd64"), "x")).toBe(named);
    expect(selectPlatform([unnamed, named], parsePlatform("linux/s390x"), "x")).toBe(unnamed);
  });

  test("lists what there is when nothing fits", () => {
    const offers = platforms("linux/arm64 linux/s390x linux/arm64").map((platform) => ({ platform }));
    const error = thrownBy(() => selectPlatform(offers, parsePlatform("linux/amd64"), "docker.io/library/x:1"));
    expect(error.message).toBe("docker.io/library/x:1: no image for linux/amd64");
    expect(error.hint).toBe("it has linux/arm64, linux/s390x");
    expect(thrownBy(() => selectPlatform([], parsePlatform("linux/amd64"), "x")).hint).toBe("it holds no image at all");
  });
});

test("the same platform may be spelled differently", () => {
  const wanted = parsePlatform("linux/arm64");
  expect(isSamePlatform({ os: "linux", architecture: "aarch64", variant: "v8", osVersion: "" }, wanted)).toBe(true);
  expect(isSamePlatform(parsePlatform("linux/arm/v7"), wanted)).toBe(false);
});
