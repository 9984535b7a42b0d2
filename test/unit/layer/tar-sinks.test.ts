import { DirectTarSink } from "../../../src/layer/tar-sink.ts";
import { ThreadedTarSink } from "../../../src/layer/threaded-tar-sink.ts";
import { describeTarSink } from "../../conformance/describe-tar-sink.ts";

describeTarSink("DirectTarSink", (file) => new DirectTarSink(file));
describeTarSink("ThreadedTarSink", (file) => new ThreadedTarSink(file));
