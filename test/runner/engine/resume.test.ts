/** What a run that goes on takes over from its folder, and what it refuses; on one rank. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { agreeOnKept, shareEarlierRun, type EarlierRun } from '../../../runner/engine/resume.js';
import type { Selection } from '../../../runner/engine/selection.js';
import { readManifest } from '../../../runner/run-folder/manifest-reader.js';
import type { World } from '../../../runner/world/world.js';
import { syntheticSpec, writeSyntheticRun, type SyntheticRun } from '../../helpers/synthetic-run.js';

const world = {
  info: { rank: 0 },
  native: { report: () => {} },
  allgatherJson: async (value: unknown) => [value],
  broadcastJson: async (value: unknown) => value,
} as unknown as World;

const ALL: Selection = { shard: undefined, points: undefined };

interface Asked {
  readonly run?: Partial<SyntheticRun>;
  readonly selection?: Partial<Selection>;
  /** Of the spec that is to go on. */
  readonly blocks?: number;
}

/** A whole run of four points, and what a run that goes on with it is told. */
async function resume(
  folder: string,
  { run = {}, selection = {}, blocks = 4 }: Asked = {},
): Promise<EarlierRun> {
  const spec = syntheticSpec(folder, { numPoints: 4 });
  const startedAt = '2026-01-02T03:04:05.000Z';
  const path = writeSyntheticRun(folder, {
    runId: 'r',
    spec,
    startedAt,
    cells: () => ({ point_rows: 1 }),
    ...run,
  });
  const { machine } = await readManifest(path);
  const request = {
    path,
    spec: syntheticSpec(folder, { numPoints: 4, job: { blocks } }),
    selection: { ...ALL, ...selection },
    machine,
  };
  return await shareEarlierRun(world, request, async () => {});
}

const manifest = (fields: object): Partial<SyntheticRun> => ({ manifest: fields as Record<string, unknown> });

t.test(
  'a run goes on as what it was: its id, its shard, its points, when it was resumed before',
  async (t) => {
    t.match(await resume(t.testdir()), {
      runId: 'r',
      startedAt: '2026-01-02T03:04:05.000Z',
      resumedAt: [],
      shard: null,
      points: null,
    });
    const before = manifest({ resumedAt: ['2026-01-03'], shard: { index: 1, count: 2 }, points: '0,2' });
    const expected = { resumedAt: ['2026-01-03'], shard: { index: 1, count: 2 }, points: [0, 2] };
    t.match(await resume(t.testdir(), { run: before }), expected, 'also where nobody says so again');
    const same = { shard: { index: 1, count: 2 }, points: [0, 2] };
    t.match(await resume(t.testdir(), { run: before, selection: same }), expected);
  },
);

t.test('what is not the same run is refused with what it was', async (t) => {
  const shard = manifest({ shard: { index: 1, count: 2 } });
  const points = manifest({ points: '0,2-3' });
  const refused: [string, Asked, RegExp][] = [
    [
      'another spec',
      { blocks: 2 },
      /it ran the spec with digest \w{12}, this one has \w{12}: resume with the same/,
    ],
    ['an older schema', { run: { schemaVersion: 1 } }, /schema version 1, this railrunner writes 2/],
    [
      'another shard',
      { run: shard, selection: { shard: { index: 2, count: 2 } } },
      /it is shard 1\/2, not 2\/2/,
    ],
    [
      'of more shards',
      { run: shard, selection: { shard: { index: 1, count: 3 } } },
      /it is shard 1\/2, not 1\/3/,
    ],
    ['a shard of all', { selection: { shard: { index: 2, count: 2 } } }, /it is shard 1\/1, not 2\/2/],
    ['some points of all', { selection: { points: [1] } }, /it takes all points, not 1;/],
    ['other points', { run: points, selection: { points: [1] } }, /it takes the points 0,2-3, not 1;/],
  ];
  for (const [name, asked, message] of refused) {
    await t.rejects(resume(t.testdir(), asked), { code: 'E_RESUME', message }, name);
  }
});

