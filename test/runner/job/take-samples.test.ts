/** Points that go on until their noise is low: ranks of one process, with times that are made up. */
import t from 'tap';
import type { PointContext } from '../../../runner/job/context.js';
import { nextBatch, type SoFar } from '../../../runner/job/next-batch.js';
import { takeSamples, type Sampled } from '../../../runner/job/take-samples.js';
import type { StoppingRule } from '../../../runner/job-spec/types.js';
import type { MeasuredPhases, Phase, SampleOptions } from '../../../runner/native/types/index.js';
import { Random } from '../../../scripts/bench/random.js';

const RULE: StoppingRule = { maxNoisePct: 1, minIterations: 50, maxIterations: 3000, maxSeconds: 1e6 };
const BYTES = { payload: 8, self: 0, ipc: 0, network: 0, pcie: 0, disk: 0 };

type Times = (sample: number, rank: number) => number;

const phaseOf = (phase: string, timesUs: Float64Array): Phase => ({
  phase,
  timing: 'host',
  direction: '',
  timesUs,
  entrySkewUs: timesUs.map(() => 0),
  bytes: BYTES,
});

/** What each rank of a world took, and the calls of rank 0. */
async function sampledBy(
  ranks: number,
  times: Readonly<Record<string, Times>>,
  rule: StoppingRule = RULE,
  stopAt = Infinity,
  remainingMs: (rank: number) => number = () => 1e9,
): Promise<{ readonly sampled: Sampled<MeasuredPhases>[]; readonly calls: SampleOptions[] }> {
  const calls: SampleOptions[] = [];
  const meeting: { words: string[]; resolve: ((words: string[]) => void)[] } = { words: [], resolve: [] };
  const tell = (rank: number, word: string): Promise<string[]> =>
    new Promise((resolve) => {
      meeting.words[rank] = word;
      meeting.resolve.push(resolve);
      if (meeting.resolve.length < ranks) return;
      const { words, resolve: waiting } = meeting;
      Object.assign(meeting, { words: [], resolve: [] });
      for (const go of waiting) go(words);
    });
  const rankSamples = (rank: number): Promise<Sampled<MeasuredPhases>> => {
    let taken = 0;
    const context = {
      samples: { warmup: 5, iterations: rule.minIterations, freeRunning: false },
      stopping: rule,
      remainingMs: () => remainingMs(rank),
      progress: () => {},
      wordsOfAll: (_: string, word: string) => tell(rank, word),
    } as unknown as PointContext;
    return takeSamples(context, async (options) => {
      if (rank === 0) calls.push(options);
      const first = taken;
      const count = Math.min(options.iterations, stopAt - first);
      taken += count;
      const phases = Object.entries(times).map(([name, at]) =>
        phaseOf(
          name,
          Float64Array.from({ length: count }, (__, index) => at(first + index, rank)),
        ),
      );
      return {
        phases: phases.filter(({ timesUs }) => !timesUs.includes(NaN)),
        stopped: count < options.iterations,
      };
    });
  };
  return { sampled: await Promise.all(Array.from({ length: ranks }, (_, rank) => rankSamples(rank))), calls };
}

const noisy = (seed: number, spread: number): Times => {
  const randoms = new Map<number, Random>();
  return (_, rank) => {
    const random = randoms.get(rank) ?? new Random(seed + rank);
    randoms.set(rank, random);
    return 100 * Math.exp(spread * random.normal());
  };
};

/** The same of every rank. */
const alike = (ranks: number, own: object): object[] => Array.from({ length: ranks }, () => own);

