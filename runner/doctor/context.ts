/** What doctor is asked about, and what several checks look at: asked of the machine once. */
import type { JobKind } from '../job/kind.js';
import type { Variables } from '../environment/variables.js';
import type { Launcher } from '../environment/launcher.js';
import type { BuildInfo, DeviceProbe, GpuReport, NcclProbe, NetworkProbe } from '../native/types/index.js';
import type { SetEnvironmentKey } from '../job-spec/environment-keys.js';
import type { ResolvedSpec } from '../job-spec/types.js';

export interface DoctorContext {
  readonly launcher: Launcher;
  readonly variables: Variables;
  /** Variables that fix keys of jobs and are set. */
  readonly environmentKeys: readonly SetEnvironmentKey[];
  readonly worldSize: number;
  /** Ranks of the world on this machine. */
  readonly ranksHere: number;
  /** Place among them of the rank that this process stands for. */
  readonly localRank: number;
  readonly nativeFolder: string;
  readonly probes: Probes;
  readonly job: SpecToJudge | null;
}

export interface SpecToJudge {
  readonly path: string;
  readonly spec: ResolvedSpec;
  readonly kinds: readonly JobKind[];
}

/** What the addon says; null where there is no addon, or it cannot say. */
export interface Probes {
  readonly build: BuildInfo | null;
  /** Why there is no addon; '' where there is. */
  readonly buildReason: string;
  readonly devices: DeviceProbe | null;
  readonly gpus: GpuReport | null;
  readonly network: NetworkProbe | null;
  readonly nccl: NcclProbe | null;
  /** Why there is no NCCL; '' where there is. */
  readonly ncclReason: string;
}

/** GPUs that this process can use. */
export function usableGpus({ devices }: Probes): number {
  return devices?.cudaDevices ?? 0;
}
