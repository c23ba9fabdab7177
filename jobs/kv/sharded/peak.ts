/** The limit of a transfer, probed again where the samples beat it: a probe is one short measurement, and a machine that was
 *  busy in that moment makes it too low. */
import type { PointContext } from '../../../runner/job/context.js';
import type { Peak } from '../../../runner/job/measurement.js';
import type { NativeTransfer, ProbeResult } from '../../../runner/native/types/index.js';
import { bandwidthGBps } from '../../../runner/statistics/bandwidth.js';
import { describeSamples } from '../../../runner/statistics/samples.js';

const MAX_PROBES = 5;

export interface ProbedPoint {
  readonly transfer: NativeTransfer;
  /** False where only this rank acts. */
  readonly together: boolean;
  readonly first: ProbeResult;
  readonly payloadBytes: number | undefined;
  /** Of the whole transfer, by each clock that timed it. */
  readonly samplesUs: readonly Float64Array[];
  /** A probe that writes what is verified later cannot be repeated behind the samples. */
  readonly repeatable: boolean;
  /** Why the strategy itself may be quicker than its probe; '' where it cannot. */
  readonly advantage: string;
}

/**
 * Collective where ranks act together: all ranks probe again as long as the samples of any of them beat its limit, at most
 * MAX_PROBES times in all. The largest is taken, for each entry of `samplesUs`. Undefined where the probe saw no time.
 */
export async function settlePeaks(context: PointContext, point: ProbedPoint): Promise<Peak[] | undefined> {
  const { transfer, together, first, payloadBytes, samplesUs, repeatable, advantage } = point;
  const reached = samplesUs.map((samples) => {
    const timeUs = samples.length === 0 ? 0 : describeSamples(samples).p50;
    return bandwidthGBps(payloadBytes, timeUs) ?? 0;
  });
  let { GBps } = first;
  let numProbes = 1;
  const mostProbes = repeatable ? MAX_PROBES : 1;
  for (; numProbes < mostProbes; numProbes += 1) {
    const isBeaten = reached.some((own) => own > GBps);
    const isBeatenAnywhere = together
      ? await context.onAnyRank('is the probe below the samples', isBeaten)
      : isBeaten;
    if (!isBeatenAnywhere) break;
    const again = await transfer.probe();
    GBps = Math.max(GBps, again.GBps);
  }
  if (!(GBps > 0)) return undefined;
  const note = noteOf(numProbes, repeatable, advantage);
  return reached.map((own) => ({ GBps, source: first.source, ...(own > GBps ? { note } : {}) }));
}

function noteOf(numProbes: number, repeatable: boolean, advantage: string): string {
  const probes = repeatable
    ? `above the fastest of ${numProbes} probes around the samples`
    : 'above the one probe before the samples, which cannot be repeated: it writes where the result lies';
  return `${probes}: ${advantage === '' ? 'the machine changed its pace between them' : advantage}`;
}
