/** What must be alike for times of two runs to be comparable. Different machines are never compared by time. */

/** Null: not known, which runs of schema version 1 and runs without the thing say. */
export interface MachineClass {
  /** `host` or `cuda`. */
  readonly device: string;
  /** Distinct names of the ranks' devices, sorted, joined by `|`. */
  readonly deviceName: string;
  readonly cpuModel: string | null;
  /** Major version of the GPU driver. */
  readonly driverMajor: string | null;
  readonly nccl: string | null;
  readonly mpi: string | null;
  /** Ranks of each node in order, for example `4+4`; ` emulated` follows where `ranksPerNode` cut hosts. */
  readonly layout: string;
}

const MACHINE_CLASS_FIELDS = [
  'device',
  'deviceName',
  'cpuModel',
  'driverMajor',
  'nccl',
  'mpi',
  'layout',
] as const satisfies readonly (keyof MachineClass)[];

export interface ClassDifference {
  readonly field: keyof MachineClass;
  readonly left: string;
  readonly right: string;
}

/** Every field in which both are known and differ. */
export function classDifferences(left: MachineClass, right: MachineClass): ClassDifference[] {
  return MACHINE_CLASS_FIELDS.flatMap((field) => {
    const [a, b] = [left[field], right[field]];
    return a === null || b === null || a === b ? [] : [{ field, left: a, right: b }];
  });
}

/** Ranks of each node, `4+4`, from the node number of each rank. */
export function layoutText(nodeOfRank: readonly number[], ranksPerNode: number): string {
  const counts = new Map<number, number>();
  for (const node of nodeOfRank) counts.set(node, (counts.get(node) ?? 0) + 1);
  const ranks = [...counts].sort(([a], [b]) => a - b).map(([, count]) => count);
  return `${ranks.join('+')}${ranksPerNode > 0 ? ' emulated' : ''}`;
}

/** `Open MPI 4.1.4` of what the library says of itself; the text itself where it is of another kind. */
export function mpiText(library: string): string {
  const match = /(Open MPI|MPICH)\D*(\d[\w.]*)/.exec(library);
  return match ? `${match[1]} ${match[2]}` : library;
}

export function distinctText(names: readonly string[]): string {
  return [...new Set(names)].sort().join('|');
}
