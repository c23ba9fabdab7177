/** Bad specs under a launcher: exit 2 on every rank, every issue said, once and not once per rank, no stack trace. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mpirunCli } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

// small worlds: two ranks that meet no deadline

const LAUNCHERS_OWN_WORDS =
  /primary job|non-zero|terminated|Exit code|EXIT CODE|={10}|-{10}|YOUR APPLICATION/i;

interface BadSpec {
  readonly name: string;
  /** Path of the spec, made in `folder`. */
  readonly make: (folder: string) => string;
  /** What the message must hold. */
  readonly says: readonly RegExp[];
}

const BAD_SPECS: readonly BadSpec[] = [
  {
    name: 'three issues at once',
    make: (folder) =>
      writeSmallSpec(folder, {
        job: { blocks: 0, order: 'suffled', pools: { deviceBlocks: '8', hostBlocks: 8 } },
      }),
    says: [
      /\/jobs\/0\/blocks/,
      /\/jobs\/0\/order/,
      /shuffled/,
      /\/jobs\/0\/pools\/deviceBlocks/,
      /expected/i,
      /received/i,
    ],
  },
  {
    name: 'an impossible pair',
    make: (folder) => writeSmallSpec(folder, { job: { from: 'host', to: 'host' } }),
    says: [/\/jobs\/0/, /host/],
  },
  {
    name: 'more blocks than the pool',
    make: (folder) => writeSmallSpec(folder, { job: { blocks: 9 } }),
    says: [/\/jobs\/0/, /9/, /8/],
  },
  {
    name: 'a root that this world has not',
    make: (folder) => writeSmallSpec(folder, { job: { mode: 'replicated', root: 2 } }),
    says: [/\/jobs\/0\/root/, /0 to 1/, /received: +2/],
  },
  { name: 'a spec that is not there', make: (folder) => join(folder, 'none.json'), says: [/none\.json/] },
  { name: 'a folder', make: (folder) => folder, says: [/folder|directory/] },
  {
    name: 'no JSON',
    make: (folder) => {
      writeFileSync(join(folder, 'broken.json'), '{ "name": "x", }');
      return join(folder, 'broken.json');
    },
    says: [/broken\.json/, /line 1/],
  },
  {
    name: '100 MB',
    make: (folder) => {
      writeFileSync(join(folder, 'large.json'), '{');
      truncateSync(join(folder, 'large.json'), 100_000_000);
      return join(folder, 'large.json');
    },
    says: [/large\.json/, /MiB|MB|bytes/],
  },
];

for (const { name, make, says } of BAD_SPECS) {
  t.test(name, { skip: needsMpi('openmpi') }, async (t) => {
    const folder = t.testdir();
    const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, [
      'run',
      make(folder),
      '--out',
      folder,
      '--run-id',
      'x',
    ]);
    const said = ended.stderr
      .split('\n')
      .filter((line) => !LAUNCHERS_OWN_WORDS.test(line))
      .join('\n');
    t.equal(ended.status, 2, said);
    for (const pattern of says) t.match(said, pattern);
    t.equal(said.split('railrunner:').length, 2, `said once:\n${said}`);
    t.notMatch(said, /\.js:\d+:\d+/, 'no stack trace');
  });
}

t.test('the command line: unknown option', { skip: needsMpi('openmpi') }, async (t) => {
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, ['run', 'x.json', '--bocks', '3']);
  t.equal(ended.status, 2);
  t.match(ended.stderr, /bocks/);
});
