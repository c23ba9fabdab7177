import type { GpuDescription } from '../../native/types/index.js';
import { defineCheck, type Observation } from '../finding.js';
import { formatBytes } from '../../text/bytes.js';
import { perGpu } from '../per-gpu.js';
import { namesOf } from '../../values/objects.js';

const BUSY_PERCENT = 5;
/** The driver itself keeps some hundred MiB. */
const MUCH_SHARE = 0.05;

type Kind = 'gpu-busy' | 'gpu-processes' | 'gpu-memory-used';

export const gpuUse = defineCheck<readonly GpuDescription[], Kind>({
  name: 'gpu-use',
  looksAt: 'what else uses the GPUs',
  kinds: {
    'gpu-busy': {
      severity: 'warning',
      when: 'a GPU was more than 5 % busy during the check',
      consequence: 'Something else shares its engines and links: figures are too low and vary.',
      remedy: 'End it or wait (nvidia-smi names it), or measure on another GPU.',
    },
    'gpu-processes': {
      severity: 'warning',
      when: 'other processes have a context on a GPU',
      consequence: 'While they work, figures are too low; their memory is not available for pools.',
      remedy: 'End them or wait (nvidia-smi names them), or measure on another GPU.',
    },
    'gpu-memory-used': {
      severity: 'warning',
      when: 'more than 5 % of the memory of a GPU is in use, and no process is shown',
      consequence: 'Another container uses the GPU: less memory for pools, and figures may be too low.',
      remedy: 'Ask who shares the machine; measure on a GPU of your own.',
    },
  },
  read: ({ probes }) => (probes.gpus?.reason === '' ? probes.gpus.gpus : []),
  judge: (gpus) => {
    if (gpus.length === 0) return [];
    const says: Readonly<Record<Kind, (gpu: GpuDescription) => string | null>> = {
      'gpu-busy': ({ state: { utilizationPercent } }) =>
        (utilizationPercent ?? 0) > BUSY_PERCENT ? `${utilizationPercent} % at work` : null,
      'gpu-processes': ({ state: { numProcesses } }) =>
        (numProcesses ?? 0) > 0 ? `${numProcesses} with a context` : null,
      'gpu-memory-used': ({ state: { usedBytes, numProcesses }, totalBytes }) =>
        usedBytes !== null && usedBytes > totalBytes * MUCH_SHARE && (numProcesses ?? 0) === 0
          ? `${formatBytes(usedBytes)} of ${formatBytes(totalBytes)}`
          : null,
    };
    const found = namesOf(says).flatMap((kind): Observation<Kind>[] => {
      const what = perGpu(gpus, says[kind]);
      return what === '' ? [] : [{ kind, what }];
    });
    return found.length > 0 ? found : [{ kind: 'ok', what: 'nobody else uses them' }];
  },
});