t.test('calm samples end with the first batch, noisy ones late, on every rank alike', async (t) => {
  const calm = await sampledBy(3, { total: noisy(1, 0.001) });
  t.match(calm.sampled, alike(3, { iterations: 50, stoppedBy: 'noise', stopped: false }));
  t.same(calm.calls, [{ warmup: 5, iterations: 50, freeRunning: false }]);
  const rough = await sampledBy(3, { total: noisy(2, 0.15) });
  const [{ iterations, stoppedBy }] = rough.sampled as [Sampled<MeasuredPhases>];
  t.equal(stoppedBy, 'noise');
  t.ok(iterations >= 200, `${iterations}`);
  for (const own of rough.sampled) {
    t.match(own, { iterations, stoppedBy });
    t.equal(own.phases[0]?.timesUs.length, iterations);
    t.equal(own.phases[0]?.entrySkewUs.length, iterations);
  }
  t.same(
    rough.calls.map(({ warmup }) => warmup),
    [5, ...rough.calls.slice(1).map(() => 0)],
    'only the first batch warms up',
  );
  t.same(
    rough.calls.map((call) => call.iterations),
    [50, ...rough.calls.slice(1).map((_, batch) => 50 * 2 ** batch)],
    'each batch is as long as all before it',
  );
});

t.test('noise never low: as many as maxIterations, in the order taken', async (t) => {
  const { sampled, calls } = await sampledBy(2, { total: noisy(3, 0.3) }, { ...RULE, maxNoisePct: 1e-9 });
  t.match(sampled, alike(2, { iterations: 3000, stoppedBy: 'maxIterations' }));
  t.equal(calls.at(-1)?.iterations, 3000 - 1600);
  const counted = await sampledBy(1, { total: (sample) => 1 + sample }, { ...RULE, maxNoisePct: 1e-9 });
  t.same(
    Array.from(counted.sampled[0]?.phases[0]?.timesUs ?? []),
    Array.from({ length: 3000 }, (_, sample) => 1 + sample),
  );
});

t.test('drift goes on, and one rank that is noisy is enough', async (t) => {
  const drift = await sampledBy(2, { total: (sample) => 100 * (1 + sample / 1000) });
  t.match(drift.sampled, alike(2, { iterations: 3000, stoppedBy: 'maxIterations' }));
  const slow = noisy(5, 0.4);
  const one = await sampledBy(4, { total: (sample, rank) => (rank === 2 ? 3 * slow(sample, rank) : 100) });
  t.ok((one.sampled[0]?.iterations ?? 0) >= 800, `${one.sampled[0]?.iterations}`);
  // Noise of a rank that is never the last to end is no noise of the whole.
  const quick = noisy(6, 0.4);
  const hidden = await sampledBy(4, {
    total: (sample, rank) => (rank === 2 ? 0.01 * quick(sample, rank) : 100),
  });
  t.match(hidden.sampled, alike(4, { iterations: 50, stoppedBy: 'noise' }));
});

t.test('the whole decides where there is one, else every part; idle ranks take part', async (t) => {
  const noise = noisy(7, 0.5);
  const parts = { load: noise, total: (): number => 100 };
  t.match((await sampledBy(2, parts)).sampled[0], { iterations: 50, stoppedBy: 'noise' });
  const halves = { dispatch: noisy(8, 0.3), combine: (): number => 100 };
  t.ok(((await sampledBy(2, halves)).sampled[0]?.iterations ?? 0) > 400);
  const idle = await sampledBy(3, { total: (sample, rank) => (rank === 1 ? NaN : 100 + (sample % 2)) });
  t.match(idle.sampled, alike(3, { iterations: 50, stoppedBy: 'noise' }));
});

t.test('at equal totals the median of a noisy point varies less than with equal numbers', async (t) => {
  const medianOf = (times: Float64Array): number => times.toSorted()[Math.ceil(times.length / 2) - 1] ?? NaN;
  const variation = (values: readonly number[]): number => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return (
      Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)) / mean
    );
  };
  const rule = { ...RULE, maxNoisePct: 2 };
  const [stopped, fixed]: [number[], number[]] = [[], []];
  for (let run = 0; run < 20; run += 1) {
    const take = async (spread: number): Promise<Sampled<MeasuredPhases> | undefined> =>
      (await sampledBy(1, { total: noisy(100 * run, spread) }, rule)).sampled[0];
    const [steady, rough] = [await take(0.01), await take(0.3)];
    const total = (steady?.iterations ?? 0) + (rough?.iterations ?? 0);
    t.ok(total > 400, `${total}`);
    stopped.push(medianOf(rough?.phases[0]?.timesUs ?? new Float64Array()));
    const other = noisy(100 * run + 50, 0.3);
    fixed.push(medianOf(Float64Array.from({ length: total / 2 }, (_, sample) => other(sample, 0))));
  }
  t.ok(variation(stopped) < 0.85 * variation(fixed), `${variation(stopped)} and ${variation(fixed)}`);
});

