import type { OnBytes } from "../output/count-bytes.ts";
import { formatSize } from "./format-size.ts";

/** Runs `work` with a spinner on stderr; on anything but a terminal nothing is shown. */
export async function withSpinner<T>(text: string, work: (say: (text: string) => void) => Promise<T>): Promise<T> {
  // ora never ends clearing the lines of a terminal that has not said how wide it is.
  if (!process.stderr.isTTY || !(process.stderr.columns > 0)) return work(() => {});
  const { default: ora } = await import("ora");
  // Keys typed meanwhile are none of its business.
  const spinner = ora({ text, discardStdin: false }).start();
  try {
    return await work((changed) => {
      spinner.text = changed;
    });
  } finally {
    spinner.stop();
  }
}

/** The same for work that moves bytes: `text`, and how many they are so far. */
export const withByteSpinner = <T>(text: string, work: (onBytes: OnBytes) => Promise<T>): Promise<T> =>
  withSpinner(text, (say) => work((sizeBytes) => say(`${text} ${formatSize(sizeBytes)}`)));
