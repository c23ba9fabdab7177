/** Defects that are planted into the engine, each of which the simulator must find. */
// small worlds: no process is started but the simulator's own
import { join } from 'node:path';
import t from 'tap';
import { run } from '../helpers/run-cli.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { plant, type Defect } from './plant.js';

t.setTimeout(600_000);

interface Planted extends Defect {
  /** The first of those from 1 on that finds it. */
  readonly seed: string;
  /** In every `npm test`; the others with RAILRUNNER_ALL_FAULTS=1. */
  readonly always?: true;
  readonly finding: RegExp;
}

const DEFECTS: readonly Planted[] = [
  {
    name: 'one rank skips the boundary of a stage',
    always: true,
    file: 'engine/point.js',
    from: 'verdicts = await exchanges.atEnd(local.verdict, timeoutMs);',
    to: `verdicts = name === 'verify' && world.info.rank === 1
            ? Array.from({ length: world.info.worldSize }, (_, rank) => ({ ...local.verdict, rank }))
            : await exchanges.atEnd(local.verdict, timeoutMs);`,
    seed: '1',
    finding: /rank 0, point 0, phase 0 is failed, expected ok/,
  },
  {
    name: 'one rank drops the verdict of another',
    always: true,
    file: 'engine/point.js',
    from: 'judge(name, verdicts)',
    to: 'judge(name, world.info.rank === 0 ? verdicts.slice(0, -1) : verdicts)',
    seed: '4',
    finding: /rank 0 makes a gather where ranks 1 make a renewal/,
  },
  {
    name: 'peers are not told of a failure',
    file: 'engine/point.js',
    from: 'await world.native.failEpoch();',
    to: ';',
    seed: '312',
    finding: /rank 0, point 2 says E_TIMEOUT .* expected E_PEER_FAILED/,
  },
  {
    name: 'no new epoch begins after a failure',
    file: 'engine/point.js',
    from: 'await world.native.renew(boundaryGraceMs(world.info));',
    to: ';',
    seed: '29',
    finding: /rank 0, point 2, phase 0 is timeout, expected ok/,
  },
  {
    name: 'a deadline outlives its stage',
    file: 'engine/stage.js',
    from: 'clearTimeout(timer);',
    to: '',
    seed: '1',
    finding: /rank 0 returns and leaves 24 timers/,
  },
  {
    name: 'the rows of a point are written twice',
    file: 'engine/points.js',
    from: 'void run.observers.rowsMade(result.rows);',
    to: 'void run.observers.rowsMade(result.rows), void run.observers.rowsMade(result.rows);',
    seed: '1',
    finding: /point 0 has two rows of phase "phase0"/,
  },
  {
    name: 'the point after one that was not measured gets no row',
    file: 'engine/points.js',
    from: 'run.firstWithoutRow = Math.max(run.firstWithoutRow, end);',
    to: 'run.firstWithoutRow = Math.max(run.firstWithoutRow, end + 1);',
    seed: '37',
    finding: /ended by itself and has no row of point 51/,
  },
  {
    name: 'each rank ends with its own status',
    file: 'engine/end-agreement.js',
    from: 'worstExit(words.map((word) => word.status))',
    to: 'own',
    seed: '7',
    finding: /ranks return 1, 1, 0, 0: expected the same of all/,
  },
  {
    name: 'rows that the disk did not take are dropped',
    file: 'results/csv-file.js',
    from: 'if (this.#pending.length > 0) {',
    to: 'if (false) {',
    seed: '27',
    finding: /rank 1 ended by itself and has no row of point 0/,
  },
  {
    name: 'wrong data counts as good',
    file: 'results/row.js',
    from: "status: check.wrong ? 'wrong' : 'ok'",
    to: "status: 'ok'",
    seed: '7',
    finding: /rank 1, point 2, phase 0 is ok, expected wrong/,
  },
  {
    name: 'the rank that hangs is not named',
    file: 'engine/verdict.js',
    from: 'const isNamed = culprits.length === 1;',
    to: 'const isNamed = false;',
    seed: '10',
    finding: /rank 0, point 2 names rank "" as hung, expected "3"/,
  },
  {
    name: 'a rank that leaves without the others goes on to meet them',
    file: 'engine/points.js',
    from: 'await neverAgain();\n    const result',
    to: 'return EXIT.ok;\n    const result',
    seed: '2627',
    finding: /rank 1 makes a gather where ranks 0 make a allgather/,
  },
  {
    name: 'a step that was given up is not waited for',
    file: 'engine/stage-exchanges.js',
    from: 'const ofStep = await this.#ofStep;',
    to: 'const ofStep = undefined;',
    seed: '95',
    finding: /rank 0 makes a renewal where ranks/,
  },
];

const runsAll = process.env['RAILRUNNER_ALL_FAULTS'] === '1';

for (const defect of DEFECTS) {
  const { name, seed, finding, always } = defect;
  const skip = always || runsAll ? false : 'needs RAILRUNNER_ALL_FAULTS=1';
  t.test(`seed ${seed} finds that ${name}, and says how to repeat it`, { skip }, async (t) => {
    await withTempDir(async (folder) => {
      const program = plant(defect, join(folder, 'planted'));
      const { status, stdout } = await run(process.execPath, [program, '--seed', seed]);
      t.equal(status, 1);
      t.match(stdout, finding);
      t.match(stdout, `repeat it with --seed ${seed}`);
    });
  });
}
