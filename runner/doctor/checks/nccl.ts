import { defineCheck } from '../finding.js';
import { usableGpus, type Probes } from '../context.js';

export const nccl = defineCheck<Pick<Probes, 'nccl' | 'ncclReason'>, 'no-nccl' | 'no-nccl-unused'>({
  name: 'nccl',
  looksAt: 'NCCL, and where it is found',
  kinds: {
    'no-nccl': {
      severity: 'warning',
      when: 'there are GPUs, and NCCL does not load',
      consequence: 'Replicated points on cuda are skipped (E_NCCL_MISSING).',
      remedy:
        'pip install nvidia-nccl-cu13, apt-get install libnccl2, or RAILRUNNER_NCCL_LIBRARY=/path/libnccl.so.2',
    },
    'no-nccl-unused': {
      severity: 'info',
      when: 'NCCL does not load, and there is no GPU',
      consequence: 'None on this machine: the host device has collectives of its own.',
      remedy: 'None needed.',
    },
  },
  read: ({ probes }) => probes,
  judge: ({ nccl: found, ncclReason }, { probes }) => {
    if (found) return [{ kind: 'ok', what: `NCCL ${found.version}, ${found.path}` }];
    return [{ kind: usableGpus(probes) > 0 ? 'no-nccl' : 'no-nccl-unused', what: ncclReason }];
  },
});
