/** What the driver says of the GPUs: for `doctor`. Null: the driver's management library (NVML) does not say. */

export interface GpuState {
  /** Bits of NVML's clocks throttle reasons. */
  readonly throttleReasons: number | null;
  readonly utilizationPercent: number | null;
  readonly usedBytes: number | null;
  /** Processes with a compute context. */
  readonly numProcesses: number | null;
  readonly smClockMHz: number | null;
  readonly maxSmClockMHz: number | null;
  readonly temperatureCelsius: number | null;
  readonly powerLimitMilliwatts: number | null;
  readonly defaultPowerLimitMilliwatts: number | null;
  /** 0 or 1. */
  readonly persistence: number | null;
  /** 0 or 1. */
  readonly mig: number | null;
  readonly pcieWidth: number | null;
  readonly maxPcieWidth: number | null;
  readonly activeNvlinks: number | null;
  /** Payload over all links since the driver was loaded; counted in KiB. */
  readonly nvlinkSentBytes: number | null;
  /** Since the driver was loaded. */
  readonly uncorrectedEccErrors: number | null;
}

export interface GpuDescription {
  readonly ordinal: number;
  readonly name: string;
  readonly uuid: string;
  /** "0000:1b:00.0" */
  readonly pciBusId: string;
  /** -1 where the kernel does not say. */
  readonly numaNode: number;
  readonly totalBytes: number;
  /** "9.0" */
  readonly computeCapability: string;
  readonly computeMode: 'default' | 'exclusive' | 'prohibited';
  /** By ordinal of the other; of itself false. */
  readonly peerAccess: readonly boolean[];
  readonly state: GpuState;
}

export interface GpuReport {
  /** "580.95.05"; '' where NVML does not load. */
  readonly driverVersion: string;
  /** Visible to this process or not. */
  readonly installedGpus: number | null;
  /** Why no state is known; '' where it is. */
  readonly reason: string;
  /** The visible ones. */
  readonly gpus: readonly GpuDescription[];
}
