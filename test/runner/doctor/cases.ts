/** Judgements on readings that a test makes up: what each must lead to. */
import type { Observation } from '../../../runner/doctor/finding.js';
import type { DoctorContext, Probes } from '../../../runner/doctor/context.js';
import type { GpuDescription, GpuReport, GpuState } from '../../../runner/native/types/index.js';

export interface Judged {
  readonly title: string;
  /** Kinds in the order in which they are said. */
  readonly expected: readonly string[];
  /** In what is said, where it matters. */
  readonly says?: RegExp;
  readonly noticed: readonly Observation[];
}

export interface Group {
  readonly check: string;
  readonly kinds: readonly string[];
  readonly judged: readonly Judged[];
}

interface Case<Reading> {
  readonly title: string;
  readonly reading: Reading;
  readonly setting?: Partial<DoctorContext>;
  readonly expected: readonly string[];
  readonly says?: RegExp;
}

interface Judge<Reading> {
  readonly name: string;
  readonly kinds: object;
  judge(reading: Reading, setting: DoctorContext): readonly Observation[];
}

export function group<Reading>(check: Judge<Reading>, cases: readonly Case<Reading>[]): Group {
  return {
    check: check.name,
    kinds: Object.keys(check.kinds),
    judged: cases.map(({ title, reading, setting, expected, says }) => ({
      title,
      expected,
      ...(says ? { says } : {}),
      noticed: check.judge(reading, settingOf(setting)),
    })),
  };
}

export const BUILD: NonNullable<Probes['build']> = {
  version: '0.1.0',
  compiler: '12.2.0',
  buildType: 'Release',
  cuda: 'yes',
  sanitizers: '',
};

export const HOST_PROBES: Probes = {
  build: BUILD,
  buildReason: '',
  devices: { cudaDevices: 0, cudaDriverVersion: null, reason: 'no CUDA driver is loaded' },
  gpus: null,
  network: { available: true, version: '1.16.0', transports: ['tcp/eth0'], cudaMemory: false, reason: '' },
  nccl: null,
  ncclReason: 'libnccl.so.2 does not load',
};

export const ALONE = { name: 'no launcher', speaks: null, size: null, rank: 0 } as const;

export const UNDER_MPICH = { name: 'mpiexec of MPICH', speaks: 'mpich', size: 2, rank: 0 } as const;

export function settingOf(changes: Partial<DoctorContext> = {}): DoctorContext {
  return {
    launcher: ALONE,
    variables: {},
    environmentKeys: [],
    worldSize: 1,
    ranksHere: 1,
    localRank: 0,
    nativeFolder: '/nowhere',
    probes: HOST_PROBES,
    job: null,
    ...changes,
  };
}

const QUIET: GpuState = {
  throttleReasons: 1,
  utilizationPercent: 0,
  usedBytes: 500 * 1024 ** 2,
  numProcesses: 0,
  smClockMHz: 345,
  maxSmClockMHz: 1980,
  temperatureCelsius: 31,
  powerLimitMilliwatts: 700_000,
  defaultPowerLimitMilliwatts: 700_000,
  persistence: 1,
  mig: 0,
  pcieWidth: 16,
  maxPcieWidth: 16,
  activeNvlinks: 18,
  nvlinkSentBytes: 0,
  uncorrectedEccErrors: 0,
};

export interface GpuChanges extends Omit<Partial<GpuDescription>, 'state'> {
  readonly state?: Partial<GpuState> | undefined;
}

/** That many equal, idle GPUs that reach each other; `changes` by ordinal. */
export function gpusOf(count: number, changes: Readonly<Record<number, GpuChanges>> = {}): GpuDescription[] {
  return Array.from({ length: count }, (_, ordinal) => ({
    ordinal,
    name: 'NVIDIA H200',
    uuid: `GPU-${ordinal}`,
    pciBusId: `0000:0${ordinal}:00.0`,
    numaNode: 0,
    totalBytes: 140 * 1024 ** 3,
    computeCapability: '9.0',
    computeMode: 'default' as const,
    peerAccess: Array.from({ length: count }, (_unused, peer) => peer !== ordinal),
    ...changes[ordinal],
    state: { ...QUIET, ...changes[ordinal]?.state },
  }));
}

export function cudaProbes(gpus: readonly GpuDescription[], report: Partial<GpuReport> = {}): Probes {
  return {
    ...HOST_PROBES,
    devices: { cudaDevices: gpus.length, cudaDriverVersion: '13.0', reason: '' },
    gpus: { driverVersion: '580.1', installedGpus: gpus.length, reason: '', gpus, ...report },
    nccl: { version: '2.28.9', path: 'libnccl.so.2' },
    ncclReason: '',
  };
}
