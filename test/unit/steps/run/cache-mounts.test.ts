import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CacheMounts, type CacheRequest } from "../../../../src/steps/run/cache-mounts.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";
import { rejectionOf } from "../../../support/thrown-by.ts";

const cache = (id: string, over: Partial<CacheRequest> = {}): CacheRequest => ({
  id,
  sharing: "shared",
  mode: 0o755,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  seed: null,
  fill: null,
  ...over,
});
const never = new AbortController().signal;

describe("cache mounts", () => {
  const temporary = useTemporaryDirectory();
  const mounts = (): CacheMounts => new CacheMounts(join(temporary.path, "mounts"));
  const hold = async (requests: readonly CacheRequest[], signal = never) => mounts().hold(requests, signal);
  const one = async (request: CacheRequest, signal = never) => {
    const [held] = await hold([request], signal);
    if (held === undefined) throw new Error("no cache");
    return held;
  };

  test("a cache is found again by its id", async () => {
    const first = await one(cache("a"));
    writeFileSync(join(first.directory, "f"), "");
    first.release();
    const again = await one(cache("a"));
    const other = await one(cache("b"));
    expect([readdirSync(again.directory), readdirSync(other.directory)]).toEqual([["f"], []]);
  });

  test.each(["../../../etc", "/", "", "__proto__", "a/b\0c"])(
    "id %j stays below the directory of caches",
    async (id) => {
      const { directory } = await one(cache(id));
      expect(directory).toMatch(new RegExp(`^${join(temporary.path, "mounts")}/[0-9a-f]{64}/0/content$`));
    },
  );

  test("mode is set whatever the umask", async () => {
    const { directory } = await one(cache("a", { mode: 0o1777 }));
    expect(statSync(directory).mode & 0o7777).toBe(0o1777);
  });

  test("shared ones are held by several at once", async () => {
    const [a, b] = await Promise.all([one(cache("a")), one(cache("a"))]);
    expect(a.directory).toBe(b.directory);
  });

  test("private ones are different for those who meet", async () => {
    const request = cache("a", { sharing: "private" });
    const [a, b] = [await one(request), await one(request)];
    expect(a.directory).not.toBe(b.directory);
    a.release();
    expect((await one(request)).directory).toBe(a.directory);
  });

  test("locked ones wait for each other", async () => {
    const request = cache("a", { sharing: "locked" });
    const first = await one(request);
    const order: string[] = [];
    const second = one(request).then((held) => {
      order.push("second");
      held.release();
    });
    await one(cache("b")).then((held) => held.release());
    order.push("released");
    first.release();
    await second;
    expect(order).toEqual(["released", "second"]);
  });

  test("waiting ends when the build is cancelled", async () => {
    await one(cache("a", { sharing: "locked" }));
    const controller = new AbortController();
    const waiting = rejectionOf(one(cache("a"), controller.signal));
    controller.abort();
    expect(await waiting).toMatchObject({ code: "BUILD_CANCELLED" });
  });

  test("steps that want the same caches in different orders do not wait for each other", async () => {
    const request = (id: string) => cache(id, { sharing: "locked" });
    const rounds = Array.from({ length: 6 }, async (_, round) => {
      const ids = round % 2 === 0 ? ["x", "y"] : ["y", "x"];
      const held = await hold(ids.map(request));
      for (const each of held) each.release();
    });
    await Promise.all(rounds);
  });

  test("a step may mount one cache twice, under the strictest sharing", async () => {
    const held = await hold([cache("a"), cache("a", { sharing: "locked" }), cache("b")]);
    expect(held[0]).toBe(held[1]);
    const controller = new AbortController();
    const waiting = rejectionOf(one(cache("a"), controller.signal));
    controller.abort();
    expect(await waiting).toMatchObject({ code: "BUILD_CANCELLED" });
  });

  test("a seed fills a cache once; another seed makes another cache", async () => {
    let fills = 0;
    const fill = async (directory: string): Promise<void> => {
      fills += 1;
      writeFileSync(join(directory, "seed"), "");
    };
    const seeded = cache("a", { seed: "one", fill });
    const [a, b] = await Promise.all([one(seeded), one(seeded)]);
    expect([fills, a.directory, readdirSync(a.directory)]).toEqual([1, b.directory, ["seed"]]);
    expect((await one(cache("a", { seed: "two", fill }))).directory).not.toBe(a.directory);
    expect(readdirSync((await one(cache("a"))).directory)).toEqual([]);
  });

  test("a seed that fails leaves no cache, and what a killed build left is made anew", async () => {
    const failing = async (directory: string): Promise<void> => {
      mkdirSync(join(directory, "half"));
      throw new Error("no luck");
    };
    await expect(one(cache("a", { seed: "s", fill: failing }))).rejects.toThrow("no luck");
    const held = await one(
      cache("a", { seed: "s", fill: async (directory) => writeFileSync(join(directory, "f"), "") }),
    );
    expect(readdirSync(held.directory)).toEqual(["f"]);
    expect(existsSync(`${held.directory}.new`)).toBe(false);
  });
});
