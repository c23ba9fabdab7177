/** The samples of a point: a fixed number in one native call, or batches until the noise of all ranks together is low. */
import { RunnerError } from '../errors.js';
import type { MeasuredPhases, Phase, SampleOptions } from '../native/types/index.js';
import type { StoppingRule } from '../job-spec/types.js';
import { firstOf, itemAt, lastOf } from '../values/items.js';
import { decodeMessage } from '../values/rank-message.js';
import { CompletionTimes, judgedSamples, type BatchWord } from './completion-times.js';
import type { PointContext } from './context.js';
import { nextBatch, type StoppedBy } from './next-batch.js';

/** As one native call would have answered, and what each of them did. */
export interface Sampled<Batch extends MeasuredPhases> extends MeasuredPhases {
  /** Absent: the number was fixed, or the run was told to stop. */
  readonly stoppedBy?: StoppedBy;
  readonly batches: readonly Batch[];
  /** Samples on each rank, those of warm-up not counted. */
  readonly iterations: number;
}

/**
 * Takes a point's samples with `measure`, the operation's own. `together`: every rank measures and so takes part; else this
 * rank decides alone. Only the first batch warms up; between batches, outside of every timed span, ranks tell each other
 * their samples, and all decide alike.
 */
export async function takeSamples<Batch extends MeasuredPhases>(
  context: PointContext,
  measure: (samples: SampleOptions) => Promise<Batch>,
  together = true,
): Promise<Sampled<Batch>> {
  const { samples, stopping } = context;
  const beganMs = performance.now();
  const first = await measure(samples);
  if (stopping === undefined || first.stopped) return joined([first], samples.iterations);
  const batches = [first];
  const completion = new CompletionTimes();
  let options = samples;
  let taken = 0;
  for (let sinceMs = beganMs; ;) {
    const own = ownWord(context, lastOf(batches), options, { beganMs, sinceMs });
    const words = together ? await wordsOfAll(context, own) : [own];
    completion.add(words, options.iterations);
    taken += options.iterations;
    const noisePct = completion.noisePct();
    sayProgress(context, stopping, taken, noisePct);
    const next = nextBatch(stopping, {
      taken,
      noisePct,
      elapsedSeconds: Math.max(...words.map(({ elapsedSeconds }) => elapsedSeconds)),
      secondsPerIteration: Math.max(...words.map(({ secondsPerIteration }) => secondsPerIteration)),
      remainingSeconds: Math.min(...words.map(({ remainingSeconds }) => remainingSeconds)),
    });
    if ('stoppedBy' in next) return { ...joined(batches, taken), stoppedBy: next.stoppedBy };
    options = { ...samples, warmup: 0, iterations: next.iterations };
    sinceMs = performance.now();
    const batch = await measure(options);
    batches.push(batch);
    // All ranks left it at the same sample: there is nothing to agree on.
    if (batch.stopped) return joined(batches, taken);
  }
}

async function wordsOfAll(context: PointContext, own: BatchWord): Promise<BatchWord[]> {
  const texts = await context.wordsOfAll('is the noise low', JSON.stringify(own));
  return texts.map((text, rank) => decodeMessage<BatchWord>(Buffer.from(text), rank));
}

function ownWord(
  context: PointContext,
  { phases }: MeasuredPhases,
  { warmup, iterations }: SampleOptions,
  { beganMs, sinceMs }: { readonly beganMs: number; readonly sinceMs: number },
): BatchWord {
  const nowMs = performance.now();
  return {
    elapsedSeconds: (nowMs - beganMs) / 1e3,
    secondsPerIteration: (nowMs - sinceMs) / 1e3 / (warmup + iterations),
    remainingSeconds: context.remainingMs() / 1e3,
    samples: judgedSamples(phases),
  };
}

function sayProgress(context: PointContext, rule: StoppingRule, taken: number, noisePct: number): void {
  const noise = Number.isFinite(noisePct) ? `${noisePct.toPrecision(2)} %` : 'not known';
  context.progress(taken, rule.maxIterations, `iterations at most, noise ${noise}`);
}

function joined<Batch extends MeasuredPhases>(batches: readonly Batch[], iterations: number): Sampled<Batch> {
  const last = lastOf(batches);
  const phases =
    batches.length === 1
      ? firstOf(batches).phases
      : last.phases.map((_, at) =>
          joinedPhase(
            batches.map((batch) => batch.phases),
            at,
          ),
        );
  return { phases, stopped: last.stopped, batches, iterations };
}

/** Bytes are those of one iteration, and of the last batch as of the last iteration of a single one. */
function joinedPhase(batches: readonly (readonly Phase[])[], at: number): Phase {
  const parts = batches.map((phases) => itemAt(phases, at));
  const last = lastOf(parts);
  const odd = parts.find(
    ({ phase, timing, direction }) =>
      phase !== last.phase || timing !== last.timing || direction !== last.direction,
  );
  if (odd !== undefined) {
    throw new RunnerError(
      'E_STATE',
      `stopping: expected the same phases in every batch, received ${odd.phase} (${odd.timing}) and ${last.phase} (${last.timing})`,
    );
  }
  return {
    ...last,
    timesUs: concatenated(parts.map(({ timesUs }) => timesUs)),
    entrySkewUs: concatenated(parts.map(({ entrySkewUs }) => entrySkewUs)),
  };
}

function concatenated(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
