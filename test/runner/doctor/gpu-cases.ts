import { gpuClocks } from '../../../runner/doctor/checks/gpu-clocks.js';
import { gpuLinks } from '../../../runner/doctor/checks/gpu-links.js';
import { gpuUse } from '../../../runner/doctor/checks/gpu-use.js';
import { gpus } from '../../../runner/doctor/checks/gpus.js';
import { cudaProbes, gpusOf, group, type Group, type GpuChanges } from './cases.js';

const four = cudaProbes(gpusOf(4));
const NOT_KNOWN = Object.fromEntries(Object.keys(gpusOf(1)[0]!.state).map((key) => [key, null]));
const unknown = gpusOf(2, { 0: { state: NOT_KNOWN }, 1: { state: NOT_KNOWN } });

const gpusGroup = group(gpus, [
  { title: 'none', reading: { gpusOnBus: 0 }, expected: ['no-gpu'] },
  {
    title: 'only on the bus',
    reading: { gpusOnBus: 2 },
    expected: ['driver-missing'],
    says: /2 GPUs on the bus; no CUDA driver/,
  },
  {
    title: 'four for four',
    reading: { gpusOnBus: 4 },
    setting: { probes: four, ranksHere: 4 },
    expected: ['ok'],
    says: /4 GPUs NVIDIA H200, 140 GiB, sm 9.0; driver 580.1 \(CUDA 13.0\)/,
  },
  {
    title: 'four for five',
    reading: { gpusOnBus: 4 },
    setting: { probes: four, ranksHere: 5 },
    expected: ['fewer-gpus-than-ranks', 'ok'],
  },
  {
    title: 'hidden ones',
    reading: { gpusOnBus: 4 },
    setting: { probes: cudaProbes(gpusOf(1), { installedGpus: 4 }) },
    expected: ['gpus-hidden', 'ok'],
    says: /1 of 4 are visible/,
  },
  {
    title: 'no NVML',
    reading: { gpusOnBus: 1 },
    setting: {
      probes: cudaProbes(gpusOf(1), { reason: 'it does not load', installedGpus: null, driverVersion: '' }),
    },
    expected: ['no-management', 'ok'],
  },
  {
    title: 'a driver that does not answer',
    reading: { gpusOnBus: 1 },
    setting: { probes: { ...four, gpus: null } },
    expected: ['no-management', 'ok'],
  },
  {
    title: 'a driver of unknown CUDA',
    reading: { gpusOnBus: 4 },
    setting: { probes: { ...four, devices: { cudaDevices: 4, cudaDriverVersion: null, reason: '' } } },
    expected: ['ok'],
    says: /driver 580.1 \(CUDA unknown\)/,
  },
  {
    title: 'compute modes',
    reading: { gpusOnBus: 2 },
    setting: { probes: cudaProbes(gpusOf(2, { 1: { computeMode: 'prohibited' } })) },
    expected: ['compute-mode', 'ok'],
    says: /^GPU 1: prohibited$/,
  },
  {
    title: 'MIG',
    reading: { gpusOnBus: 2 },
    setting: { probes: cudaProbes(gpusOf(2, { 0: { state: { mig: 1 } } })) },
    expected: ['mig', 'ok'],
  },
  {
    title: 'two models',
    reading: { gpusOnBus: 2 },
    setting: { probes: cudaProbes(gpusOf(2, { 1: { name: 'NVIDIA L4' } })) },
    expected: ['unequal-gpus', 'ok'],
    says: /GPU 1: NVIDIA L4/,
  },
]);

