/**
 * `node dist/scripts/bench/false-alarms.js [--keys N] [--rounds N] [--out FILE]`: how often each gate accuses equal builds,
 * and what it finds of slow-downs put in. The runs are simulated: a log-normal time for each run and key, with drift,
 * outliers or two modes, and iterations around it. The same data go to every gate. Raw counts to docs/bench/false-alarms.csv.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'csv-stringify/sync';
import { judgeAb, type Side } from '../../runner/compare/ab-judge.js';
import type { Cell, RunTable } from '../../runner/compare/run-table.js';
import { projectRoot } from '../../runner/project.js';
import { adjustedP } from '../../runner/statistics/false-discovery.js';
import { Random } from './random.js';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '60' },
    out: { type: 'string', default: join(projectRoot, 'docs', 'bench', 'false-alarms.csv') },
  },
});
const numKeys = Number(values.keys);
const numRounds = Number(values.rounds);

interface Machine {
  readonly name: string;
  /** Standard deviation of a run's logarithm. */
  readonly noise: number;
  /** Step of the logarithm per run, common to all keys: a walk. */
  readonly drift?: number;
  /** Share of runs and keys that are 30 % slower. */
  readonly outliers?: number;
  /** Every key is at random 15 % slower in half of its runs. */
  readonly twoModes?: boolean;
}

const MACHINES: readonly Machine[] = [
  { name: 'noise 0.5 %', noise: 0.005 },
  { name: 'noise 1 %', noise: 0.01 },
  { name: 'noise 3 %', noise: 0.03 },
  { name: 'noise 6 %', noise: 0.06 },
  { name: 'noise 1 %, drift 2 % a run', noise: 0.01, drift: 0.02 },
  { name: 'noise 1 %, 5 % of runs 30 % slower', noise: 0.01, outliers: 0.05 },
  { name: 'noise 1 %, two modes 15 % apart', noise: 0.01, twoModes: true },
];

/** Percent by which one key in twenty of B is slower. */
const INJECTED = [0, 5, 10, 15];
const NUM_ITERATIONS = 30;
/** Spread of iterations around their run, as most kinds show it. */
const ITERATION_NOISE = 0.02;

class Simulation {
  readonly #random: Random;
  readonly #machine: Machine;
  readonly #injected: number;
  #numRuns = 0;
  #level = 0;

  constructor(machine: Machine, injectedPct: number, seed: number) {
    this.#random = new Random(seed);
    this.#machine = machine;
    this.#injected = Math.log1p(injectedPct / 100);
  }

  isSlower(key: number): boolean {
    return this.#injected > 0 && key % 20 === 0;
  }

  /** Logarithm of each key's median time in one run. */
  run(side: Side): number[] {
    const { noise, drift = 0, outliers = 0, twoModes = false } = this.#machine;
    this.#numRuns += 1;
    this.#level += drift * this.#random.normal();
    return Array.from({ length: numKeys }, (_, key) => {
      const slow = this.#random.uniform() < outliers ? Math.log(1.3) : 0;
      const mode = twoModes && this.#random.uniform() < 0.5 ? Math.log(1.15) : 0;
      const change = side === 'b' && this.isSlower(key) ? this.#injected : 0;
      return 5 + this.#level + noise * this.#random.normal() + slow + mode + change;
    });
  }

