/** What doctor reads from a machine: folders as the kernel lays them out, and what fits a GPU that is there. */
import { join } from 'node:path';
import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { gpusOnBus } from '../../../runner/doctor/checks/build.js';
import { disk } from '../../../runner/doctor/checks/disk.js';
import { gpuClocks } from '../../../runner/doctor/checks/gpu-clocks.js';
import { gpuLinks } from '../../../runner/doctor/checks/gpu-links.js';
import { gpuUse } from '../../../runner/doctor/checks/gpu-use.js';
import { readPorts } from '../../../runner/doctor/checks/network.js';
import { readSharedMemory } from '../../../runner/doctor/checks/shared-memory.js';
import type { Probes, SpecToJudge } from '../../../runner/doctor/context.js';
import { answerOf } from '../../../runner/doctor/probes.js';
import { tableText } from '../../../runner/doctor/report.js';
import { fitRefusals, skippedPoints } from '../../../runner/doctor/spec-needs.js';
import { loadJob, offloadJob, onboardJob } from '../job-spec/spec-fixture.js';
import { cudaProbes, gpusOf, HOST_PROBES, settingOf } from './cases.js';

function toJudge(job: Record<string, unknown>): SpecToJudge {
  return { path: 'spec.json', spec: loadJob(job), kinds: JOB_KINDS };
}

t.test('NVIDIA GPUs on the PCI bus', async (t) => {
  const slot = (vendor: string, pciClass: string) => ({ vendor: `${vendor}\n`, class: `${pciClass}\n` });
  const devices = t.testdir({
    '0000:01:00.0': slot('0x10de', '0x030200'),
    '0000:01:00.1': slot('0x10de', '0x040300'), // its sound
    '0000:02:00.0': slot('0x1002', '0x030000'),
  });
  t.equal(gpusOnBus(devices), 1);
});

t.test('ports of RDMA devices', async (t) => {
  const port = (state: string) => ({ state: `${state}\n` });
  const devices = t.testdir({
    mlx5_0: { ports: { 1: port('4: ACTIVE') } },
    mlx5_1: { ports: { 1: port('1: DOWN'), 2: port('4: ACTIVE') } },
  });
  t.same(readPorts(devices), [
    { port: 'mlx5_0:1', active: true },
    { port: 'mlx5_1:1', active: false },
    { port: 'mlx5_1:2', active: true },
  ]);
});

t.test('shared memory, there or not', async (t) => {
  const folder = t.testdir({ 'nccl-x': '', other: '' });
  const { totalBytes, freeBytes, leftBehind } = readSharedMemory(folder);
  t.same(leftBehind, ['nccl-x']);
  t.ok(totalBytes !== null && totalBytes >= freeBytes && freeBytes > 0);
  t.same(readSharedMemory(join(folder, 'none')), { totalBytes: null, freeBytes: 0, leftBehind: [] });
});

t.test('a folder that takes no file, and one below a file', async (t) => {
  const folder = t.testdir({ file: '' });
  const below = join(folder, 'file', 'pool');
  for (const [diskPath, kind, what] of [
    ['/proc', 'folder-unusable', /^\/proc takes no file: /],
    [below, 'folder-unusable', /file\/pool does not exist/],
    [join(folder, 'x'.repeat(300)), 'folder-unusable', /xx is not writable \(ENAMETOOLONG\)/],
  ] as const) {
    const job = toJudge(offloadJob({ to: 'disk', pools: { deviceBlocks: 4, diskBlocks: 4, diskPath } }));
    t.match(await disk.examine(settingOf({ job })), [{ kind, what }]);
  }
});

t.test('GPUs are judged where the driver describes them', async (t) => {
  for (const check of [gpuClocks, gpuUse, gpuLinks]) {
    t.match(await check.examine(settingOf({ probes: cudaProbes(gpusOf(2)) })), [{ kind: 'ok' }], check.name);
    t.same(await check.examine(settingOf()), [], `${check.name} without GPUs`);
  }
});

t.test('a spec is measured against the free memory of the GPUs', async (t) => {
  const job = toJudge(offloadJob());
  const [gpu] = gpusOf(1);
  const used = (usedBytes: number | null) => cudaProbes(gpusOf(1, { 0: { state: { usedBytes } } }));
  const refusals = (usedBytes: number | null): string[] =>
    fitRefusals(settingOf({ probes: used(usedBytes) }), job, 'cuda');
  t.same(refusals(0), []);
  t.match(refusals(gpu?.totalBytes ?? 0), [/^rank 0: needs .* of GPU memory, 0 B are free$/]);
  t.same(refusals(null), [], 'what is not known counts as free');
});

t.test('points between nodes are skipped where there is no network', async (t) => {
  const job = toJudge({ id: 'x', kind: 'transfer', layout: { model: 'llama-3.1-8b' }, blocks: 4 });
  const nodes: SpecToJudge = { ...job, spec: { ...job.spec, ranksPerNode: 1 } };
  const setting = (network: typeof HOST_PROBES.network) =>
    settingOf({ worldSize: 2, ranksHere: 2, probes: { ...HOST_PROBES, network } });
  t.same(skippedPoints(setting(HOST_PROBES.network), nodes, 'host'), []);
  t.match(skippedPoints(setting(null), nodes, 'host'), [{ reason: /UCX cannot be asked/, points: [0] }]);
});

t.test('points that need NCCL are skipped where there is none, with the reason', async (t) => {
  const job = toJudge(onboardJob({ mode: 'replicated', strategy: 'pipelined' }));
  const skipped = (changes: Partial<Probes>) => {
    const probes = { ...cudaProbes(gpusOf(2)), ...changes };
    return skippedPoints(settingOf({ worldSize: 2, ranksHere: 2, probes }), job, 'cuda');
  };
  t.same(skipped({}), []);
  t.match(skipped({ nccl: null, ncclReason: 'it is gone' }), [
    { reason: /needs NCCL: it is gone/, points: [0] },
  ]);
});

t.test('a driver that does not answer leaves the other answers', async (t) => {
  t.same(await answerOf(new Promise(() => {}), 10), { value: null, reason: 'no answer within 0.01 s' });
  t.same(await answerOf(Promise.reject(new Error('no device'))), { value: null, reason: 'no device' });
  t.same(await answerOf(Promise.resolve(3)), { value: 3, reason: '' });
});

t.test('the table says how many of the ranks are here', async (t) => {
  const report = { host: 'h1', worldSize: 8, ranksHere: 2, spec: 'a.json', findings: [], exitStatus: 0 };
  t.match(tableText(report as never), /^doctor on h1, for 2 of 8 ranks of a\.json\n/);
});
