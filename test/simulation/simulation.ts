/** The world of a seed: its ranks run the real engine (runner/engine) in this process, under virtual time. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Launcher } from '../../runner/environment/launcher.js';
import { runOnThisRank } from '../../runner/engine/run.js';
import type { RankProcess } from '../../runner/engine/rank-process.js';
import type { Measurement } from '../../runner/job/measurement.js';
import { itemAt } from '../../runner/values/items.js';
import { MpiWorld } from '../../runner/world/world.js';
import { simulatedAddon } from './addon.js';
import { VirtualClock } from './clock.js';
import { Rounds } from './control-plane.js';
import { closeFiles, replaceFiles } from './file-calls.js';
import { Heartbeats } from './heartbeats.js';
import { simulatedKinds } from './kind.js';
import type { RankUnderTest } from './kind-steps.js';
import { SimulatedLauncher } from './launcher.js';
import { Meetings, NativeWork } from './native-work.js';
import type { Plan } from './plan.js';
import { Random } from './random.js';
import { ProcessEnded, SimulatedProcess, type ProcessEnd } from './rank-context.js';
import { RankWorld } from './rank-world.js';
import { faultsOf, infoOf, RUN_ID, specOf } from './setup.js';
import { replaceTime } from './system-calls.js';

/** No run of a plan lasts longer, whatever happens in it: longer waits have no end. */
const LIMIT_MS = 600_000;

/** What became of one rank. */
export interface RankOutcome {
  readonly rank: number;
  readonly end: ProcessEnd | undefined;
  readonly output: string;
  readonly calls: readonly string[];
  readonly measured: ReadonlyMap<number, readonly Measurement[]>;
  readonly deadRank: number;
  /** When it ended by itself: timers that still ran, files that were open, calls without an answer. */
  readonly leftOver: readonly string[];
}

export interface Outcome {
  readonly plan: Plan;
  /** Holds the folder of the run, and what was rescued from it. */
  readonly folder: string;
  readonly ranks: readonly RankOutcome[];
  readonly violations: readonly string[];
  readonly numEvents: number;
  readonly simulatedMs: number;
  readonly traceHash: string;
}

let active: Simulation | undefined;

/** Once per program. */
export function interpose(): void {
  replaceTime();
  replaceFiles((rank) => active?.isAlive(rank) ?? false);
  process.on('unhandledRejection', (reason) => active?.unhandled('a rejection that nobody handles', reason));
  process.on('uncaughtException', (error) => active?.unhandled('an exception that nobody catches', error));
}

class Simulation {
  readonly #plan: Plan;
  readonly #clock: VirtualClock;
  readonly #processes: SimulatedProcess[];
  readonly #worlds: RankWorld[] = [];
  readonly #under: RankUnderTest[];
  readonly #violations: string[] = [];
  readonly #leftOver: string[][] = [];
  readonly #folder: string;

