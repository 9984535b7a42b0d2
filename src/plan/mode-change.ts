import { BuildError } from "../base/errors.ts";

/** chmod(1): `u=rwX,go-w` */
const symbolic = /^[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*$/;

/** Throws DOCKERFILE_BAD_ARGUMENT unless `mode` is what `--chmod` takes: octal up to 07777 or chmod(1)'s symbols. */
export function checkModeChange(mode: string): void {
  if (/^\d/.test(mode)) {
    if (/^[0-7]+$/.test(mode) && Number.parseInt(mode, 8) <= 0o7777) return;
    throw new BuildError(
      "DOCKERFILE_BAD_ARGUMENT",
      `invalid chmod parameter: '${mode}'. it should be octal string and between 0 and 07777`,
    );
  }
  if (!symbolic.test(mode))
    throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `invalid chmod parameter: '${mode}': got invalid syntax`, {
      hint: "use an octal mode such as 0755 or symbols such as u=rwX,go=rX",
    });
}
