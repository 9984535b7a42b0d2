import { describe, expect, test } from "vitest";
import { absolutePath, baseName, isFileName, nextWorkingDir } from "../../../src/plan/container-path.ts";
import { parseExposedPort } from "../../../src/plan/exposed-ports.ts";
import { checkModeChange } from "../../../src/plan/mode-change.ts";
import { checkStopSignal } from "../../../src/plan/stop-signal.ts";

describe("EXPOSE", () => {
  test.each<[string, readonly string[]]>([
    ["80", ["80/tcp"]],
    ["80/", ["80/tcp"]],
    ["53/UDP", ["53/udp"]],
    ["1-3/sctp", ["1/sctp", "2/sctp", "3/sctp"]],
    ["7-7", ["7/tcp"]],
    ["0", ["0/tcp"]],
    ["8080:80", ["80/tcp"]],
    ["1-2:80-81", ["80/tcp", "81/tcp"]],
    ["1-9:80", ["80/tcp"]],
    ["127.0.0.1::80", ["80/tcp"]],
    ["[::1]:1:80", ["80/tcp"]],
    ["::1:1:80", ["80/tcp"]],
  ])("%s", (word, ports) => {
    expect(parseExposedPort(word).ports).toEqual(ports);
  });

  test.each([
    ["", "no port specified"],
    ["/tcp", "no port specified"],
    ["80/icmp", "invalid proto: icmp"],
    ["65536", "invalid containerPort: 65536"],
    ["3-1", "invalid containerPort: 3-1"],
    ["a", "invalid containerPort: a"],
    ["1.5", "invalid containerPort"],
    ["-1", "invalid containerPort"],
    ["x:80", "invalid hostPort: x"],
    ["1-3:80-81", "invalid ranges"],
    ["host:1:80", "invalid IP address: host"],
  ])("%j is refused", (word, message) => {
    expect(() => parseExposedPort(word)).toThrow(message);
  });
});

describe("STOPSIGNAL", () => {
  test.each([["SIGTERM"], ["term"], ["SigKill"], ["9"], ["RTMIN"], ["SIGRTMIN+3"], ["RTMAX-14"], ["37"]])(
    "%s",
    (signal) => {
      expect(() => checkStopSignal(signal)).not.toThrow();
    },
  );

  test.each([[""], ["0"], ["-9"], ["SIG"], ["SIGNOPE"], ["RTMIN+16"], ["RTMAX-15"], ["RTMIN+0"], ["9a"]])(
    "%j is refused",
    (signal) => {
      expect(() => checkStopSignal(signal)).toThrow("invalid signal");
    },
  );
});

describe("--chmod", () => {
  test.each([["0"], ["644"], ["0755"], ["07777"], ["u=rwX,go=rX"], ["+x"], ["a-w"], ["u+s,+t"], ["g=u"], ["go="]])(
    "%s",
    (mode) => {
      expect(() => checkModeChange(mode)).not.toThrow();
    },
  );

  test.each([["8"], ["10000"], ["64a"], ["rwx"], ["u"], ["u+q"], ["u=r,"], ["u=ur"], [" 644"]])(
    "%j is refused",
    (mode) => {
      expect(() => checkModeChange(mode)).toThrow("invalid chmod parameter");
    },
  );
});

describe("paths inside a container", () => {
  test.each([
    ["/", "", "/"],
    ["/w", "", "/w"],
    ["/w", ".", "/w"],
    ["/w", "../../x", "/x"],
    ["/w", "/a/../../b//c/", "/b/c"],
    ["", "x", "/x"],
  ])("in %j %j is %j", (directory, path, absolute) => {
    expect(absolutePath(directory, path)).toBe(absolute);
  });

  test.each([
    ["", "", "/"],
    ["/w", "", "/w"],
    ["/w", "a/../b", "/w/b"],
    ["w", "a", "/w/a"],
    ["/w", "/x//./y/", "/x//./y/"],
  ])("WORKDIR in %j to %j gives %j", (current, path, next) => {
    expect(nextWorkingDir(current, path)).toBe(next);
  });

  test.each([
    ["", "."],
    ["/", "/"],
    ["//", "/"],
    ["a/b", "b"],
    ["/a/b//", "b"],
  ])("the last part of %j is %j", (path, name) => {
    expect(baseName(path)).toBe(name);
  });

  test.each([[""], ["."], [".."], ["a/b"], ["a\0"]])("%j names no file", (name) => {
    expect(isFileName(name)).toBe(false);
  });

  test.each([["a"], ["..."], [".a"], ["a b"]])("%j names a file", (name) => {
    expect(isFileName(name)).toBe(true);
  });
});
