import { deflateRawSync } from "node:zlib";

const samples = 16;
const sampleBytes = 1024;
/** Of bits a byte: what was compressed or encrypted has 7.98 and more in as many samples, programs 6, texts 5. */
const mostEntropy = 7.9;
const trialBytes = 1 << 16;

/**
 * Whether deflate would gain next to nothing: the bytes are as good as random wherever they are looked at, and a part in the
 * middle does not get smaller. Depends on the bytes alone.
 */
export function isIncompressible(block: Uint8Array): boolean {
  if (block.length < 2 * trialBytes || entropyOf(block) < mostEntropy) return false;
  const middle = block.length >> 1;
  const trial = block.subarray(middle - trialBytes / 2, middle + trialBytes / 2);
  return deflateRawSync(trial, { level: 1 }).length > 0.98 * trialBytes;
}

/** Bits a byte takes, going by how often each occurs in samples from all over the block. */
function entropyOf(block: Uint8Array): number {
  const counts = new Uint32Array(256);
  const step = Math.floor((block.length - sampleBytes) / (samples - 1));
  for (let sample = 0; sample < samples; sample += 1)
    for (const byte of block.subarray(sample * step, sample * step + sampleBytes))
      counts[byte] = (counts[byte] as number) + 1;
  let bits = 0;
  for (const count of counts) if (count > 0) bits += count * Math.log2((samples * sampleBytes) / count);
  return bits / (samples * sampleBytes);
}
