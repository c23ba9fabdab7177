import type { GpuDescription } from '../../native/types/index.js';
import { defineCheck, type Observation } from '../finding.js';
import { perGpu } from '../per-gpu.js';

type Kind = 'no-peer-access' | 'pcie-narrow' | 'nvlinks-unequal';

function pairsWithoutAccess(gpus: readonly GpuDescription[]): string[] {
  return gpus.flatMap((gpu) =>
    gpu.peerAccess.flatMap((can, peer) => (peer > gpu.ordinal && !can ? [`${gpu.ordinal}-${peer}`] : [])),
  );
}

export const gpuLinks = defineCheck<readonly GpuDescription[], Kind>({
  name: 'gpu-links',
  looksAt: 'peer access, NVLink and PCIe of the GPUs',
  kinds: {
    'no-peer-access': {
      severity: 'warning',
      when: "two GPUs cannot access each other's memory",
      consequence: 'Ranks on them cannot use the ipc path; NCCL goes through host memory.',
      remedy:
        'Check `nvidia-smi topo -p2p r`; PCIe ACS or an IOMMU in the way are switched off in the firmware or by the host of the virtual machine.',
    },
    'pcie-narrow': {
      severity: 'warning',
      when: 'a GPU has fewer PCIe lanes than it could',
      consequence: 'Copies between host and this GPU have a fraction of the bandwidth of the others.',
      remedy: 'Reseat the card, check the slot and its bifurcation; compare the probed peaks of the ranks.',
    },
    'nvlinks-unequal': {
      severity: 'warning',
      when: 'the GPUs have different numbers of active NVLinks',
      consequence: 'The GPU with fewer is the slowest of every exchange; fabric errors are the usual cause.',
      remedy: 'Check `nvidia-smi nvlink -s`, the fabric manager and the kernel log (Xid 74).',
    },
  },
  read: ({ probes }) => probes.gpus?.gpus ?? [],
  judge: (gpus) => {
    if (gpus.length === 0) return [];
    const found: Observation<Kind>[] = [];
    const pairs = pairsWithoutAccess(gpus);
    if (pairs.length > 0) found.push({ kind: 'no-peer-access', what: `GPUs ${pairs.join(', ')}` });
    const narrow = perGpu(gpus, ({ state: { pcieWidth, maxPcieWidth } }) =>
      pcieWidth !== null && maxPcieWidth !== null && pcieWidth < maxPcieWidth
        ? `x${pcieWidth} of x${maxPcieWidth}`
        : null,
    );
    if (narrow !== '') found.push({ kind: 'pcie-narrow', what: narrow });
    const links = gpus.map(({ state }) => state.activeNvlinks).filter((count) => count !== null);
    if (new Set(links).size > 1) {
      const what = perGpu(gpus, ({ state }) =>
        state.activeNvlinks === null ? null : `${state.activeNvlinks} links`,
      );
      found.push({ kind: 'nvlinks-unequal', what });
    }
    if (found.length > 0) return found;
    const nvlink = links[0] ? `, ${links[0]} NVLinks each` : '';
    return [
      { kind: 'ok', what: gpus.length === 1 ? `one GPU${nvlink}` : `every GPU reaches every other${nvlink}` },
    ];
  },
});
