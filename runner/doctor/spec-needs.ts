/** What a spec needs of a machine, by the plans of its points. */
import { decideKind } from '../world/device.js';
import { fitIssues, needOf } from '../preflight/memory.js';
import { toRunnerError } from '../errors.js';
import type { DeviceKindName } from '../native/types/index.js';
import { worldIssues } from '../job-spec/resolve-job.js';
import { usableGpus, type DoctorContext, type SpecToJudge } from './context.js';
import { kindsByName } from '../job-spec/spec-kind.js';
import { present, valueOf } from '../values/items.js';

/** Folders of the disk tiers of all points, by rank 0's plans: a folder is the same on every rank. */
export function diskPathsOf({ spec, kinds }: SpecToJudge): string[] {
  const byName = kindsByName(kinds);
  const place = { worldSize: 1, rank: 0, ranksPerNode: 1, device: 'host' } as const;
  const paths = spec.points.flatMap((point) => {
    const kind = valueOf(byName, point.job.kind);
    const need = kind.need?.(point, place) ?? kind.plan(point, place);
    return need.memoryBytes.disk > 0 ? [present(need.diskPath, 'diskPath of a plan with disk bytes')] : [];
  });
  return [...new Set(paths)];
}

/** The device that all ranks would decide on if every machine were as this one; or why they would refuse. */
export function deviceOf(
  { probes }: DoctorContext,
  { spec }: SpecToJudge,
): { readonly kind: DeviceKindName } | { readonly refusal: string } {
  const offer = {
    cudaDevices: usableGpus(probes),
    reason: probes.devices?.reason ?? 'there is no addon to ask',
  };
  try {
    return { kind: decideKind(spec.device, [offer]) };
  } catch (error) {
    return { refusal: toRunnerError(error).message };
  }
}

/** Rules that only this number of ranks breaks, one sentence each. */
export function worldRefusals({ worldSize }: DoctorContext, { spec, kinds }: SpecToJudge): string[] {
  const issues = worldIssues(spec.points, kinds, worldSize);
  const sentences = issues.map(
    ({ pointer, expected, received }) => `${pointer}: expected ${expected}, received ${received}`,
  );
  return [...new Set(sentences)];
}

/** What does not fit here, with the figures, asked as a run asks before it allocates. */
export function fitRefusals(
  { worldSize, ranksHere, probes }: DoctorContext,
  { spec, kinds }: SpecToJudge,
  device: DeviceKindName,
): string[] {
  const byName = kindsByName(kinds);
  const gpus = probes.gpus?.gpus ?? [];
  const needs = Array.from({ length: ranksHere }, (_, rank) => {
    const gpu = gpus[rank % Math.max(1, gpus.length)];
    // Where the driver does not say what is in use, the whole of the GPU counts as free: only the impossible is refused.
    const freeBytes = gpu ? gpu.totalBytes - (gpu.state.usedBytes ?? 0) : Number.MAX_SAFE_INTEGER;
    const place = { worldSize, rank, ranksPerNode: spec.ranksPerNode || ranksHere };
    return needOf(spec, byName, place, 0, { kind: device, freeBytes });
  });
  return fitIssues(needs, device);
}

export interface SkippedPoints {
  readonly reason: string;
  readonly points: readonly number[];
}

/** Points that this machine would skip, by reason. */
export function skippedPoints(
  { worldSize, ranksHere, probes }: DoctorContext,
  { spec, kinds }: SpecToJudge,
  device: DeviceKindName,
): SkippedPoints[] {
  const byName = kindsByName(kinds);
  const place = {
    worldSize,
    ranksPerNode: spec.ranksPerNode || ranksHere,
    device,
    ncclMissing: probes.nccl ? '' : probes.ncclReason,
    networkMissing: probes.network?.available ? '' : probes.network?.reason || 'UCX cannot be asked',
  };
  const reasons = new Map<string, number[]>();
  for (const point of spec.points) {
    const reason = valueOf(byName, point.job.kind).skipReason?.(point, place) ?? null;
    if (reason !== null) reasons.set(reason, [...(reasons.get(reason) ?? []), point.index]);
  }
  return [...reasons].map(([reason, points]) => ({ reason, points }));
}
