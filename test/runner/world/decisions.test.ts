/** What all ranks decide together, from what each of them said. */
import t from 'tap';
import { missingRanks } from '../../../runner/world/agreement.js';
import { stepError, type StepOutcome } from '../../../runner/world/on-all-ranks.js';
import { chooseDevice, decideKind, sharedGroups } from '../../../runner/world/device.js';
import { ownVersions, versionDifferences, type RankVersions } from '../../../runner/world/versions.js';
import type { World } from '../../../runner/world/world.js';
import type { NativeAddon } from '../../../runner/native/types/index.js';

const gpu = { cudaDevices: 8, reason: '' };
const none = { cudaDevices: 0, reason: 'no driver' };

t.test('the device kind', async (t) => {
  t.equal(decideKind('auto', [gpu, gpu]), 'cuda');
  t.equal(decideKind('auto', [none, none]), 'host');
  t.equal(decideKind('host', [gpu, none]), 'host');
  t.equal(decideKind('cuda', [gpu, gpu]), 'cuda');
  for (const request of ['auto', 'cuda'] as const) {
    t.throws(() => decideKind(request, [gpu, none, gpu, none]), {
      code: 'E_DEVICE_MIXED',
      exitStatus: 3,
      message: /one on ranks 0, 2 and none on ranks 1, 3 \(rank 1: no driver\)/,
    });
  }
  t.throws(() => decideKind('cuda', [none, none]), { code: 'E_DEVICE_MISSING', message: /no driver/ });
});

t.test('ranks on one GPU', async (t) => {
  t.same(sharedGroups(['a', 'b', 'c']), []);
  t.same(sharedGroups(['a', 'b', 'a', 'b', 'c']), [
    [0, 2],
    [1, 3],
  ]);
});

t.test('a device that another rank cannot open is closed on those that could', async (t) => {
  let closed = 0;
  const failing: StepOutcome = { step: 'opening the device', code: 'E_ALLOCATION', message: 'no memory' };
  const world = {
    info: { rank: 0, hostRank: 0 },
    native: { report: () => {} },
    allgatherJson: async (own: object) => [own, 'step' in own ? failing : own],
  } as unknown as World;
  const addon = {
    probeDevices: () => none,
    openDevice: async () => ({ close: async () => void (closed += 1) }),
  } as unknown as NativeAddon;
  const options = { request: 'host', allowSharedDevice: false, timeoutMs: 1000 } as const;
  await t.rejects(chooseDevice(world, addon, options), {
    code: 'E_ALLOCATION',
    message: 'rank 1: no memory',
  });
  t.equal(closed, 1);
});

t.test('a rank says how its addon was built', async (t) => {
  const world = { info: { mpiName: 'openmpi', mpiVersion: '4.1.4' } } as unknown as World;
  const build = { version: '1', buildType: 'Debug', compiler: 'g++ 12', cuda: '13.0', sanitizers: 'address' };
  const addonOf = (changes: object): NativeAddon =>
    ({ buildInfo: () => ({ ...build, ...changes }) }) as unknown as NativeAddon;
  t.match(ownVersions(world, addonOf({})), {
    addon: '1 (Debug, g++ 12, CUDA 13.0, sanitizers address)',
    mpi: 'openmpi: 4.1.4',
    node: process.version,
  });
  t.match(ownVersions(world, addonOf({ cuda: null, sanitizers: '' })), { addon: '1 (Debug, g++ 12)' });
});

t.test('versions that differ are named with their ranks and hosts', async (t) => {
  const mine = { node: 'v20.1.0', mpi: 'x' };
  const on = (hostname: string, versions: Record<string, string>): RankVersions => ({ hostname, versions });
  t.same(versionDifferences([on('a', mine), on('b', mine)]), []);
  t.same(
    versionDifferences([
      on('a', mine),
      on('b', { ...mine, node: 'v22.0.0' }),
      on('a', mine),
      on('c', { node: 'v20.1.0' }),
    ]),
    [
      'node: v20.1.0 on ranks 0, 2-3 (a, c), v22.0.0 on rank 1 (b)',
      'mpi: x on ranks 0-2 (a, b), none on rank 3 (c)',
    ],
  );
  const many = Array.from({ length: 6 }, (_, rank) => on(`h${rank}`, { node: rank < 5 ? 'old' : 'new' }));
  t.same(versionDifferences(many), ['node: old on ranks 0-4 (h0, h1, h2 and 2 more), new on rank 5 (h5)']);
});

t.test('the error of a step names the culprit, not those that it dragged along', async (t) => {
  const well: StepOutcome = { step: 'opening', code: null, message: '' };
  const aborted: StepOutcome = { ...well, code: 'E_ABORTED', message: 'stopped waiting' };
  const full: StepOutcome = { ...well, code: 'E_IO', message: 'disk is full' };
  t.equal(stepError('opening', [well, well]), null);
  const foreign = { ...full, code: 'E_OF_ANOTHER_BUILD' };
  t.match(stepError('opening', [well, foreign]), { code: 'E_JOB', message: 'rank 1: disk is full' });
  t.match(stepError('opening', [aborted, well, full]), { code: 'E_IO', message: 'rank 2: disk is full' });
  t.match(stepError('opening', [full, well, full]), { code: 'E_IO', message: 'ranks 0, 2: disk is full' });
  t.match(stepError('opening', [full, full]), { code: 'E_IO', message: 'disk is full' });
  t.match(stepError('opening', [aborted, well]), { code: 'E_ABORTED' });
  t.match(stepError('opening', [well, { ...well, step: 'reading' }]), {
    code: 'E_WORLD_LOST',
    message: /rank 1 elsewhere \(rank 1 in "reading"\)/,
  });
});

t.test('missing is who is not heard waiting at this point', async (t) => {
  const entry = { iteration: 3, awaitedPeer: -1, ageMs: 1 };
  const liveness = [
    { ...entry, rank: 0, stage: 'measure (waits)', point: 4 },
    { ...entry, rank: 1, stage: 'measure (waits)', point: 4 },
    { ...entry, rank: 2, stage: 'measure', point: 4 },
    { ...entry, rank: 3, stage: 'verify (waits)', point: 3 },
  ];
  t.same(
    missingRanks(liveness, 0, 4).map(({ rank }) => rank),
    [2, 3],
  );
  const heardByOne = (stage: string): typeof liveness => [
    { ...entry, rank: 0, stage, point: 4 },
    { ...entry, rank: 1, stage: 'measure (waits)', point: 4 },
  ];
  t.same(missingRanks(heardByOne('measure (waits)'), 1, 4), [], 'other ranks hear only rank 0');
  t.same(
    missingRanks(heardByOne('measure'), 1, 4).map(({ rank }) => rank),
    [0],
    'and name it where it is the one that does not come',
  );
});
