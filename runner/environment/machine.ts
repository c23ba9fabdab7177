/** What a host says of itself. */
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

export interface HostFacts {
  /** Release of the kernel. */
  readonly kernel: string;
  /** Null where the system does not tell. */
  readonly cpuModel: string | null;
  /** Of the GPU driver; null where none is loaded. */
  readonly driverVersion: string | null;
}

const DRIVER_FILE = '/proc/driver/nvidia/version';

export function hostFacts(): HostFacts {
  const cpuModel = cpus()[0]?.model.trim() /* v8 ignore next -- another machine */ || null;
  return { kernel: release(), cpuModel, driverVersion: driverVersion() };
}

/** `file`: another in tests. */
export function driverVersion(file = DRIVER_FILE): string | null {
  try {
    return parseDriverVersion(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

/** "570.86.15" of "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Tue Jan ...". */
function parseDriverVersion(text: string): string | null {
  return /^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s/m.exec(text)?.[1] ?? null;
}