  table(side: Side): RunTable {
    const logs = this.run(side);
    const cells = logs.map((log, key): [string, Cell] => [
      ['kind', `job${key}`, '{}', '2', 'total', 'host', 'x'].join('\u0000'),
      { status: 'ok', log, series: '0', point: key, job: {} },
    ]);
    const machine = {
      device: 'host',
      deviceName: 'simulated',
      cpuModel: null,
      driverMajor: null,
      nccl: null,
      mpi: null,
      layout: '2',
    };
    return {
      name: `run-${this.#numRuns}`,
      startedAt: new Date(1000 * this.#numRuns),
      machine,
      cells: new Map(cells),
      problems: [],
    };
  }

  iterations(log: number): number[] {
    return Array.from({ length: NUM_ITERATIONS }, () => log + ITERATION_NOISE * this.#random.normal());
  }
}

/** What a gate says of each key: accused or not, and whether it admits that it cannot tell. */
interface Answer {
  readonly accused: ReadonlySet<number>;
  readonly tooNoisy: number;
  readonly tripped?: boolean;
}

type Gate = (simulation: Simulation) => Promise<Answer>;

const ab: Gate = async (simulation) => {
  const verdict = await judgeAb(async ({ side }) => simulation.table(side), {
    numPairs: 6,
    numFreshPairs: 10,
    thresholdPct: 3,
    resolutionPct: 10,
    keyThresholds: [],
  });
  const number = (key: string): number => Number(/^job(\d+)/.exec(key)?.[1]);
  const accused = verdict.keys.filter((key) => key.word === 'regressed').map((key) => number(key.key));
  return {
    accused: new Set(verdict.controlTripped ? [] : accused),
    tooNoisy: verdict.keys.filter((key) => key.word === 'too noisy').length,
    tripped: verdict.controlTripped,
  };
};

const ratio =
  (limit: number): Gate =>
  async (simulation) => {
    const [a, b] = [simulation.run('a'), simulation.run('b')];
    const accused = a.flatMap((log, key) => ((b[key] as number) - log > Math.log(limit) ? [key] : []));
    return { accused: new Set(accused), tooNoisy: 0 };
  };

/** Mann-Whitney by its normal approximation, which 30 v 30 allow; Benjamini-Hochberg over all keys. */
const iterationTest: Gate = async (simulation) => {
  const [a, b] = [simulation.run('a'), simulation.run('b')];
  const p = a.map((log, key) => {
    const [left, right] = [simulation.iterations(log), simulation.iterations(b[key] as number)];
    const wins = right.reduce((sum, y) => sum + left.filter((x) => y > x).length, 0);
    const n = NUM_ITERATIONS;
    const z = (wins - (n * n) / 2) / Math.sqrt((n * n * (2 * n + 1)) / 12);
    return 1 / (1 + Math.exp(1.5976 * z + 0.070565 * z ** 3));
  });
  const accused = adjustedP(p).flatMap((q, key) => (q <= 0.05 ? [key] : []));
  return { accused: new Set(accused), tooNoisy: 0 };
};

const GATES: readonly (readonly [string, Gate])[] = [
  ['railrunner ab', ab],
  ['ratio of single runs > 1.05', ratio(1.05)],
  ['ratio of single runs > 1.10', ratio(1.1)],
  ['Mann-Whitney on iterations, BH 5 %', iterationTest],
];

const rows: object[] = [];
for (const machine of MACHINES) {
  for (const injected of INJECTED) {
    for (const [gate, judge] of GATES) {
      const counts = { equal: 0, accused: 0, slower: 0, found: 0, tooNoisy: 0, tripped: 0, alarms: 0 };
      for (let round = 0; round < numRounds; round += 1) {
        const simulation = new Simulation(machine, injected, 1 + round);
        const { accused, tooNoisy, tripped = false } = await judge(simulation);
        let wronged = 0;
        for (let key = 0; key < numKeys; key += 1) {
          const slower = simulation.isSlower(key);
          counts[slower ? 'slower' : 'equal'] += 1;
          if (!accused.has(key)) continue;
          if (slower) counts.found += 1;
          else wronged += 1;
        }
        counts.accused += wronged;
        counts.tooNoisy += tooNoisy;
        counts.tripped += tripped ? 1 : 0;
        counts.alarms += wronged > 0 ? 1 : 0;
      }
      rows.push({
        machine: machine.name,
        injected_pct: injected,
        gate,
        comparisons: numRounds,
        equal_keys: counts.equal,
        falsely_accused: counts.accused,
        comparisons_with_false_alarm: counts.alarms,
        slower_keys: counts.slower,
        found: counts.found,
        too_noisy: counts.tooNoisy,
        control_tripped: counts.tripped,
      });
      console.log(JSON.stringify(rows.at(-1)));
    }
  }
}
writeFileSync(values.out, stringify(rows, { header: true }));