const columnNames = (file: string): string[] => (readFileSync(file, 'utf8').split('\n')[0] ?? '').split(',');

/** The folder of a run that was cut short before its manifest. */
function cutFolder(folder: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, 'cut');
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

t.test('a folder without a manifest is started over if it holds no row and nothing strange', async (t) => {
  const begun = async (files: Readonly<Record<string, string>>, selection: Partial<Selection> = {}) => {
    const folder = t.testdir();
    const spec = syntheticSpec(folder, { numPoints: 4 });
    const { machine } = await readManifest(
      writeSyntheticRun(folder, { runId: 'r', spec, startedAt: '2026-01-02T03:04:05Z', cells: () => ({}) }),
    );
    const path = cutFolder(folder, files);
    const request = { path, spec, selection: { ...ALL, ...selection }, machine };
    const earlier = await shareEarlierRun(world, request, async () => {});
    return { earlier, kept: await agreeOnKept(world, earlier, spec, { rank: [], summary: [] }) };
  };
  const files = { 'rank-0000.csv': 'a,b\n', 'rank-0000.log': 'x', 'summary.csv': 'a,b' };
  const { earlier, kept } = await begun(files);
  t.match(earlier, { runId: 'cut', startedAt: null, shard: null, points: null });
  t.same([kept.points.size, kept.rankRecords, kept.summaryRecords], [0, [], []]);
  const selection = { shard: { index: 1, count: 2 }, points: [3] };
  t.match((await begun({}, selection)).earlier, selection, 'as what was asked for now');
  const expectRefused = async (files: Readonly<Record<string, string>>, name: string): Promise<void> => {
    await t.rejects(begun(files), { code: 'E_RESUME', message: new RegExp(`found none but ${name};`) });
  };
  await expectRefused({ 'rank-0000.csv': 'a,b\n1,2\n' }, 'rank-0000.csv');
  await expectRefused({ 'thesis.tex': '' }, 'thesis.tex');
  const nowhere = { path: join(t.testdir(), 'none') } as Parameters<typeof shareEarlierRun>[1];
  await t.rejects(
    shareEarlierRun(world, nowhere, async () => {}),
    { message: /it is not there/ },
  );
});

t.test(
  'whole points are kept; samples of the others are removed, and rows of points that the spec has not',
  async (t) => {
    const folder = t.testdir();
    const spec = syntheticSpec(folder, { numPoints: 4 });
    const startedAt = '2026-01-02T03:04:05.000Z';
    const more = syntheticSpec(folder, { numPoints: 6 });
    const cells: SyntheticRun['cells'] = ({ index }) => ({
      spec_digest: spec.digest,
      status: index === 1 ? 'aborted' : 'ok',
      point_rows: index === 2 ? 2 : 1,
    });
    const path = writeSyntheticRun(folder, {
      runId: 'r',
      spec: { ...more, digest: spec.digest },
      startedAt,
      cells,
    });
    const names = [
      'point-00000-rank-0000.csv',
      'point-00001-rank-0000.csv',
      'point-00001-rank-0001.csv',
      'notes.txt',
    ];
    mkdirSync(join(path, 'samples'));
    for (const name of names) writeFileSync(join(path, 'samples', name), '');
    const header = (file: string) =>
      columnNames(join(path, file)).map((name) => ({ name, unit: '', meaning: '' })) as Parameters<
        typeof agreeOnKept
      >[3]['rank'];
    const earlier: EarlierRun = {
      runId: 'r',
      folder: path,
      startedAt,
      resumedAt: [],
      shard: null,
      points: null,
    };
    const columns = { rank: header('rank-0000.csv'), summary: header('summary.csv') };
    const kept = await agreeOnKept(world, earlier, spec, columns);
    t.same([...kept.points], [0, 3]);
    t.same([kept.rankRecords.length, kept.summaryRecords.length], [2, 2]);
    t.same(
      readdirSync(join(path, 'samples')).sort(),
      [names[3], names[0], names[2]],
      'those of rank 1 are its own',
    );
  },
);
