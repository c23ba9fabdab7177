import type { GpuDescription } from '../../native/types/index.js';
import { defineCheck, type Observation } from '../finding.js';
import { perGpu } from '../per-gpu.js';
import { namesOf } from '../../values/objects.js';

/** Bits of NVML's clocks throttle reasons (NVML API reference, nvmlClocksThrottleReasons). */
const THROTTLES: readonly (readonly [bit: number, name: string])[] = [
  [0x8, 'hardware slowdown'],
  [0x20, 'software thermal slowdown'],
  [0x40, 'hardware thermal slowdown'],
  [0x80, 'power brake'],
];
const POWER_CAP = 0x4;
const SET_CLOCKS = 0x2 | 0x100;
const HOT_CELSIUS = 85;

type Kind =
  'throttled' | 'hot' | 'power-limit' | 'power-cap' | 'clocks-set' | 'no-persistence' | 'ecc-errors';

/** A bit that NVML did not report is not set. */
function has(reasons: number | null, bits: number): boolean {
  // Not by `&`: NVML's word has 64 bits.
  return reasons !== null && (BigInt(reasons) & BigInt(bits)) !== 0n;
}

const MESSAGES: Readonly<Record<Kind, (gpu: GpuDescription) => string | null>> = {
  throttled: ({ state }) => {
    const names = THROTTLES.filter(([bit]) => has(state.throttleReasons, bit)).map(([, name]) => name);
    if (names.length === 0) return null;
    return `${names.join(', ')}, at ${state.smClockMHz ?? '?'} of ${state.maxSmClockMHz ?? '?'} MHz`;
  },
  hot: ({ state: { temperatureCelsius } }) =>
    temperatureCelsius !== null && temperatureCelsius >= HOT_CELSIUS ? `${temperatureCelsius} °C` : null,
  'power-limit': ({ state: { powerLimitMilliwatts: limit, defaultPowerLimitMilliwatts: normal } }) =>
    limit !== null && normal !== null && limit < normal
      ? `${Math.round(limit / 1000)} of ${Math.round(normal / 1000)} W`
      : null,
  'power-cap': ({ state }) => (has(state.throttleReasons, POWER_CAP) ? 'at its power limit now' : null),
  'clocks-set': ({ state }) => (has(state.throttleReasons, SET_CLOCKS) ? 'clocks are set' : null),
  'no-persistence': ({ state }) => (state.persistence === 0 ? 'persistence mode is off' : null),
  'ecc-errors': ({ state: { uncorrectedEccErrors: errors } }) =>
    errors !== null && errors > 0 ? `${errors} uncorrected` : null,
};

export const gpuClocks = defineCheck<readonly GpuDescription[], Kind>({
  name: 'gpu-clocks',
  looksAt: 'clocks, power, heat and memory errors of the GPUs',
  kinds: {
    throttled: {
      severity: 'warning',
      when: 'the hardware or the driver slows a GPU down',
      consequence:
        'Kernels, and in bad cases copies, are slower than this GPU allows; runs are not comparable.',
      remedy: 'Check cooling and power (nvidia-smi -q -d PERFORMANCE); measure once the reason is gone.',
    },
    hot: {
      severity: 'warning',
      when: 'a GPU is at 85 °C or more',
      consequence: 'It slows down soon: later samples and later points are slower than the first.',
      remedy: 'Check cooling; let it cool down before measuring.',
    },
    'power-limit': {
      severity: 'warning',
      when: 'the power limit of a GPU is below its default',
      consequence: 'Kernels run at lower clocks than on other machines of this model.',
      remedy: 'nvidia-smi -pl WATTS (as root), or say so next to the figures.',
    },
    'power-cap': {
      severity: 'info',
      when: 'a GPU runs at its power limit',
      consequence: 'Something is using it at this moment.',
      remedy: 'See gpu-use; measure when it is idle.',
    },
    'clocks-set': {
      severity: 'info',
      when: 'application or display clocks are set',
      consequence:
        'Clocks are steady, and may be below what the GPU can: compare only with runs of the same setting.',
      remedy: 'nvidia-smi -rac and nvidia-smi -rgc (as root) restore the defaults.',
    },
    'no-persistence': {
      severity: 'info',
      when: 'persistence mode is off',
      consequence:
        'The driver unloads between runs: starting takes seconds longer, and the first clocks are low.',
      remedy: 'nvidia-smi -pm 1 (as root), or start nvidia-persistenced.',
    },
    'ecc-errors': {
      severity: 'warning',
      when: 'a GPU counted uncorrected memory errors since its driver was loaded',
      consequence: 'Wrong data and lost contexts may come from the GPU, not from the code.',
      remedy: 'Reset or replace the GPU (nvidia-smi -q -d ECC,ROW_REMAPPER) before believing its results.',
    },
  },
  read: ({ probes }) => (probes.gpus?.reason === '' ? probes.gpus.gpus : []),
  judge: (gpus) => {
    if (gpus.length === 0) return [];
    const found = namesOf(MESSAGES).flatMap((kind): Observation<Kind>[] => {
      const what = perGpu(gpus, MESSAGES[kind]);
      return what === '' ? [] : [{ kind, what }];
    });
    return found.length > 0 ? found : [{ kind: 'ok', what: 'nothing slows them down' }];
  },
});
