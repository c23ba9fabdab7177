import { processLimits } from '../../preflight/process-limits.js';
import { entriesOf } from '../files.js';
import { defineCheck } from '../finding.js';
import { usableGpus } from '../context.js';
import { formatBytes } from '../../text/bytes.js';

export interface MemlockReading {
  /** Soft limit; Infinity: unlimited. */
  readonly limitBytes: number;
  readonly rdmaDevices: number;
}

export const memlock = defineCheck<MemlockReading, 'memlock-limited' | 'memlock-limited-unused'>({
  name: 'memlock',
  looksAt: 'the limit of locked memory (ulimit -l)',
  kinds: {
    'memlock-limited': {
      severity: 'warning',
      when: 'locked memory is limited, and the machine has a GPU or an RDMA device',
      consequence:
        'Registration of host pools and of network buffers can fail, or UCX silently uses TCP instead of RDMA.',
      remedy:
        'ulimit -l unlimited before mpirun; for good: `* - memlock unlimited` in /etc/security/limits.conf, LimitMEMLOCK=infinity for slurmd.',
    },
    'memlock-limited-unused': {
      severity: 'info',
      when: 'locked memory is limited, and nothing here pins memory',
      consequence: 'None on this machine: neither GPU nor RDMA device.',
      remedy: 'None needed.',
    },
  },
  read: () => ({
    limitBytes: processLimits().lockedMemory,
    rdmaDevices: entriesOf('/sys/class/infiniband').length,
  }),
  judge: ({ limitBytes, rdmaDevices }, { probes }) => {
    if (limitBytes === Infinity) return [{ kind: 'ok', what: 'unlimited' }];
    const pins = usableGpus(probes) > 0 || rdmaDevices > 0;
    return [{ kind: pins ? 'memlock-limited' : 'memlock-limited-unused', what: formatBytes(limitBytes) }];
  },
});
