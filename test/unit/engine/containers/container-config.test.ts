import { describe, expect, test } from "vitest";
import {
  containerConfig,
  containerEnvironment,
  programOf,
} from "../../../../src/engine/containers/container-config.ts";
import type { RunRequest } from "../../../../src/engine/containers/run-request.ts";
import type { ContainerConfig } from "../../../../src/image/image-config.ts";
import { thrownBy } from "../../../support/thrown-by.ts";

const plain: RunRequest = {
  args: [],
  name: null,
  isTransient: false,
  hasTerminal: false,
  entrypoint: null,
  env: [],
  cwd: null,
  user: null,
  hostname: null,
  mounts: [],
  volumes: [],
  isReadOnly: false,
  network: "host",
  extraHosts: [],
  shmSizeBytes: null,
  ulimits: [],
  limits: {
    memoryBytes: null,
    memoryAndSwapBytes: null,
    cpus: null,
    cpuShares: null,
    cpuset: null,
    maxProcesses: null,
  },
};

describe("the program of a container", () => {
  const image: ContainerConfig = { Entrypoint: ["/entry", "-x"], Cmd: ["default"] };
  test.each<readonly [string, ContainerConfig, Partial<RunRequest>, readonly string[]]>([
    ["is entrypoint and arguments of the image", image, {}, ["/entry", "-x", "default"]],
    [
      "has the arguments that are given in place of the image's",
      image,
      { args: ["a", "b"] },
      ["/entry", "-x", "a", "b"],
    ],
    ["is the given entrypoint, without the image's arguments", image, { entrypoint: "/e" }, ["/e"]],
    ["is the given entrypoint and the given arguments", image, { entrypoint: "/e", args: ["a"] }, ["/e", "a"]],
    ["is what is given when the entrypoint is taken away", image, { entrypoint: "", args: ["sh"] }, ["sh"]],
    ["is the arguments of an image without entrypoint", { Cmd: ["sh", "-l"] }, {}, ["sh", "-l"]],
    ["is what is given of an image that names none", {}, { args: ["sh"] }, ["sh"]],
  ])("%s", (_, config, request, args) => {
    expect(programOf(containerConfig(config, { ...plain, ...request }), "app")).toEqual(args);
  });

  test.each<readonly [string, ContainerConfig, Partial<RunRequest>]>([
    ["neither image nor command line name one", {}, {}],
    ["the entrypoint is taken away and nothing given", image, { entrypoint: "" }],
    ["its name is empty", { Cmd: [""] }, {}],
  ])("is missing when %s", (_, config, request) => {
    expect(thrownBy(() => programOf(containerConfig(config, { ...plain, ...request }), "app"))).toMatchObject({
      code: "USAGE_INVALID",
      message: 'image "app": no command specified',
    });
  });
});

describe("the environment of a container", () => {
  const image: ContainerConfig = { Env: ["PATH=/bin", "A=1", "B=2"] };
  const environmentOf = (request: Partial<RunRequest>, config = image): readonly string[] =>
    containerEnvironment(containerConfig(config, { ...plain, ...request }), "box", request.hasTerminal === true);

  test.each<readonly [string, Partial<RunRequest>, readonly string[]]>([
    ["is the image's and the machine's name", {}, ["PATH=/bin", "HOSTNAME=box", "A=1", "B=2"]],
    ["has TERM with a terminal", { hasTerminal: true }, ["PATH=/bin", "HOSTNAME=box", "TERM=xterm", "A=1", "B=2"]],
    ["has what is given before the rest", { env: ["C=3", "A="] }, ["PATH=/bin", "HOSTNAME=box", "C=3", "A=", "B=2"]],
    ["has the last value that is given", { env: ["C=3", "C=4"] }, ["PATH=/bin", "HOSTNAME=box", "C=4", "A=1", "B=2"]],
    ["loses what is given without value", { env: ["A"] }, ["PATH=/bin", "HOSTNAME=box", "B=2"]],
    ["may say another HOSTNAME", { env: ["HOSTNAME=x"] }, ["PATH=/bin", "HOSTNAME=x", "A=1", "B=2"]],
  ])("%s", (_, request, rows) => {
    expect(environmentOf(request)).toEqual(rows);
  });

  test("has a PATH when the image has none", () => {
    expect(environmentOf({}, {})[0]).toBe("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  });
});

test("the config of a container is the image's with what was asked for, and no name of a machine", () => {
  const image: ContainerConfig = {
    User: "app",
    WorkingDir: "/srv",
    Env: ["A=1"],
    Cmd: ["serve"],
    Volumes: ["/data"],
    Labels: new Map([["a", "b"]]),
    StopSignal: "SIGQUIT",
    ArgsEscaped: true,
  };
  const request = { ...plain, user: "1000", cwd: "/w", env: ["B=2"], args: ["sh"], volumes: ["/more", "/data"] };
  expect(containerConfig(image, request)).toEqual({
    User: "1000",
    WorkingDir: "/w",
    Env: ["B=2", "A=1"],
    Entrypoint: [],
    Cmd: ["sh"],
    Volumes: ["/data", "/more"],
    Labels: new Map([["a", "b"]]),
    StopSignal: "SIGQUIT",
    ArgsEscaped: false,
  });
  expect(containerConfig(image, plain)).toMatchObject({ User: "app", WorkingDir: "/srv", Cmd: ["serve"] });
});
