/** What a manifest really holds after a run, compared with what results/README.md says of it. */
import { release } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { recordedVersions, type Place } from '../../runner/engine/places.js';
import { addon } from '../../runner/native/binding.js';
import { MANIFEST_FIELDS, VERSION_FIELDS, type Manifest } from '../../runner/results/manifest.js';
import { buildCommit } from '../../runner/project.js';
import { mpirunCli } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readCsv } from '../helpers/results.js';
import { SMALL_LAYOUT } from '../helpers/small-spec.js';
import { readJson } from '../helpers/json.js';

const SPEC = {
  name: 'manifest',
  device: 'host',
  ranksPerNode: 1,
  defaults: { warmup: 1, iterations: 3, timeoutSeconds: 60 },
  jobs: [
    {
      id: 'down',
      kind: 'offload',
      from: 'device',
      to: 'host',
      layout: SMALL_LAYOUT,
      pools: { deviceBlocks: 8, hostBlocks: 8 },
      blocks: 4,
      sweep: { strategy: ['memcpy', 'auto'] },
    },
    {
      id: 'exchange',
      kind: 'dispatchCombine',
      hidden: 128,
      numTopk: 1,
      numExperts: 2,
      numTokens: 2,
      maxDispatchTokensPerRank: 2,
      transport: 'network',
    },
  ],
};

t.test(
  'every documented field of the manifest holds what it says',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir({ 'spec.json': JSON.stringify(SPEC) });
    const args = ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'r'];
    const env = { MSCCLPP_EP_NUM_PROXIES: '1' };
    const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2, env }, args);
    t.equal(ended.status, 0, ended.stderr);
    const manifest = readJson<Manifest>(join(folder, 'r', 'manifest.json'));
    t.same(Object.keys(manifest), Object.keys(MANIFEST_FIELDS));
    t.same(Object.keys(manifest.versions).sort(), Object.keys(VERSION_FIELDS).sort());
    const build = addon().buildInfo();
    t.equal(manifest.versions.commit, buildCommit());
    t.match(manifest.versions, {
      railrunner: build.version,
      node: process.version,
      mpi: /Open MPI/,
      kernel: release(),
      cuda: build.cuda,
      nccl: null,
    });
    t.match(manifest.environment, env);
    const rows = readCsv(join(folder, 'r', 'summary.csv'));
    const usedNetwork = rows.some((row) => row['network_transport'] !== '');
    if (usedNetwork) t.match(manifest.versions.ucx, /^\d+\.\d+/);
    else t.equal(manifest.versions.ucx, null, 'no point had a network here');
    const peaks = rows.filter((row) => row['aggregate_peak_GBps'] !== '');
    t.equal(
      manifest.probes.reduce((sum, { points }) => sum + points, 0),
      peaks.length,
      'every probed row is counted',
    );
    const ofOffload = manifest.probes.find(({ job }) => job === 'down');
    const speeds = peaks
      .filter((row) => row['job_id'] === 'down')
      .map((row) => Number(row['aggregate_peak_GBps']));
    t.match(ofOffload, { points: 2, ranks: 2, minGBps: Math.min(...speeds), maxGBps: Math.max(...speeds) });
    t.equal(ofOffload?.source, peaks[0]?.['peak_source']);
  },
);

t.test('hosts may differ in kernel and driver: the manifest records both', async (t) => {
  const place = (kernel: string, driverVersion: string | null): Place => ({
    rank: 0,
    node: 0,
    localRank: 0,
    hostname: 'h',
    device: { kind: 'host', name: 'host memory' },
    host: { kernel, cpuModel: null, driverVersion },
  });
  const compared = { railrunner: '1', addon: 'a', mpi: 'm', node: 'v20' };
  const versions = recordedVersions(compared, addon(), [place('6.2.0', null), place('6.1.0', '580.1')]);
  t.match(versions, { ...compared, kernel: '6.1.0|6.2.0', driver: '580.1', ucx: null });
});
