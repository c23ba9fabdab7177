/** manifest.json as readers meet it: damaged, foreign, missing, and what it says of the machine. */
import { mkdirSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { classDifferences, layoutText, mpiText } from '../../../runner/run-folder/machine-class.js';
import { openRunFolder } from '../../../runner/run-folder/run-rows.js';
import { readJson } from '../../helpers/json.js';
import { syntheticSpec, writeSyntheticRun } from '../../helpers/synthetic-run.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

function writeOne(folder: string): string {
  return writeSyntheticRun(folder, {
    runId: 'one',
    spec: syntheticSpec(folder, { numPoints: 3 }),
    startedAt: '2026-01-02T03:04:05.000Z',
    cells: (point) => ({ t_p50_us: 100 + point.index }),
  });
}

t.test('a manifest that is damaged, of a newer version or missing is refused', (t) =>
  withTempDir(async (folder) => {
    const path = writeOne(folder);
    const file = join(path, 'manifest.json');
    const whole = readJson<Record<string, unknown>>(file);
    const refused: [string, unknown, RegExp][] = [
      ['newer', { ...whole, schemaVersion: 99 }, /expected 1 to 2, received 99/],
      ['no spec', { ...whole, spec: null }, /spec: expected an object, received null/],
      ['no resolved spec', { ...whole, spec: { digest: 'ab' } }, /spec\.resolved: /],
      ['another spec', { ...whole, spec: { digest: 'ab', resolved: {} } }, /spec\.resolved/],
      [
        'a rank too few',
        { ...whole, topology: { worldSize: 2, ranksPerNode: 0, ranks: [] } },
        /expected 2 ranks/,
      ],
      ['no time', { ...whole, startedAt: 'soon' }, /startedAt: expected a time/],
      ['a wrong outcome', { ...whole, outcome: 'great' }, /outcome: unknown word/],
      ['an impossible shard', { ...whole, shard: { index: 3, count: 2 } }, /3 of 2 is not possible/],
      ['points beyond the spec', { ...whole, points: '0-9' }, /points: expected numbers and ranges below 3/],
      ['a list', [], /the file: expected an object/],
      [
        'a spec that was edited',
        { ...whole, spec: { ...(whole['spec'] as object), digest: 'f'.repeat(64) } },
        /spec\.resolved is not the text that spec\.digest stands for/,
      ],
      ['a name that is none', { ...whole, runId: 7 }, /runId: expected a text, received 7/],
      ['devices that are no list', { ...whole, devices: {} }, /devices: expected a list, received {}/],
      ['no version', { ...whole, schemaVersion: undefined }, /schemaVersion: expected .*, received nothing/],
      [
        'half a rank',
        { ...whole, topology: { worldSize: 1, ranksPerNode: 0, ranks: [7] } },
        /ranks\.0\.node: expected a whole/,
      ],
    ];
    for (const [name, json, expected] of refused) {
      writeFileSync(file, JSON.stringify(json));
      await t.rejects(openRunFolder(path), { code: 'E_RUN_READ', message: expected }, name);
    }
    writeFileSync(file, '{"schemaVersion":');
    await t.rejects(openRunFolder(path), { code: 'E_RUN_READ', message: /expected JSON/ });
    truncateSync(file, 300 * 1024 ** 2);
    await t.rejects(openRunFolder(path), {
      code: 'E_RUN_READ',
      message: /expected at most \d+ bytes, received 314572800/,
    });
    rmSync(file);
    mkdirSync(file);
    await t.rejects(openRunFolder(path), { code: 'E_RUN_READ', message: /cannot be read.*EISDIR/ });
    rmdirSync(file);
    await t.rejects(openRunFolder(path), {
      code: 'E_RUN_READ',
      message: /expected a run folder with manifest/,
    });
    writeFileSync(join(path, 'manifest.json.part'), JSON.stringify(whole));
    t.equal((await openRunFolder(path)).manifest.outcome, 'running', 'a run that was cut short can be read');
    mkdirSync(join(folder, 'empty'));
    await t.rejects(openRunFolder(join(folder, 'empty')), { code: 'E_RUN_READ' });
  }),
);

t.test('machine classes: every differing field is named, what is unknown is none', (t) =>
  withTempDir(async (folder) => {
    const { machine } = (await openRunFolder(writeOne(folder))).manifest;
    t.match(machine, {
      device: 'host',
      deviceName: 'AMD EPYC',
      mpi: 'Open MPI 4.1.4',
      nccl: null,
      layout: '2',
    });
    const file = join(folder, 'one', 'manifest.json');
    writeFileSync(file, JSON.stringify({ ...readJson<object>(file), versions: {} }));
    const silent = (await openRunFolder(join(folder, 'one'))).manifest.machine;
    t.same(silent, { ...machine, mpi: null }, 'a manifest that does not say its MPI');
    const other = { ...machine, deviceName: 'Xeon', nccl: '2.28.3', mpi: 'MPICH 4.0.2' };
    t.same(
      classDifferences(machine, other).map(({ field }) => field),
      ['deviceName', 'mpi'],
    );
  }),
);

t.test(
  'the layout counts ranks by node, whatever their order; an MPI of another kind keeps its own words',
  async (t) => {
    t.equal(layoutText([1, 0, 1, 1], 0), '1+3');
    t.equal(layoutText([0, 0, 1, 1], 2), '2+2 emulated');
    t.equal(mpiText('Intel(R) MPI Library 2021.9'), 'Intel(R) MPI Library 2021.9');
  },
);

t.test('runs of more specs than are remembered are read as they are', (t) =>
  withTempDir(async (folder) => {
    const paths = Array.from({ length: 34 }, (_, at) =>
      writeSyntheticRun(folder, {
        runId: `run${at}`,
        spec: syntheticSpec(folder, { numPoints: at + 1 }),
        startedAt: '2026-01-02T03:04:05.000Z',
        cells: () => ({}),
      }),
    );
    for (const round of ['first', 'again']) {
      for (const [at, path] of paths.entries()) {
        const { manifest } = await openRunFolder(path);
        t.equal(manifest.points.length, at + 1, round);
      }
    }
  }),
);
