import { gpusOnBus } from './build.js';
import { defineCheck, type Observation } from '../finding.js';
import { counted } from '../../text/plural.js';
import { formatBytes } from '../../text/bytes.js';
import { perGpu } from '../per-gpu.js';

export interface GpusReading {
  readonly gpusOnBus: number;
}

type Kind =
  | 'no-gpu'
  | 'driver-missing'
  | 'gpus-hidden'
  | 'fewer-gpus-than-ranks'
  | 'no-management'
  | 'compute-mode'
  | 'mig'
  | 'unequal-gpus';

export const gpus = defineCheck<GpusReading, Kind>({
  name: 'gpus',
  looksAt: 'GPUs and their driver',
  kinds: {
    'no-gpu': {
      severity: 'info',
      when: 'there is no GPU',
      consequence:
        'Jobs run on the host device: real ranks, every byte checked; figures say nothing of GPUs.',
      remedy: 'None needed for tests of specs and of the runner.',
    },
    'driver-missing': {
      severity: 'warning',
      when: 'NVIDIA GPUs are on the bus, and the driver shows none',
      consequence: 'The GPUs are not used: device auto runs on the host device.',
      remedy:
        'Install or load the NVIDIA driver (nvidia-smi must list the GPUs); start containers with --gpus all.',
    },
    'gpus-hidden': {
      severity: 'warning',
      when: 'the driver has more GPUs than this process sees',
      consequence: 'Ranks that see different GPUs may not be able to map the memory of each other.',
      remedy:
        'Show all GPUs to all ranks (unset CUDA_VISIBLE_DEVICES, srun --gpus-per-node without --gpus-per-task): each takes that of its place on the host.',
    },
    'fewer-gpus-than-ranks': {
      severity: 'warning',
      when: 'more ranks would run here than there are GPUs',
      consequence:
        'Two ranks get one GPU: refused (E_DEVICE_SHARED) unless allowSharedDevice, and then without times.',
      remedy: 'Start at most one rank per GPU, or use --device host.',
    },
    'no-management': {
      severity: 'info',
      when: "the driver's management library (NVML) does not answer",
      consequence: 'Clocks, other processes, links and memory in use of the GPUs are not judged.',
      remedy: 'In containers, add the driver capability `utility`.',
    },
    'compute-mode': {
      severity: 'warning',
      when: 'the compute mode of a GPU is not default',
      consequence:
        'exclusive: a single process may use the GPU. prohibited: none may, and device cuda fails.',
      remedy: 'nvidia-smi -c DEFAULT (as root)',
    },
    mig: {
      severity: 'warning',
      when: 'a GPU is split into MIG instances',
      consequence: 'Ranks see a part of the GPU; peer access and CUDA IPC between instances are not there.',
      remedy: 'Use whole GPUs, or read the figures as those of an instance.',
    },
    'unequal-gpus': {
      severity: 'warning',
      when: 'the GPUs are of different models',
      consequence: 'Completion times are those of the slowest; pct_of_peak differs by rank.',
      remedy: 'Measure on equal GPUs: select them by CUDA_VISIBLE_DEVICES, the same on all ranks.',
    },
  },
  read: () => ({ gpusOnBus: gpusOnBus() }),
  judge: (reading, { probes, ranksHere }) => {
    const visible = probes.devices?.cudaDevices ?? 0;
    const reason = probes.devices?.reason ?? 'there is no addon to ask';
    if (visible === 0) {
      if (reading.gpusOnBus === 0) return [{ kind: 'no-gpu', what: reason }];
      return [{ kind: 'driver-missing', what: `${counted(reading.gpusOnBus, 'GPU')} on the bus; ${reason}` }];
    }
    const found: Observation<Kind>[] = [];
    const report = probes.gpus;
    if (ranksHere > visible) {
      const what = `${counted(ranksHere, 'rank')}, ${counted(visible, 'GPU')}`;
      found.push({ kind: 'fewer-gpus-than-ranks', what });
    }
    const installed = report?.installedGpus ?? null;
    if (installed !== null && installed > visible) {
      found.push({ kind: 'gpus-hidden', what: `${visible} of ${installed} are visible` });
    }
    if (!report || report.reason !== '') {
      found.push({ kind: 'no-management', what: report?.reason ?? 'the driver did not answer in time' });
    }
    const list = report?.gpus ?? [];
    const modes = perGpu(list, ({ computeMode }) => (computeMode === 'default' ? null : computeMode));
    if (modes !== '') found.push({ kind: 'compute-mode', what: modes });
    const cut = perGpu(list, ({ state }) => (state.mig === 1 ? 'MIG is on' : null));
    if (cut !== '') found.push({ kind: 'mig', what: cut });
    if (new Set(list.map(({ name }) => name)).size > 1) {
      found.push({ kind: 'unequal-gpus', what: perGpu(list, ({ name }) => name) });
    }
    const first = list[0];
    const model = first
      ? ` ${first.name}, ${formatBytes(first.totalBytes)}, sm ${first.computeCapability}`
      : '';
    const driver = `driver ${report?.driverVersion || 'of unknown version'} (CUDA ${probes.devices?.cudaDriverVersion ?? 'unknown'})`;
    return [...found, { kind: 'ok', what: `${counted(visible, 'GPU')}${model}; ${driver}` }];
  },
});
