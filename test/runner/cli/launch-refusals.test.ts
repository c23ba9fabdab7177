/** What `launch` refuses itself: the error alone, no line of mpirun, and no folder that a run would have made. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { refuseLaunch, requireStartable } from '../../../runner/cli/refuse-launch.js';
import { tasksLeft } from '../../../runner/preflight/tasks.js';
import { run, railrunner } from '../../helpers/run-cli.js';
import { writeSmallSpec } from '../../helpers/small-spec.js';

const CASES: readonly {
  readonly name: string;
  readonly words: readonly string[];
  readonly status: number;
  readonly says: RegExp;
}[] = [
  {
    name: 'no ranks',
    words: ['-n', '0'],
    status: 2,
    says: /-n: expected a whole number of ranks, 1 or more, received 0/,
  },
  { name: 'half a rank', words: ['-n', '2.5'], status: 2, says: /-n: expected a whole number of ranks/ },
  {
    name: 'more ranks than threads',
    words: ['-n', '99999999'],
    status: 2,
    says: /-n: expected at most \d+ ranks on this machine/,
  },
  {
    name: 'a run id that leaves the folder',
    words: ['-n', '2', '--run-id', '../x'],
    status: 2,
    says: /--run-id: expected a letter/,
  },
  {
    name: 'a run id that is taken',
    words: ['-n', '2', '--run-id', 'taken'],
    status: 3,
    says: /E_RUN_EXISTS: .*taken is there already/,
  },
  {
    name: 'a file for a folder',
    words: ['-n', '2', '--out', 'file'],
    status: 3,
    says: /E_OUTPUT: file cannot be created/,
  },
  {
    name: 'a name that is too long',
    words: ['-n', '2', '--out', 'x'.repeat(300)],
    status: 3,
    says: /E_OUTPUT: .*ENAMETOOLONG/,
  },
  { name: 'a point that is not there', words: ['-n', '2', '--points', '7'], status: 2, says: /--points/ },
  { name: 'a shard of none', words: ['-n', '2', '--shard', '0/0'], status: 2, says: /--shard/ },
];

for (const { name, words, status, says } of CASES) {
  t.test(name, async (t) => {
    const folder = t.testdir();
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'results', 'taken'), { recursive: true });
    const ended = await run(process.execPath, [railrunner, 'launch', writeSmallSpec(folder), ...words], {
      cwd: folder,
    });
    t.equal(ended.status, status, ended.stderr);
    t.match(ended.stderr, says);
    t.match(ended.stderr, /^railrunner: E_[A-Z_]+: [^\n]*\n$/, 'one line');
    t.equal(ended.stdout, '', 'mpirun was not reached');
    t.notOk(existsSync(join(folder, 'x')));
  });
}

t.test('a run is named before it starts, one that is resumed has its name', async (t) => {
  const spec = writeSmallSpec(t.testdir());
  const lineOf = async (...words: string[]): Promise<string> => {
    const { stdout } = await run(process.execPath, [
      railrunner,
      'launch',
      '-n',
      '2',
      '--print-only',
      spec,
      ...words,
    ]);
    return stdout;
  };
  t.match(
    await lineOf('--timeout', '5'),
    / --timeout 5 --run-id \d{8}T\d{6}Z-[0-9a-f]{8}\n$| --run-id \d{8}T\d{6}Z-[0-9a-f]{8}/,
  );
  t.notMatch(await lineOf('--resume', 'results/x'), /--run-id/);
});

t.test('the folder of a run that is resumed is not made', async (t) => {
  const folder = t.testdir();
  await refuseLaunch({
    numRanks: 1,
    specPath: writeSmallSpec(folder),
    load: { kinds: JOB_KINDS },
    outFolder: join(folder, 'results'),
    runId: undefined,
    resume: join(folder, 'results', 'x'),
    selection: { shard: undefined, points: undefined },
    variables: {},
  });
  t.notOk(existsSync(join(folder, 'results')));
});

t.test('the limit of threads that binds is named', async (t) => {
  t.doesNotThrow(() => requireStartable(9, { tasks: 100, source: 'pids.max' }));
  t.throws(() => requireStartable(10, { tasks: 100, source: 'pids.max' }), {
    code: 'E_USAGE',
    message: /expected at most 9 ranks .* where 100 more threads may be made \(pids.max\).* received 10/,
  });
  const { tasks, source } = tasksLeft();
  t.ok(tasks > 0 && tasks < 2 ** 23 && source !== '', `${tasks} by ${source}`);
});
