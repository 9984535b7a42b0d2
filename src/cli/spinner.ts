import ora from "ora";

/** Runs `work` with a spinner on stderr; on anything but a terminal nothing is shown. */
export async function withSpinner<T>(text: string, work: (say: (text: string) => void) => Promise<T>): Promise<T> {
  const spinner = ora({ text, isSilent: !process.stderr.isTTY }).start();
  try {
    return await work((changed) => {
      spinner.text = changed;
    });
  } finally {
    spinner.stop();
  }
}
