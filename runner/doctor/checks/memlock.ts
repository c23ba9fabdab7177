import { entriesOf, textOf } from '../files.js';
import { defineCheck } from '../finding.js';
import { usableGpus } from '../setting.js';
import { formatBytes } from '../../text/bytes.js';

export interface MemlockReading {
  /** Soft limit; null: unlimited. */
  readonly limitBytes: number | null;
  readonly rdmaDevices: number;
}

/** The line "Max locked memory  8388608  8388608  bytes" of /proc/self/limits. */
export function parseMemlock(limits: string): number | null {
  const soft = /^Max locked memory\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined) throw new Error('/proc/self/limits has no line "Max locked memory"');
  return soft === 'unlimited' ? null : Number(soft);
}

export const memlock = defineCheck<MemlockReading, 'memlock-limited' | 'memlock-limited-unused'>({
  name: 'memlock',
  looksAt: 'the limit of locked memory (ulimit -l)',
  kinds: {
    'memlock-limited': {
      severity: 'warning',
      when: 'locked memory is limited, and the machine has a GPU or an RDMA device',
      consequence:
        'Registration of host pools and of network buffers can fail, or UCX leaves RDMA for TCP without a word.',
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
    limitBytes: parseMemlock(textOf('/proc/self/limits')),
    rdmaDevices: entriesOf('/sys/class/infiniband').length,
  }),
  judge: ({ limitBytes, rdmaDevices }, { probes }) => {
    if (limitBytes === null) return [{ kind: 'ok', what: 'unlimited' }];
    const pins = usableGpus(probes) > 0 || rdmaDevices > 0;
    return [{ kind: pins ? 'memlock-limited' : 'memlock-limited-unused', what: formatBytes(limitBytes) }];
  },
});
