import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TarSink } from "../../src/layer/tar-sink.ts";
import { useTemporaryDirectory } from "../support/temporary-directory.ts";
import { thrownBy } from "../support/thrown-by.ts";

const bufferBytes = 1000;

/** Hands pieces to a sink as a writer does: each in the buffer that it gave back last. Returns what `finish` says. */
function fill(sink: TarSink, pieces: readonly Buffer[]): string {
  let buffer = Buffer.allocUnsafeSlow(bufferBytes);
  for (const piece of pieces) {
    piece.copy(buffer);
    buffer = sink.take(buffer, piece.length);
    expect(buffer.length).toBe(bufferBytes);
  }
  return sink.finish();
}

const piecesOf = (count: number): readonly Buffer[] =>
  Array.from({ length: count }, (_, at) => Buffer.alloc(at % 3 === 1 ? 17 : bufferBytes, `piece ${at};`));

/** What every TarSink promises; `make` opens one for a file that is to be created, or for none. */
export function describeTarSink(name: string, make: (file: string | null) => TarSink): void {
  describe(name, () => {
    const temporary = useTemporaryDirectory();

    test.each([0, 1, 3, 4, 5, 12, 13, 200])("hashes and writes %i pieces in their order", (count) => {
      const pieces = piecesOf(count);
      const whole = Buffer.concat(pieces);
      const file = join(temporary.path, "tar");
      expect(fill(make(file), pieces)).toBe(createHash("sha256").update(whole).digest("hex"));
      expect(readFileSync(file).equals(whole)).toBe(true);
    });

    test.each([2, 50])("only hashes %i pieces without a file", (count) => {
      const pieces = piecesOf(count);
      expect(fill(make(null), pieces)).toBe(createHash("sha256").update(Buffer.concat(pieces)).digest("hex"));
    });

    test.each([1, 50])("tells when the file of %i pieces cannot be made, and touches none that is there", (count) => {
      const file = join(temporary.path, "tar");
      writeFileSync(file, "of somebody else");
      expect(thrownBy(() => fill(make(file), piecesOf(count))).message).toContain(file);
      expect(thrownBy(() => fill(make(join(temporary.path, "none/tar")), piecesOf(count))).message).toContain(
        "none/tar",
      );
      expect(readFileSync(file, "utf8")).toBe("of somebody else");
    });

    test.each([0, 2, 50])("can be abandoned after %i pieces", (count) => {
      mkdirSync(join(temporary.path, "work"));
      const sink = make(join(temporary.path, "work/tar"));
      let buffer = Buffer.allocUnsafeSlow(bufferBytes);
      for (let at = 0; at < count; at += 1) buffer = sink.take(buffer, bufferBytes);
      expect(() => sink.abandon()).not.toThrow();
      expect(existsSync(join(temporary.path, "work"))).toBe(true);
    });
  });
}
