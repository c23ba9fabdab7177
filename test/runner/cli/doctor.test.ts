/** `railrunner doctor` as a user starts it: with and without parts, with specs that can and cannot run here. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import type { DoctorReport } from '../../../runner/doctor/report.js';
import { copyWithout } from '../../helpers/incomplete-copy.js';
import { needsMpi } from '../../helpers/require.js';
import { run, runCli, runArgs } from '../../helpers/run-cli.js';
import { writeSmallSpec } from '../../helpers/small-spec.js';
import { parseJson, readJson } from '../../helpers/json.js';

function kindsOf(stdout: string): Map<string, string> {
  const { findings } = parseJson<DoctorReport>(stdout);
  return new Map(findings.map(({ kind, what }) => [kind, what]));
}

t.test('this machine, as text and as JSON', async (t) => {
  const text = await runCli(['doctor']);
  t.match(text, { status: 0, stderr: '' });
  for (const check of [
    'build',
    'mpi',
    'cores',
    'memory',
    'shared-memory',
    'disk',
    'gpus',
    'network',
    'nccl',
  ]) {
    t.match(text.stdout, new RegExp(`│ ${check} +│`), check);
  }
  t.match(text.stdout, /Means: .*\n.*Do: /);
  const json = await runCli(['doctor', '--json', '--world-size', '512']);
  t.equal(json.status, 0);
  t.match(JSON.parse(json.stdout), { worldSize: 512, ranksHere: 512, spec: null, exitStatus: 0 });
  t.match(kindsOf(json.stdout).get('more-ranks-than-cores'), /^512 ranks on \d+ cores$/);
  const few = await runCli(['doctor', '--json', '--world-size', '512', '--ranks-here', '1']);
  t.notOk(kindsOf(few.stdout).has('more-ranks-than-cores'), 'the other ranks are elsewhere');
});

t.test('a spec that can run here', async (t) => {
  const spec = writeSmallSpec(t.testdir());
  const ended = await runCli(['doctor', spec, '--world-size', '2']);
  t.match(ended, {
    status: 0,
    stdout: /2 of 2 points can run on 2 ranks, device host[^]*spec\.json can run here/,
  });
});

t.test('specs that cannot run here: exit 3, the reason named', async (t) => {
  const folder = t.testdir({ file: '' });
  const pools = { deviceBlocks: 1_000_000_000, hostBlocks: 8 };
  const disk = (diskPath: string) => ({ to: 'disk', pools: { deviceBlocks: 8, diskBlocks: 8, diskPath } });
  for (const [args, kind, says] of [
    [{ pools }, 'does-not-fit', /ranks need [\d.]+ [KMGT]iB of memory, [\d.]+ [KMGT]iB are available/],
    [disk(join(folder, 'none')), 'folder-unusable', /none does not exist/],
    [disk(join(folder, 'file')), 'folder-unusable', /file is not a folder/],
    [{ strategy: 'staged' }, 'all-points-skipped', /points 0-1: strategy `staged` needs a cuda device/],
  ] as const) {
    const ended = await runCli([
      'doctor',
      writeSmallSpec(folder, { job: args }),
      '--world-size',
      '2',
      '--json',
    ]);
    t.equal(ended.status, 3, kind);
    t.match(kindsOf(ended.stdout).get(kind), says);
  }
  const moe = {
    id: 'm',
    kind: 'dispatchCombine',
    hidden: 128,
    numTopk: 2,
    numExperts: 8,
    numTokens: 4,
    maxDispatchTokensPerRank: 4,
  };
  const path = join(folder, 'moe.json');
  writeFileSync(path, JSON.stringify({ name: 'm', device: 'host', jobs: [moe] }));
  const odd = await runCli(['doctor', path, '--world-size', '3', '--json']);
  t.equal(odd.status, 3);
  t.match(
    kindsOf(odd.stdout).get('world-refused'),
    /with 3 ranks: \/jobs\/0\/numExperts: expected a multiple/,
  );
  t.equal((await runCli(['doctor', path, '--world-size', '4'])).status, 0);
});

t.test('without a GPU, device cuda cannot run', async (t) => {
  const spec = writeSmallSpec(t.testdir());
  const env = { CUDA_VISIBLE_DEVICES: '' };
  const ended = await runCli(['doctor', spec, '--device', 'cuda', '--json'], { env });
  t.equal(ended.status, 3);
  t.match(kindsOf(ended.stdout).get('device-refused'), /device "cuda": no rank has a GPU/);
});

t.test('bad input: exit 2', async (t) => {
  const folder = t.testdir({ 'bad.json': '{' });
  t.match(await runCli(['doctor', join(folder, 'bad.json')]), {
    status: 2,
    stdout: '',
    stderr: /^railrunner: E_SPEC_SYNTAX: /,
  });
  t.match(await runCli(['doctor', '--world-size', '0']), { status: 2, stderr: /--world-size: expected/ });
  t.match(await runCli(['doctor', '--ranks-here', '1.5']), { status: 2, stderr: /--ranks-here: expected/ });
});

t.test('what it says is skipped is what a run skips', { skip: needsMpi('openmpi') }, async (t) => {
  const folder = t.testdir();
  const path = writeSmallSpec(folder, { numPoints: 1 });
  const spec = readJson<{ jobs: Record<string, unknown>[] }>(path);
  spec.jobs[0]!['sweep'] = { strategy: ['memcpy', 'memcpyBatch', 'kernel', 'staged', 'auto'] };
  writeFileSync(path, JSON.stringify(spec));
  const said = await runCli(['doctor', path, '--json']);
  t.equal(said.status, 0, 'the others run');
  const points = parseJson<DoctorReport>(said.stdout).findings.flatMap(({ kind, what }) =>
    kind === 'points-skipped' ? [...what.split(':')[0]!.matchAll(/\d+/g)].map(Number) : [],
  );
  t.equal((await runCli(runArgs(path, folder, 'r'))).status, 0);
  const file = readdirSync(join(folder, 'r')).find((name) => name === 'rank-0000.csv')!;
  const rows = parse(readFileSync(join(folder, 'r', file)), { columns: true }) as Record<string, string>[];
  const skipped = rows.filter((row) => row['status'] === 'skipped').map((row) => Number(row['point']));
  t.same(points, [...new Set(skipped)]);
  t.same(points, [1, 3]);
});

t.test('without the native build everything else is still looked at', async (t) => {
  const folder = t.testdir();
  const command = copyWithout(join(folder, 'copy'), []);
  const spec = writeSmallSpec(folder);
  const alone = await run(process.execPath, [command, 'doctor', '--json']);
  t.match(alone, { status: 0, stderr: '' });
  const kinds = kindsOf(alone.stdout);
  t.match(kinds.get('addon-missing'), /npm run build/);
  t.ok(kinds.has('no-plugin'));
  t.ok(parseJson<DoctorReport>(alone.stdout).findings.some(({ check }) => check === 'memory'));
  const asked = await run(process.execPath, [command, 'doctor', spec]);
  t.match(asked, { status: 3, stdout: /blocks[^]*build[^]*cannot run here/ });
});
