import { NamespaceRuntime } from "../../src/sandbox/namespaces/namespace-runtime.ts";
import { describeRuntime } from "../conformance/describe-runtime.ts";

await describeRuntime("NamespaceRuntime", new NamespaceRuntime());
