import { BuildError } from "../base/errors.ts";
import type { HistoryDraft } from "./build-graph.ts";

/** More text than this in one image's history is refused: argument values repeat in every row. */
const maxTextLength = 16 * 2 ** 20;

/** History rows as a list that stages share: a stage goes on where its base ended, without a copy. */
export interface HistoryChain {
  readonly row: HistoryDraft;
  readonly previous: HistoryChain | null;
  /** Length of all rows' text up to this one. */
  readonly textLength: number;
}

/** The chain with one more row. Throws DOCKERFILE_TOO_LARGE when the rows' text has no end. */
export function appendHistory(chain: HistoryChain | null, row: HistoryDraft): HistoryChain {
  const length = row.kind === "base" ? row.row.createdBy.length : row.createdBy.length;
  const textLength = (chain?.textLength ?? 0) + length;
  if (textLength > maxTextLength)
    throw new BuildError(
      "DOCKERFILE_TOO_LARGE",
      `image history is too long: got ${textLength} characters, want at most ${maxTextLength}`,
      {
        hint: "declare fewer or shorter ARGs: their values are part of every RUN's history row",
      },
    );
  return { row, previous: chain, textLength };
}

/** The rows, oldest first. */
export function historyRows(chain: HistoryChain | null): readonly HistoryDraft[] {
  const rows: HistoryDraft[] = [];
  for (let at = chain; at !== null; at = at.previous) rows.push(at.row);
  return rows.reverse();
}
