import { entriesOf, textOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';
import { usableGpus } from '../context.js';

export interface NetworkReading {
  /** Ports of RDMA devices, for example "mlx5_0:1", and whether they are active. */
  readonly ports: readonly { readonly port: string; readonly active: boolean }[];
  /** The module by which RDMA devices reach GPU memory is loaded. */
  readonly peerMemory: boolean;
}

const INFINIBAND = '/sys/class/infiniband';
/** UCX's transports that need an RDMA device. */
const RDMA = /^(rc|dc|ud|gga)(_|\/)/;

type Kind =
  | 'no-ucx'
  | 'no-network'
  | 'tcp-alone'
  | 'rdma-unused'
  | 'port-down'
  | 'no-gpu-memory'
  | 'no-peer-memory-module';

/** `devices`: another folder in tests. */
export function readPorts(devices = INFINIBAND): NetworkReading['ports'] {
  return entriesOf(devices).flatMap((device) =>
    entriesOf(`${devices}/${device}/ports`).map((port) => ({
      port: `${device}:${port}`,
      active: /ACTIVE/.test(textOf(`${devices}/${device}/ports/${port}/state`)),
    })),
  );
}

export const network = defineCheck<NetworkReading, Kind>({
  name: 'network',
  looksAt: 'UCX, its transports and memory types, RDMA devices',
  kinds: {
    'no-ucx': {
      severity: 'warning',
      when: 'UCX does not load',
      consequence: 'Points between nodes are skipped (E_NETWORK_MISSING). Ranks of one node do not need it.',
      remedy: 'apt-get install libucx0, or put the folder of libucp.so.0 on LD_LIBRARY_PATH.',
    },
    'no-network': {
      severity: 'warning',
      when: 'UCX loads and has no network for the transports and devices that it may use',
      consequence: 'Points between nodes are skipped (E_NETWORK_MISSING). Ranks of one node do not need it.',
      remedy:
        'Unset UCX_TLS and UCX_NET_DEVICES where they name what this machine does not have; hand the container a network device.',
    },
    'tcp-alone': {
      severity: 'info',
      when: 'TCP is the only network here',
      consequence:
        "Figures between nodes are TCP's: some GB/s, and tens of microseconds per message. network_transport says so.",
      remedy: 'None without an RDMA device.',
    },
    'rdma-unused': {
      severity: 'warning',
      when: 'an RDMA port is active, and UCX offers only TCP',
      consequence: 'Points between nodes run over TCP, many times slower than the hardware.',
      remedy:
        'Install the verbs modules of UCX (libucx0 with ib, rdma-core), raise ulimit -l, look at UCX_TLS and UCX_NET_DEVICES, hand /dev/infiniband to the container.',
    },
    'port-down': {
      severity: 'warning',
      when: 'an RDMA port is not active',
      consequence: 'That rail carries nothing; ranks close to it use another, more distant one.',
      remedy: 'Check cable, switch and subnet manager (ibstat); name the good ones in UCX_NET_DEVICES.',
    },
    'no-gpu-memory': {
      severity: 'info',
      when: 'there are GPUs, and this UCX knows no GPU memory',
      consequence: 'What crosses the network goes through pinned host memory: network_memory says host.',
      remedy: 'Install a UCX that is built with CUDA (--with-cuda).',
    },
    'no-peer-memory-module': {
      severity: 'info',
      when: 'there are GPUs and RDMA devices, and nvidia_peermem is not loaded',
      consequence:
        'RDMA reaches GPU memory only through DMA-BUF (open kernel modules, Linux 5.12, CUDA 11.7); without it, messages go through host memory.',
      remedy: 'modprobe nvidia_peermem (as root), or check that DMA-BUF is there.',
    },
  },
  read: () => ({
    ports: readPorts(),
    peerMemory: /^nvidia_peermem\b/m.test(textOf('/proc/modules')),
  }),
  judge: ({ ports, peerMemory }, { probes }) => {
    const found: Observation<Kind>[] = [];
    const down = ports.filter(({ active }) => !active).map(({ port }) => port);
    if (down.length > 0) found.push({ kind: 'port-down', what: down.join(', ') });
    const gpus = usableGpus(probes);
    if (gpus > 0 && ports.length > 0 && !peerMemory) {
      found.push({ kind: 'no-peer-memory-module', what: 'nvidia_peermem is not among the loaded modules' });
    }
    const { network: ucx } = probes;
    if (!ucx?.available) {
      const reason = ucx?.reason || (probes.build ? 'UCX did not answer' : 'there is no addon to ask');
      return [...found, { kind: ucx?.version ? 'no-network' : 'no-ucx', what: reason }];
    }
    const list = ucx.transports.join(', ');
    const transports = `UCX ${ucx.version}: ${list}`;
    const hasRdma = ucx.transports.some((name) => RDMA.test(name));
    if (!hasRdma && ports.some(({ active }) => active)) found.push({ kind: 'rdma-unused', what: transports });
    else if (!hasRdma) found.push({ kind: 'tcp-alone', what: transports });
    else found.push({ kind: 'ok', what: transports });
    if (gpus > 0 && !ucx.cudaMemory)
      found.push({ kind: 'no-gpu-memory', what: `UCX ${ucx.version} moves only host memory` });
    return found;
  },
});
