import { allowedCpus, parseList, textOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';
import { counted } from '../../text/plural.js';
import { perGpu } from '../per-gpu.js';

export interface NumaReading {
  /** Nodes with memory, and the cores of each. */
  readonly nodes: readonly { readonly node: number; readonly cores: readonly number[] }[];
  readonly allowedCores: readonly number[];
  readonly balancing: boolean;
}

const NODES = '/sys/devices/system/node';

type Kind = 'numa-balancing' | 'gpu-node-unknown' | 'far-from-gpu';

export const numa = defineCheck<NumaReading, Kind>({
  name: 'numa',
  looksAt: 'NUMA nodes, and where GPUs and this process are',
  kinds: {
    'numa-balancing': {
      severity: 'warning',
      when: 'the kernel moves pages between NUMA nodes by itself',
      consequence: 'Pages of pools are unmapped and moved while they are measured: slow single samples.',
      remedy: 'sysctl kernel.numa_balancing=0 (as root)',
    },
    'gpu-node-unknown': {
      severity: 'info',
      when: 'the machine has several NUMA nodes, and the kernel does not say which of them a GPU is on',
      consequence: 'Host pools are not placed near their GPU: copies may cross the link between sockets.',
      remedy: 'In a virtual machine, hand the NUMA topology through; else compare ranks in the results.',
    },
    'far-from-gpu': {
      severity: 'warning',
      when: "this process is bound to cores of other NUMA nodes than its GPU's",
      consequence: 'Copies between this rank and its GPU cross the link between sockets and are slower.',
      remedy:
        "Bind ranks to their GPU's node (mpirun --map-by numa, srun --gpu-bind=closest) or not at all (--bind-to none).",
    },
  },
  read: () => ({
    nodes: parseList(textOf(`${NODES}/has_memory`)).map((node) => ({
      node,
      cores: parseList(textOf(`${NODES}/node${node}/cpulist`)),
    })),
    allowedCores: allowedCpus(),
    balancing: Number(textOf('/proc/sys/kernel/numa_balancing')) > 0,
  }),
  judge: ({ nodes, allowedCores, balancing }, { probes, localRank }) => {
    if (nodes.length <= 1) return [{ kind: 'ok', what: 'one NUMA node' }];
    const found: Observation<Kind>[] = [];
    if (balancing) found.push({ kind: 'numa-balancing', what: `${nodes.length} nodes, balancing is on` });
    const gpus = probes.gpus?.gpus ?? [];
    const unknown = gpus.filter((gpu) => gpu.numaNode < 0);
    if (unknown.length > 0) found.push({ kind: 'gpu-node-unknown', what: perGpu(unknown, () => 'no node') });
    const own = gpus[localRank % Math.max(1, gpus.length)];
    const near = nodes.find(({ node }) => node === own?.numaNode);
    if (own && near && !near.cores.some((core) => allowedCores.includes(core))) {
      const here = nodes.filter(({ cores }) => cores.some((core) => allowedCores.includes(core)));
      const what = `GPU ${own.ordinal} is on node ${near.node}, this process on ${here.map(({ node }) => node).join(', ')}`;
      found.push({ kind: 'far-from-gpu', what });
    }
    const where = perGpu(gpus, (gpu) => (gpu.numaNode < 0 ? null : `node ${gpu.numaNode}`));
    const what = `${counted(nodes.length, 'node')}${where === '' ? '' : ` (${where})`}`;
    return [...found, { kind: 'ok', what }];
  },
});
