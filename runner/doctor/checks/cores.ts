import { cpus, loadavg } from 'node:os';
import { cpuQuota } from '../../preflight/control-groups.js';
import { allowedCpus, launcherCpus, textOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';

export interface CoresReading {
  readonly onlineCores: number;
  readonly allowedCores: number;
  /** Of the launcher's daemon, before it binds ranks: what all of them share. */
  readonly launcherCores: number;
  /** Cores' worth of time that the control groups allow; null: no limit. */
  readonly quota: { readonly cores: number; readonly source: string } | null;
  /** Runnable tasks over the last minute. */
  readonly load: number;
  /** Of the first core; '' where the kernel has none. */
  readonly governor: string;
  readonly virtual: boolean;
}

/** A third of the cores in use by others is seen in every figure. */
const BUSY_SHARE = 1 / 3;

type Kind =
  | 'more-ranks-than-cores'
  | 'cpu-quota'
  | 'bound-to-one-core'
  | 'machine-busy'
  | 'power-saving'
  | 'virtual-machine';

export const cores = defineCheck<CoresReading, Kind>({
  name: 'cores',
  looksAt: 'cores, binding, other work',
  kinds: {
    'more-ranks-than-cores': {
      severity: 'warning',
      when: 'more ranks would run here than there are cores',
      consequence:
        'Ranks wait for a core, not for each other: times are those of the scheduler. Results stay right.',
      remedy: 'Start at most one rank per core; Open MPI wants --oversubscribe for more.',
    },
    'cpu-quota': {
      severity: 'warning',
      when: 'the control group allows fewer cores than there are ranks here',
      consequence: 'The kernel stops all ranks for parts of every period: long pauses in single samples.',
      remedy: "Raise the container's or job's CPU limit, or start fewer ranks.",
    },
    'bound-to-one-core': {
      severity: 'warning',
      when: 'this process is bound to one core of several',
      consequence: 'Copy, disk and network threads of the rank share that core, which starves them.',
      remedy: 'mpirun --bind-to none (Open MPI) or -bind-to none (MPICH); srun --cpu-bind=none or -c N.',
    },
    'machine-busy': {
      severity: 'warning',
      when: 'other work takes more than a third of the cores',
      consequence: 'Figures vary with the other work, memory bandwidth first.',
      remedy: 'Wait for it to end, or measure on an idle machine.',
    },
    'power-saving': {
      severity: 'warning',
      when: 'the CPU frequency governor saves power',
      consequence: 'Short measurements run at a low clock, and latencies vary.',
      remedy: 'cpupower frequency-set -g performance (as root)',
    },
    'virtual-machine': {
      severity: 'info',
      when: 'the machine is a virtual one',
      consequence:
        'Neighbours and page faults of the host show up as outliers; first touch of memory is slow.',
      remedy: 'Compare medians, and runs of the same machine.',
    },
  },
  read: () => ({
    onlineCores: cpus().length,
    allowedCores: allowedCpus().length /* v8 ignore next -- another machine */ || cpus().length,
    launcherCores: launcherCpus().length /* v8 ignore next -- another machine */ || cpus().length,
    quota: cpuQuota(),
    load: loadavg()[0] ?? 0,
    governor: textOf('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor').trim(),
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(textOf('/proc/cpuinfo')),
  }),
  judge: (reading, { ranksHere, launcher }) => {
    const { onlineCores, allowedCores, launcherCores, quota, load, governor } = reading;
    const found: Observation<Kind>[] = [];
    // Under a launcher each rank sees its own binding; what all ranks share is what the launcher itself may use.
    const shared = launcher.size === null ? allowedCores : Math.max(allowedCores, launcherCores);
    if (ranksHere > shared)
      found.push({ kind: 'more-ranks-than-cores', what: `${ranksHere} ranks on ${shared} cores` });
    if (quota !== null && quota.cores < ranksHere) {
      const what = `${quota.cores} cores' worth of time for ${ranksHere} ranks (${quota.source})`;
      found.push({ kind: 'cpu-quota', what });
    }
    if (allowedCores === 1 && onlineCores > 1) {
      found.push({ kind: 'bound-to-one-core', what: `1 of ${onlineCores} cores` });
    }
    if (load > Math.max(1, onlineCores * BUSY_SHARE)) {
      found.push({
        kind: 'machine-busy',
        what: `${load.toFixed(1)} running tasks on ${onlineCores} cores over the last minute`,
      });
    }
    if (governor === 'powersave' || governor === 'conservative') {
      found.push({ kind: 'power-saving', what: `governor ${governor}` });
    }
    if (reading.virtual) found.push({ kind: 'virtual-machine', what: 'a hypervisor was detected' });
    return [
      ...found,
      { kind: 'ok', what: `${shared} cores, ${ranksHere} rank${ranksHere === 1 ? '' : 's'} here` },
    ];
  },
});
