import { describe, expect, test } from "vitest";
import { parseDockerfile } from "../../../src/dockerfile/parse-dockerfile.ts";
import { listTargets } from "../../../src/plan/list-targets.ts";
import { type BuildOutline, outlineBuild } from "../../../src/plan/outline-build.ts";
import type { PlanInput } from "../../../src/plan/plan-input.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";
import { planInput } from "./plan-input-fixture.ts";

const parse = (text: string) => parseDockerfile(Buffer.from(text), "Dockerfile");

test("targets are all stages, with what their comments say", () => {
  const text =
    "ARG V=1\n# Build makes it\n# build makes all\nFROM --platform=$P busybox:$V AS Build\nRUN x\nFROM build\n";
  expect(listTargets(parse(text))).toEqual([
    {
      name: "build",
      description: "makes all",
      isDefault: false,
      base: "busybox:$V",
      platform: "$P",
      location: { file: "Dockerfile", startLine: 4, endLine: 4 },
    },
    {
      name: null,
      description: "",
      isDefault: true,
      base: "build",
      platform: null,
      location: { file: "Dockerfile", startLine: 6, endLine: 6 },
    },
  ]);
});

describe("outline", () => {
  const text = `# BASE is the base
ARG BASE=busybox
ARG NAME=$BASE
ARG UNUSED=1
FROM $NAME AS tools
ARG TOOL=hammer
RUN --mount=type=secret,id=token,required --mount=type=ssh make
FROM scratch AS other
ARG NEVER=1
RUN --mount=type=secret,id=never x
# app is what we ship
FROM scratch AS app
# VERSION of the app
ARG VERSION UNUSED
ARG LOCAL=\${VERSION:-none}
COPY --from=tools /x /
RUN --mount=type=secret,id=token --mount=type=secret,id=extra y
`;
  const outline = async (changes: Partial<PlanInput> = {}): Promise<BuildOutline> =>
    outlineBuild({ ...planInput(parse(text)), ...changes }, new FakePlanSources(), new AbortController().signal);
  const lines = (items: readonly { readonly location: { readonly startLine: number } | null }[]) =>
    items.map(({ location }) => location?.startLine);

  test("lists the ARGs of the target and of what it needs, used globals included", async () => {
    const { args, target, description } = await outline();
    expect([target, description]).toEqual(["app", "is what we ship"]);
    expect(args.map(({ name, value, description: text }) => [name, value, text])).toEqual([
      ["BASE", "busybox", "is the base"],
      ["NAME", "busybox", ""],
      ["UNUSED", "1", ""],
      ["TOOL", "hammer", ""],
      ["VERSION", null, "of the app"],
      ["LOCAL", "none", ""],
    ]);
    expect(lines(args)).toEqual([2, 3, 4, 6, 14, 15]);
  });

  test("shows the values of this build", async () => {
    const { args } = await outline({ buildArgs: new Map([["VERSION", "2"]]), target: "app" });
    expect(args.filter(({ name }) => name !== "TOOL").map(({ value }) => value)).toEqual([
      "busybox",
      "busybox",
      "1",
      "2",
      "2",
    ]);
  });

  test("lists secrets and agents once, where they are used first", async () => {
    const { secrets, ssh } = await outline();
    expect(secrets).toMatchObject([
      { id: "token", required: true, location: { startLine: 7 } },
      { id: "extra", required: false, location: { startLine: 17 } },
    ]);
    expect(ssh).toMatchObject([{ id: "default", location: { startLine: 7 } }]);
  });

  test("of another target shows that target's", async () => {
    const { args, secrets } = await outline({ target: "other" });
    expect([...args.map(({ name }) => name), ...secrets.map(({ id }) => id)]).toEqual(["NEVER", "never"]);
  });

  test("leaves out ARGs the builder sets, and shows the last of several with one name", async () => {
    const dockerfile = parse("FROM scratch\nARG TARGETARCH\nARG A=1\nARG A=2 TARGETOS=mine\n");
    const { args } = await outlineBuild(planInput(dockerfile), new FakePlanSources(), new AbortController().signal);
    expect(args.map(({ name, value, location }) => [name, value, location.startLine])).toEqual([
      ["A", "2", 4],
      ["TARGETOS", "mine", 4],
    ]);
  });
});
