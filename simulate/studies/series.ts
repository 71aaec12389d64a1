import type { Bin, Recording } from '../recording.ts';
import type { Pass } from '../route.ts';

/** How much there was of something in all bins. */
export const total = (bins: readonly Bin[], count: (bin: Bin) => number): number =>
  bins.reduce((sum, bin) => sum + count(bin), 0);

/** The same for each bin, per second. */
export const perSec = (bins: readonly Bin[], binMs: number, count: (bin: Bin) => number): number[] =>
  bins.map((bin) => (count(bin) * 1000) / binMs);

/** Bins between two moments. */
export const between = (bins: readonly Bin[], binMs: number, fromMs: number, untilMs: number): readonly Bin[] =>
  bins.slice(fromMs / binMs, untilMs / binMs);

/** For each bin those that came through then. */
export function passesByBin(passes: readonly Pass[], binMs: number, binCount: number): readonly (readonly Pass[])[] {
  const byBin: Pass[][] = Array.from({ length: binCount }, () => []);
  for (const pass of passes) byBin[Math.floor(pass.atMs / binMs)]?.push(pass);
  return byBin;
}

/** A share for people. */
export const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;

/** That of a stream, which there is. */
export function recordingOf(recordings: ReadonlyMap<string, Recording>, stream: string): Recording {
  const recording = recordings.get(stream);
  if (recording === undefined) throw new Error(`there is no stream ${stream}`);
  return recording;
}
