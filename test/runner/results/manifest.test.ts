import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { allowedEnvironment } from '../../../runner/environment/recorded.js';
import { MANIFEST_FIELDS, ManifestFile, outcomeOfExit } from '../../../runner/results/manifest.js';
import { StatusCounts } from '../../../runner/results/status-counts.js';
import { ProbedLimits } from '../../../runner/results/probed-limits.js';
import { manifestStart, resultOf } from '../../helpers/result-samples.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const readJson = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, 'utf8'));
const end = { exitStatus: 0, endedAt: new Date('2026-01-02T03:05:00Z'), statusCounts: [{ ok: 2 }] };

t.test('no manifest.json before the run has ended', (t) =>
  withTempDir(async (folder) => {
    const manifest = await ManifestFile.begin(folder, manifestStart);
    t.same(readdirSync(folder), ['manifest.json.part']);
    const running = readJson(join(folder, 'manifest.json.part'));
    t.match(running, { outcome: 'running', exitStatus: null, endedAt: null, spec: { digest: 'abc123' } });
    t.same(Object.keys(running), Object.keys(MANIFEST_FIELDS), 'every field is documented');

    const limits = new ProbedLimits();
    const row = {
      job_id: 'down',
      phase: 'transfer',
      direction: 'd2h',
      peak_source: 'memcpy',
      ranks_measured: 2,
    };
    limits.add([
      { ...row, aggregate_peak_GBps: 8 },
      { ...row, aggregate_peak_GBps: 6 },
      { ...row, phase: 'skipped' },
    ]);
    const probes = limits.toJSON();
    t.match(probes, [{ job: 'down', source: 'memcpy', ranks: 2, points: 2, minGBps: 6, maxGBps: 8 }]);
    await manifest.finish({ ...end, probes });
    t.same(readdirSync(folder), ['manifest.json'], 'nothing is left next to it');
    const ended = readJson(join(folder, 'manifest.json'));
    t.match(ended, {
      outcome: 'ok',
      exitStatus: 0,
      error: null,
      startedAt: manifestStart.startedAt,
      endedAt: '2026-01-02T03:05:00.000Z',
      statusCounts: [{ ok: 2 }],
      probes,
    });
    t.same(Object.keys(ended), Object.keys(MANIFEST_FIELDS));
  }),
);

t.test('a run that did not go well never says ok', (t) =>
  withTempDir(async (folder) => {
    const manifest = await ManifestFile.begin(folder, manifestStart);
    const error = { code: 'E_TIMEOUT', message: 'rank 3 in measure' };
    await manifest.finish({ ...end, exitStatus: 124, error });
    t.match(readJson(join(folder, 'manifest.json')), { outcome: 'timeout', exitStatus: 124, error });
  }),
);

t.test('the first end stays', (t) =>
  withTempDir(async (folder) => {
    const manifest = await ManifestFile.begin(folder, manifestStart);
    await Promise.all([
      manifest.finish({ ...end, exitStatus: 1 }),
      manifest.finish({ ...end, exitStatus: 143 }),
    ]);
    await manifest.finish({ ...end, exitStatus: 143 });
    t.match(readJson(join(folder, 'manifest.json')), { outcome: 'failed', exitStatus: 1 });
  }),
);

t.test('outcome of each exit status', async (t) => {
  const outcomes = [0, 1, 2, 3, 4, 5, 124, 130, 143].map(outcomeOfExit);
  const expected = 'ok failed refused incomplete aborted failed timeout aborted aborted';
  t.equal(outcomes.join(' '), expected);
});

t.test('a folder that is gone: E_OUTPUT and no manifest', (t) =>
  withTempDir(async (folder) => {
    const gone = join(folder, 'gone');
    await t.rejects(ManifestFile.begin(gone, manifestStart), { code: 'E_OUTPUT', message: /ENOENT/ });
    t.notOk(existsSync(gone));
  }),
);

t.test('status counts of a rank', async (t) => {
  const counts = new StatusCounts();
  counts.add(resultOf(0).rows);
  counts.add(resultOf(0).rows);
  counts.add([{ status: 'timeout' }]);
  t.same(JSON.parse(JSON.stringify(counts)), { ok: 2, timeout: 1 });
});

t.test('the environment is an allow-list, and secrets stay out', async (t) => {
  const kept = allowedEnvironment({
    NCCL_DEBUG: 'INFO',
    UCX_TLS: 'tcp',
    CUDA_VISIBLE_DEVICES: '0',
    SLURM_JOB_ID: '7',
    SLURM_JWT: 'secret',
    UCX_AUTH_TOKEN: 'secret',
    NCCL_API_KEY: 'secret',
    PATH: '/bin',
    HOME: '/root',
    DATABASE_PASSWORD: 'secret',
    UCX_UNSET: undefined,
  });
  t.same(kept, { CUDA_VISIBLE_DEVICES: '0', NCCL_DEBUG: 'INFO', SLURM_JOB_ID: '7', UCX_TLS: 'tcp' });
});

t.test(
  'where a run that goes on cannot write its manifest, or is killed there, the earlier one stays whole',
  (t) =>
    withTempDir(async (folder) => {
      await ManifestFile.begin(folder, manifestStart);
      const before = readFileSync(join(folder, 'manifest.json.part'), 'utf8');
      mkdirSync(join(folder, 'manifest.json.next'));
      await t.rejects(ManifestFile.begin(folder, { ...manifestStart, runId: 'again' }), { code: 'E_OUTPUT' });
      t.equal(readFileSync(join(folder, 'manifest.json.part'), 'utf8'), before);
    }),
);

t.test('what a killed rank has left of a manifest is replaced by the run that goes on', (t) =>
  withTempDir(async (folder) => {
    writeFileSync(join(folder, 'manifest.json.next'), '{"schemaVersion": 2, "tool": {"name": "rail');
    await ManifestFile.begin(folder, manifestStart);
    t.same(readdirSync(folder), ['manifest.json.part']);
    t.match(JSON.parse(readFileSync(join(folder, 'manifest.json.part'), 'utf8')), { outcome: 'running' });
  }),
);
