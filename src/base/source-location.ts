/** A run of lines in a Dockerfile. */
export interface SourceLocation {
  /** Path of the Dockerfile as the user named it; `-` for stdin. */
  readonly file: string;
  /** First line, counted from 1. */
  readonly startLine: number;
  /** Last line, counted from 1, inclusive. */
  readonly endLine: number;
}
