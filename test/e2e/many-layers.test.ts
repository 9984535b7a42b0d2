import { join } from "node:path";
import { expect, test } from "vitest";
import { readOciArchive } from "../support/oci-archive.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { useEngine } from "../support/use-engine.ts";

const under = useEngine();

test.skipIf(needsRoot !== null)(`200 layers build, and the last step sees all of them ${needsRoot ?? ""}`, async () => {
  const steps = Array.from({ length: 99 }, (_, at) => `COPY file /copied-${at}\nRUN echo ${at} > /made-${at}\n`);
  const context = under.directory({
    Dockerfile: `FROM busybox
${steps.join("")}RUN <<EOT
set -e
test "$(ls /copied-* | wc -l)" = 99
test "$(ls /made-* | wc -l)" = 99
test "$(cat /made-0 /made-98 | tr '\\n' ' ')" = "0 98 "
EOT
COPY file /end
`,
    file: "content",
  });
  const archive = join(under.path, "image.tar");
  const { ran } = await under.build("-o", `type=oci,dest=${archive}`, context);
  expect(ran.filter((name) => !name.includes("FROM"))).toHaveLength(200);
  const [image] = await readOciArchive(archive);
  expect(image?.config.rootfs.diff_ids).toHaveLength(201);
  expect((await under.build("-o", "type=cacheonly", context)).ran).toEqual([]);
});
