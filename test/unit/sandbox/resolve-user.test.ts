import { describe, expect, test } from "vitest";
import { parseGroup, parsePasswd } from "../../../src/image/user-database.ts";
import { resolveUser } from "../../../src/sandbox/resolve-user.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const users = parsePasswd("root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/srv:\napp:x:5:5::/second:\nbare:x:7:8:::\n");
const groups = parseGroup("root:x:0:\nwheel:x:10:root,app\napp:x:1001:\nwheel:x:11:\n");

describe("a user is looked up in the image's files", () => {
  test.each([
    ["", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
    ["0", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
    ["app", { uid: 1000, gid: 1001, groups: [1001, 10], home: "/srv" }],
    ["1000", { uid: 1000, gid: 1001, groups: [1001, 10], home: "/srv" }],
    ["5", { uid: 5, gid: 5, groups: [5, 10], home: "/second" }],
    ["bare", { uid: 7, gid: 8, groups: [8], home: "/" }],
    ["4242", { uid: 4242, gid: 0, groups: [0], home: "/" }],
    ["app:wheel", { uid: 1000, gid: 10, groups: [10], home: "/srv" }],
    ["app:", { uid: 1000, gid: 1001, groups: [1001, 10], home: "/srv" }],
    [":wheel", { uid: 0, gid: 10, groups: [10], home: "/root" }],
    ["4242:4243", { uid: 4242, gid: 4243, groups: [4243], home: "/" }],
    ["4294967294", { uid: 4294967294, gid: 0, groups: [0], home: "/" }],
  ])("%j", (user, expected) => {
    expect(resolveUser(user, users, groups)).toEqual(expected);
  });

  test.each([
    ["ghost", "unable to find user ghost: no matching entries in passwd file"],
    ["app:ghost", "unable to find group ghost: no matching entries in group file"],
    ["4294967295", "user 4294967295: out of range, want at most 4294967294"],
    ["app:99999999999", "group 99999999999: out of range, want at most 4294967294"],
    ["__proto__", "unable to find user __proto__: no matching entries in passwd file"],
  ])("%j is not there", (user, message) => {
    expect(thrownBy(() => resolveUser(user, users, groups))).toMatchObject({ code: "RUN_USER_NOT_FOUND", message });
  });

  test("without files there are numbers only", () => {
    expect(resolveUser("", [], [])).toEqual({ uid: 0, gid: 0, groups: [0], home: "/" });
    expect(thrownBy(() => resolveUser("root", [], []))).toMatchObject({ code: "RUN_USER_NOT_FOUND" });
  });
});
