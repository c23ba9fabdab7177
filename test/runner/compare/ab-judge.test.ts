import t from 'tap';
import { judgeAb, type AbOptions, type RunPlace, type Side } from '../../../runner/compare/ab-judge.js';
import type { Cell, RunTable } from '../../../runner/compare/run-table.js';
import { countWords, exitOfVerdict, type Verdict } from '../../../runner/compare/verdict.js';
import { Random } from '../../../scripts/bench/random.js';

const NUM_KEYS = 40;
const options: AbOptions = {
  numPairs: 6,
  numFreshPairs: 10,
  thresholdPct: 3,
  resolutionPct: 10,
  keyThresholds: [],
};

/** Logarithm of a key's time in the n-th run. */
type TimeOf = (side: Side, key: number, run: number, random: Random) => number | undefined;

interface Asked {
  readonly verdict: Verdict;
  readonly places: readonly RunPlace[];
}

async function ask(seed: number, timeOf: TimeOf, stopAfter = Infinity): Promise<Asked> {
  const random = new Random(seed);
  const places: RunPlace[] = [];
  const measure = async (place: RunPlace): Promise<RunTable | undefined> => {
    if (places.length >= stopAfter) return undefined;
    const run = places.push(place) - 1;
    const keys = Array.from({ length: NUM_KEYS }, (_, key) => key);
    const cells = keys.map((key): [string, Cell] => [
      ['kind', `job${key}`, '{}', '2', 'total', 'host', 'x'].join('\u0000'),
      { status: 'ok', log: timeOf(place.side, key, run, random), series: '0', point: key, job: {} },
    ]);
    const machine = {
      device: 'host',
      deviceName: 'x',
      cpuModel: null,
      driverMajor: null,
      nccl: null,
      mpi: null,
    };
    return {
      name: `r${run}`,
      startedAt: new Date(run),
      machine: { ...machine, layout: '2' },
      cells: new Map(cells),
      problems: [],
    };
  };
  return { verdict: await judgeAb(measure, options), places };
}

const noise = (random: Random, size: number): number => size * random.normal();

t.test('equal builds are never accused, whatever the noise', async (t) => {
  for (const size of [0.005, 0.01, 0.03, 0.06]) {
    for (let seed = 1; seed <= 25; seed += 1) {
      const { verdict } = await ask(seed, (_side, _key, _run, random) => noise(random, size));
      const { regressed, improved } = countWords(verdict.keys);
      if (regressed + improved > 0)
        t.fail(`noise ${size}, seed ${seed}: ${regressed} regressed, ${improved} improved`);
      if (size <= 0.01) t.equal(exitOfVerdict(verdict), 0, `noise ${size}: a steady machine passes`);
    }
  }
});

t.test(
  'one slower key is found by fresh pairs of only its point, and the mirror image is improved',
  async (t) => {
    const slower =
      (side: Side): TimeOf =>
      (own, key, run, random) =>
        0.02 * run + noise(random, 0.01) + (own === side && key === 7 ? Math.log(1.06) : 0);
    const { verdict, places } = await ask(3, slower('b'));
    t.match(
      countWords(verdict.keys),
      { regressed: 1, equal: NUM_KEYS - 1 },
      'drift of 2 % a run cancels out',
    );
    t.equal(exitOfVerdict(verdict), 5);
    const found = verdict.keys.find(({ word }) => word === 'regressed');
    t.match(found, { basis: 'confirmed', numPairs: 10, slowerShare: 1 });
    t.ok(Math.abs((found?.estimate?.changePct ?? 0) - 6) < 2);
    t.equal(
      places
        .map(({ side }) => side)
        .join('')
        .slice(0, 12),
      'abbaabbaabba',
    );
    const fresh = places.filter(({ stage }) => stage === 2);
    t.equal(fresh.length, 20);
    t.ok(fresh.every(({ points }) => points?.includes(7) && points.length < 5));
    const mirror = await ask(3, slower('a'));
    t.match(countWords(mirror.verdict.keys), { improved: 1, equal: NUM_KEYS - 1 });
    t.equal(exitOfVerdict(mirror.verdict), 0);
  },
);

t.test(
  'where equal builds alternate between two speeds, the control trips and there is no verdict',
  async (t) => {
    // Every second pair of runs is slower: within pairs nothing differs, between neighbouring pairs of one side it does.
    const unsteady: TimeOf = (_side, key, run, random) =>
      noise(random, 0.002) + (key === 7 ? 0.1 * (Math.floor(run / 2) % 2) : 0);
    const { verdict } = await ask(5, unsteady);
    t.match(countWords(verdict.keys), { regressed: 0, improved: 0 });
    t.equal(verdict.controlTripped, true);
    t.equal(exitOfVerdict(verdict), 6);
    // Of 9 neighbours 5 are left, which just reach the level; those without a figure must not count.
    const gaps = await ask(5, (side, key, run, random) =>
      key === 7 && run >= 2 * (options.numPairs + 6) ? undefined : unsteady(side, key, run, random),
    );
    t.equal(gaps.verdict.controlTripped, true, 'what was not measured is left out');
  },
);

t.test(
  'what is cut short is not a verdict, and a flagged key that was not measured again is too noisy',
  async (t) => {
    const slower: TimeOf = (side, key, _run, random) =>
      noise(random, 0.002) + (side === 'b' && key === 7 ? 0.1 : 0);
    const { verdict } = await ask(1, slower, 15);
    t.equal(exitOfVerdict(verdict), 6);
    t.match(verdict.keys.find(({ word }) => word === 'too noisy')?.why, /flagged, but not measured again/);
    t.match(verdict.problems, [/ended early: 6 of 6 pairs, 1 fresh ones/]);
  },
);

t.test('a key that the fresh pairs did not measure stays open', async (t) => {
  const numFirst = 2 * options.numPairs;
  const { verdict } = await ask(3, (side, key, run, random) => {
    if (key === 7 && run >= numFirst) return undefined;
    return noise(random, 0.01) + (side === 'b' && key === 7 ? Math.log(1.2) : 0);
  });
  t.match(
    verdict.keys.find(({ key }) => key.startsWith('job7 ')),
    {
      word: 'too noisy',
      basis: 'none',
      estimate: null,
      numPairs: 0,
      why: 'flagged, and not measured in the fresh pairs',
    },
  );
});
