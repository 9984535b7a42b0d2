import type { ProgressSink } from "../../base/build-event.ts";

/** Shows events as they come. */
export interface ProgressRenderer extends ProgressSink {
  /** Nothing more will come: leave the terminal as other programs expect it. */
  close(): void;
}

/** Takes text for the user; what is written must appear in order. */
export type Write = (text: string) => void;
