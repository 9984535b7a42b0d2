import { describePlanSources } from "../../conformance/describe-plan-sources.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";

describePlanSources("fake", async () => ({
  sources: new FakePlanSources(),
  image: { name: "busybox", canonical: "docker.io/library/busybox:latest" },
  missingImage: "missing",
  treeContext: "tree",
}));