const linksGroup = group(gpuLinks, [
  { title: 'no GPU', reading: [], expected: [] },
  { title: 'all reach all', reading: gpusOf(4), expected: ['ok'], says: /every other, 18 NVLinks each/ },
  { title: 'a state that is not known', reading: unknown, expected: ['ok'] },
  {
    title: 'a pair apart',
    reading: gpusOf(3, { 0: { peerAccess: [false, true, false] } }),
    expected: ['no-peer-access'],
    says: /^GPUs 0-2$/,
  },
  {
    title: 'half a slot',
    reading: gpusOf(2, { 1: { state: { pcieWidth: 8 } } }),
    expected: ['pcie-narrow'],
    says: /^GPU 1: x8 of x16$/,
  },
  {
    title: 'a lost link',
    reading: gpusOf(2, { 1: { state: { activeNvlinks: 17 } } }),
    expected: ['nvlinks-unequal'],
    says: /GPU 1: 17 links/,
  },
  {
    title: 'a lost link, and one that does not say',
    reading: gpusOf(3, { 1: { state: { activeNvlinks: 17 } }, 2: { state: { activeNvlinks: null } } }),
    expected: ['nvlinks-unequal'],
    says: /^GPU 0: 18 links; GPU 1: 17 links$/,
  },
  { title: 'one', reading: gpusOf(1), expected: ['ok'], says: /^one GPU, 18 NVLinks each$/ },
]);

/** Two GPUs, the second in this state. */
const second = (state: GpuChanges['state']) => gpusOf(2, { 1: { state } });

const clocksGroup = group(gpuClocks, [
  { title: 'no GPU', reading: [], expected: [] },
  { title: 'idle', reading: gpusOf(2), expected: ['ok'] },
  { title: 'a state that is not known', reading: unknown, expected: ['ok'] },
  {
    title: 'hardware slowdown',
    reading: second({ throttleReasons: 0x8 }),
    expected: ['throttled'],
    says: /^GPU 1: hardware slowdown, at 345 of 1980 MHz$/,
  },
  {
    title: 'a slowdown at clocks that are not known',
    reading: second({ throttleReasons: 0x8, smClockMHz: null, maxSmClockMHz: null }),
    expected: ['throttled'],
    says: /at \? of \? MHz$/,
  },
  {
    title: 'thermal slowdowns',
    reading: second({ throttleReasons: 0x60 }),
    expected: ['throttled'],
    says: /software thermal slowdown, hardware thermal slowdown/,
  },
  {
    title: 'power brake',
    reading: second({ throttleReasons: 0x80 }),
    expected: ['throttled'],
    says: /power brake/,
  },
  { title: 'at the power limit', reading: second({ throttleReasons: 0x4 }), expected: ['power-cap'] },
  { title: 'set clocks', reading: second({ throttleReasons: 0x2 }), expected: ['clocks-set'] },
  { title: 'bits above 32', reading: second({ throttleReasons: 2 ** 40 }), expected: ['ok'] },
  { title: 'heat', reading: second({ temperatureCelsius: 88 }), expected: ['hot'], says: /GPU 1: 88/ },
  {
    title: 'a lower limit',
    reading: second({ powerLimitMilliwatts: 400_000 }),
    expected: ['power-limit'],
    says: /400 of 700 W/,
  },
  { title: 'no persistence', reading: second({ persistence: 0 }), expected: ['no-persistence'] },
  {
    title: 'memory errors',
    reading: second({ uncorrectedEccErrors: 2 }),
    expected: ['ecc-errors'],
    says: /2 uncorrected/,
  },
]);

const useGroup = group(gpuUse, [
  { title: 'no GPU', reading: [], expected: [] },
  { title: 'idle', reading: gpusOf(2), expected: ['ok'] },
  { title: 'a state that is not known', reading: unknown, expected: ['ok'] },
  {
    title: 'at work',
    reading: second({ utilizationPercent: 97 }),
    expected: ['gpu-busy'],
    says: /^GPU 1: 97 % at work$/,
  },
  {
    title: 'a process that sleeps',
    reading: second({ numProcesses: 2, usedBytes: 90 * 1024 ** 3 }),
    expected: ['gpu-processes'],
    says: /GPU 1: 2/,
  },
  {
    title: 'memory of nobody',
    reading: second({ usedBytes: 90 * 1024 ** 3 }),
    expected: ['gpu-memory-used'],
    says: /90 GiB of 140 GiB/,
  },
  {
    title: 'memory of processes that the driver does not count',
    reading: second({ usedBytes: 90 * 1024 ** 3, numProcesses: null }),
    expected: ['gpu-memory-used'],
  },
]);

export const GPU_GROUPS: readonly Group[] = [gpusGroup, linksGroup, clocksGroup, useGroup];
