import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { baseFlags, runCliWell, startCli } from "../support/cli.ts";
import { findProcesses } from "../support/find-processes.ts";
import { readTarMembers } from "../support/oci-archive.ts";
import { randomNumbers } from "../support/random.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { writeContext } from "../support/write-context.ts";

const rounds = 10;
const longestMs = 800;
/** TSBUILD_TEST_SEED repeats a run. */
const seed = Number(process.env.TSBUILD_TEST_SEED ?? Date.now() % 1_000_000);

const shared = useSharedDirectory();
const at = (name: string): string => join(shared.path, name);
const options = (): { root: string } => ({ root: at("store") });

/** A build that is busy in its file system and among its processes until it is killed. */
const busyDockerfile = (marker: string): string => `FROM base
ENV MARKER=${marker}
COPY data /data
RUN (setsid sleep 1000 &) ; (trap '' INT TERM HUP; sleep 1000) & \\
    for i in $(seq 500); do mkdir -p /made/$i; dd if=/dev/zero of=/made/$i/file bs=64k count=4 2>/dev/null; done; \\
    mount -t tmpfs none /mnt 2>/dev/null; sleep 1000
`;

const fineDockerfile = "FROM base\nCOPY data /data\nRUN cat /data/file >/copy\nCOPY --from=base /etc/passwd /users\n";

/** Mounts this process can see that have to do with the test. */
const mounts = (): readonly string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(shared.path));

const cgroups = (): readonly string[] =>
  readdirSync("/sys/fs/cgroup", { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [name, ...readdirSync(join("/sys/fs/cgroup", name))])
    .filter((name) => name.includes("tsbuild"));

describe.skipIf(needsRoot !== null)(
  `kill -9 (seed ${seed})${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`,
  () => {
    test(`at ${rounds} random moments leaves nothing behind but an unfinished build`, async () => {
      const random = randomNumbers(seed);
      const data = { "data/file": "content\n".repeat(50_000) };
      const fine = writeContext(at("fine"), { ...data, Dockerfile: fineDockerfile });
      let moments = "";
      for (let round = 0; round < rounds; round += 1) {
        // Every third time the store is a new one, and the moment may come while the base is being unpacked.
        const isFresh = round % 3 === 0;
        if (isFresh) rmSync(at("store"), { recursive: true, force: true });
        const marker = `marker-${randomUUID()}`;
        const context = writeContext(at("busy"), { ...data, Dockerfile: busyDockerfile(marker) });
        const child = startCli([...baseFlags, "-o", `type=oci,dest=${at("busy.tar")}`, context], options());
        let progress = "";
        child.stderr?.setEncoding("utf8").on("data", (text: string) => {
          progress += text;
        });
        if (!isFresh) await vi.waitUntil(() => /^#\d+ \[.*\] RUN/m.test(progress), { timeout: 30_000, interval: 5 });
        const afterMs = Math.round(random() * longestMs);
        await delay(afterMs);
        child.kill("SIGKILL");
        await once(child, "close");
        moments += ` ${afterMs} ms after ${isFresh ? "the start" : "RUN began"},`;
        const what = `seed ${seed}, killed at${moments}`;
        await vi.waitUntil(() => findProcesses(marker).length === 0, { timeout: 10_000 });
        expect(mounts(), what).toEqual([]);
        expect(cgroups(), what).toEqual([]);
        expect(readdirSync(shared.path).sort(), what).toEqual(
          expect.not.arrayContaining([expect.stringContaining("busy.tar")]),
        );
        const { stdout } = await runCliWell([...baseFlags, "-o", "-", fine], options());
        const files = new Map((await readTarMembers(stdout)).map(({ header, content }) => [header.name, content]));
        expect(files.get("copy")?.toString(), what).toBe(data["data/file"]);
        expect(files.get("users")?.toString(), what).toMatch(/^root:/);
        expect(readdirSync(at("store/tmp")), what).toEqual([]);
      }
    });
  },
);
