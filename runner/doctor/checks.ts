/** All checks, in the order in which they are documented. */
import { build } from './checks/build.js';
import { cores } from './checks/cores.js';
import { disk } from './checks/disk.js';
import { gpuClocks } from './checks/gpu-clocks.js';
import { gpuLinks } from './checks/gpu-links.js';
import { gpuUse } from './checks/gpu-use.js';
import { gpus } from './checks/gpus.js';
import { limits } from './checks/limits.js';
import { memlock } from './checks/memlock.js';
import { memory } from './checks/memory.js';
import { mpi } from './checks/mpi.js';
import { nccl } from './checks/nccl.js';
import { network } from './checks/network.js';
import { numa } from './checks/numa.js';
import { sharedMemory } from './checks/shared-memory.js';
import { spec } from './checks/spec.js';
import { variables } from './checks/variables.js';
import type { Check } from './finding.js';

export const CHECKS: readonly Check[] = [
  spec,
  build,
  mpi,
  variables,
  cores,
  memory,
  memlock,
  limits,
  sharedMemory,
  numa,
  disk,
  gpus,
  gpuLinks,
  gpuClocks,
  gpuUse,
  network,
  nccl,
];