  constructor(plan: Plan, folder: string, prints: boolean) {
    this.#plan = plan;
    this.#folder = folder;
    this.#clock = new VirtualClock(prints);
    const { seed, hosts } = plan;
    const launcher = (): SimulatedLauncher => theLauncher;
    this.#processes = hosts.map(
      (host, rank) =>
        new SimulatedProcess({ rank, host }, this.#clock, new Random(seed, `rank ${rank}`), ({ end }) => {
          this.#leftOver[rank] = this.#leftBy(rank);
          launcher().ended(end?.how !== 'killed' && this.#worlds[rank]?.isFinalized === true);
        }),
    );
    const theLauncher = new SimulatedLauncher(plan.launcher, this.#clock, this.#processes);
    const violate = (what: string): void => this.violate(what);
    const rounds = new Rounds(hosts.length, violate);
    const heartbeats = new Heartbeats(this.#clock, new Random(seed, 'heartbeats'));
    const shared = { rounds, heartbeats, ranks: this.#worlds, violate };
    const meetings = new Meetings();
    for (const process of this.#processes) {
      const world = new RankWorld(infoOf(plan, process.rank), process, shared);
      this.#worlds.push(world);
      heartbeats.join(world);
    }
    heartbeats.start();
    this.#under = this.#worlds.map((world) => ({
      world,
      work: new NativeWork(world, meetings),
      measured: new Map(),
    }));
  }

  isAlive(rank: number): boolean {
    return itemAt(this.#processes, rank).isAlive;
  }

  violate(what: string): void {
    this.#clock.trace('simulation', `VIOLATION: ${what}`);
    this.#violations.push(what);
  }

  unhandled(what: string, reason: unknown): void {
    if (reason instanceof ProcessEnded) return;
    const text = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    this.violate(`${this.#clock.running?.name ?? 'the simulator'}: ${what}: ${text}`);
  }

  async run(): Promise<Outcome> {
    const specPath = join(this.#folder, 'spec.json');
    writeFileSync(specPath, JSON.stringify(specOf(this.#plan)));
    for (const process of this.#processes) {
      process.fileFaults = faultsOf(this.#plan, process.rank);
      process.after(process.random.time(0, 20), () => void this.#runRank(process, specPath));
    }
    this.#planEvents();
    const isOver = await this.#clock.run(LIMIT_MS, () => this.#processes.every(({ isAlive }) => !isAlive));
    if (!isOver) {
      for (const { name } of this.#processes.filter(({ isAlive }) => isAlive))
        this.violate(`${name} has not ended`);
    }
    await turn();
    for (const process of this.#processes) closeFiles(process);
    return {
      plan: this.#plan,
      folder: this.#folder,
      ranks: this.#under.map(({ world, measured }, rank) => ({
        rank,
        end: world.process.end,
        output: world.process.output,
        calls: world.calls,
        measured,
        deadRank: world.deadRank(),
        leftOver: this.#leftOver[rank] ?? [],
      })),
      violations: this.#violations,
      numEvents: this.#clock.numEvents,
      simulatedMs: this.#clock.nowMs,
      traceHash: this.#clock.traceHash(),
    };
  }

  #leftBy(rank: number): string[] {
    const { timers, openFiles } = itemAt(this.#processes, rank);
    return [
      ...(timers.size > 0 ? [`${timers.size} timers`] : []),
      ...[...openFiles.values()].map((path) => `${path} open`),
      ...(itemAt(this.#worlds, rank).isQuiet ? [] : ['a call of the control plane']),
    ];
  }

  async #runRank(process: SimulatedProcess, specPath: string): Promise<void> {
    const rank = this.#processFor(process);
    const kinds = simulatedKinds(this.#plan, (of) => itemAt(this.#under, of));
    try {
      const status = await runOnThisRank(
        {
          specPath,
          outFolder: join(this.#folder, 'results'),
          runId: RUN_ID,
          resume: undefined,
          selection: { shard: undefined, points: undefined },
          kinds,
          load: { kinds },
        },
        rank,
      );
      process.finish({ how: 'returned', status, atMs: this.#clock.nowMs });
    } catch (error) {
      process.finish({ how: 'threw', error, atMs: this.#clock.nowMs });
    }
  }

  #processFor(process: SimulatedProcess): RankProcess {
    const world = itemAt(this.#worlds, process.rank);
    const addon = simulatedAddon(world, this.#plan);
    const launcher: Launcher = {
      name: 'the simulator',
      speaks: 'openmpi',
      size: this.#processes.length,
      rank: process.rank,
    };
    return {
      launcher: () => launcher,
      addon: () => addon,
      openWorld: async () => {
        await new Promise<void>((resolve) => process.after(process.random.time(1, 30), resolve));
        return new MpiWorld(world, launcher, { 'dist/': '0' });
      },
      signals: process.signals as unknown as RankProcess['signals'],
    };
  }

  #planEvents(): void {
    const { crash, freeze, signal } = this.#plan;
    const clock = this.#clock;
    const end = (process: SimulatedProcess, atMs: number): void =>
      void clock.at(atMs, undefined, () => process.signal('SIGKILL'));
    if (crash) end(itemAt(this.#processes, crash.rank), crash.atMs);
    if (freeze) {
      const process = itemAt(this.#processes, freeze.rank);
      clock.at(freeze.atMs, undefined, () => {
        process.trace('freezes');
        process.frozenUntilMs = clock.nowMs + freeze.forMs;
      });
    }
    for (const [at, rank] of (signal?.ranks ?? []).entries()) {
      const process = itemAt(this.#processes, rank);
      const atMs = (signal?.atMs ?? 0) + at * 0.3;
      clock.at(atMs, undefined, () => process.signal(signal?.signal ?? 'SIGTERM'));
      if (signal?.killsAfterMs !== undefined) end(process, atMs + signal.killsAfterMs);
    }
  }
}

/** Runs a plan in a folder of its own under `parent`, which the caller removes. */
export async function simulate(plan: Plan, parent: string, prints = false): Promise<Outcome> {
  const folder = mkdtempSync(join(parent, 'seed-'));
  mkdirSync(join(folder, 'tmp'));
  process.env['TMPDIR'] = join(folder, 'tmp');
  active = new Simulation(plan, folder, prints);
  try {
    return await active.run();
  } finally {
    active = undefined;
  }
}

export function forget({ folder }: Outcome): void {
  rmSync(folder, { recursive: true, force: true });
}