t.test('a rank that is close to its deadline ends the point for all', async (t) => {
  const times = { total: noisy(12, 0.3) };
  const { sampled } = await sampledBy(3, times, RULE, Infinity, (rank) => (rank === 1 ? 1e-6 : 1e9));
  t.match(sampled, alike(3, { iterations: 50, stoppedBy: 'maxSeconds' }));
});

t.test('a run that is told to stop in a batch keeps what it has, and gives no reason', async (t) => {
  const rule = { ...RULE, maxNoisePct: 1e-9 };
  for (const [stopAt, finished] of [
    [20, 50],
    [333, 200],
    [400, 400],
  ] as const) {
    const { sampled } = await sampledBy(2, { total: noisy(9, 0.2) }, rule, stopAt);
    for (const own of sampled) {
      t.match(own, { stopped: true, iterations: finished });
      t.notOk('stoppedBy' in own);
      t.equal(own.phases[0]?.timesUs.length, stopAt);
    }
  }
});

t.test('ranks that took other numbers of samples are named', async (t) => {
  const world = sampledBy(2, { total: (sample, rank) => (rank === 1 ? -1 : sample) });
  await t.rejects(world, { code: 'E_STATE', message: /rank 1, total host : expected 50 times/ });
});

t.test('what comes next, over everything that can be', async (t) => {
  const random = new Random(11);
  const upTo = (most: number): number => Math.floor(random.uniform() * most);
  for (let trial = 0; trial < 2000; trial += 1) {
    const maxIterations = 16 + upTo(5000);
    const rule: StoppingRule = {
      maxNoisePct: 1e-9,
      minIterations: 16 + upTo(maxIterations - 15),
      maxIterations,
      maxSeconds: random.uniform() * 100,
    };
    const secondsPerIteration = random.uniform() ** 4;
    const deadline = 2 * rule.maxSeconds;
    let [taken, elapsedSeconds, batches] = [rule.minIterations, rule.minIterations * secondsPerIteration, 1];
    for (;;) {
      const remainingSeconds = deadline - elapsedSeconds;
      const soFar: SoFar = { taken, noisePct: 5, elapsedSeconds, secondsPerIteration, remainingSeconds };
      const next = nextBatch(rule, soFar);
      if ('stoppedBy' in next) {
        const atMost = next.stoppedBy === 'maxIterations';
        if (atMost !== (taken === maxIterations)) t.fail(`${JSON.stringify({ rule, soFar, next })}`);
        break;
      }
      taken += next.iterations;
      elapsedSeconds += next.iterations * secondsPerIteration;
      batches += 1;
      const good = next.iterations > 0 && taken <= maxIterations && elapsedSeconds <= rule.maxSeconds + 1e-6;
      if (!good || batches > 60) t.fail(`${JSON.stringify({ rule, soFar, next, batches })}`);
      if (batches > 60) break;
    }
  }
  const soFar = {
    taken: 100,
    noisePct: 0.5,
    elapsedSeconds: 1,
    secondsPerIteration: 0.01,
    remainingSeconds: 1e3,
  };
  t.same(nextBatch({ ...RULE, maxNoisePct: 0.5 }, soFar), { stoppedBy: 'noise' }, 'at most, not below');
  t.same(nextBatch(RULE, { ...soFar, noisePct: Infinity }), { iterations: 100 });
  t.same(
    nextBatch(RULE, { ...soFar, noisePct: 2, remainingSeconds: 0.1 }),
    { stoppedBy: 'maxSeconds' },
    'the deadline',
  );
  t.same(nextBatch(RULE, { ...soFar, noisePct: 2, secondsPerIteration: 0 }), { iterations: 100 });
});
