/** The work of `plan`: a table of points and the largest need of a host. */
import Table from 'cli-table3';
import { EXIT } from '../errors.js';
import { setEnvironmentKeys } from '../job-spec/environment-keys.js';
import type { LoadOptions } from '../job-spec/load.js';
import { requireRunnable } from '../job-spec/require-runnable.js';
import type { PointPlan, SpecKind } from '../job-spec/spec-kind.js';
import { planPoints, type PlannedPoint } from '../job-spec/plan.js';
import type { ResolvedSpec } from '../job-spec/types.js';
import type { CommandResult } from './command-result.js';
import { availableMemory } from '../preflight/memory.js';
import { formatBytes } from '../text/bytes.js';

const TIERS = ['device', 'host', 'disk'] as const;

/** Throws SpecError for a spec that no world of that size can run. */
export function planSpec(path: string, worldSize: number, load: LoadOptions): CommandResult {
  const spec = requireRunnable(path, worldSize, load);
  const fixed = setEnvironmentKeys(load.kinds, load.variables ?? {}).map(
    ({ name, key, value }) => `Environment: ${name}=${value} fixes ${key} of every job that has it.`,
  );
  return {
    stdout: [planText(spec, worldSize, load.kinds), ...assumedLines(spec), ...fixed].join('\n'),
    stderr: '',
    exitStatus: EXIT.ok,
  };
}

const MOST_VALUES = 4;

/** What jobs did not say and got. */
function assumedLines({ assumed }: ResolvedSpec): string[] {
  return assumed.flatMap(({ jobId, values }) => {
    const words = Object.entries(values).map(([key, all]) => {
      const shown = all.slice(0, MOST_VALUES).map(String).join('|');
      return `${key}=${shown}${all.length > MOST_VALUES ? '|...' : ''}`;
    });
    return words.length === 0 ? [] : [`Not written in ${jobId}, so: ${words.join(' ')}`];
  });
}

/** Ranks of equal plan in one row: [first, last, plan]. */
function rankGroups(ranks: readonly PointPlan[]): { first: number; last: number; plan: PointPlan }[] {
  const groups: { first: number; last: number; plan: PointPlan; key: string }[] = [];
  for (const [rank, plan] of ranks.entries()) {
    const key = JSON.stringify(plan);
    const group = groups.at(-1);
    if (group?.key === key) group.last = rank;
    else groups.push({ first: rank, last: rank, plan, key });
  }
  return groups;
}

function planText(spec: ResolvedSpec, worldSize: number, kinds: readonly SpecKind[]): string {
  const planned = planPoints(spec, kinds, worldSize);
  const table = new Table({
    head: ['point', 'job', 'kind', 'params', 'ranks', 'payload', ...TIERS, 'details'],
    style: { head: [], border: [], compact: true },
  });
  for (const { point, ranks } of planned) {
    for (const [index, { first, last, plan }] of rankGroups(ranks).entries()) {
      const params = Object.entries(point.swept).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      const named =
        index === 0 ? [point.index, point.job.id, point.job.kind, params.join(' ')] : ['', '', '', ''];
      const details = Object.entries(plan.details ?? {}).map(([key, value]) => `${key}=${value}`);
      const memory = TIERS.map((tier) => formatBytes(plan.memoryBytes[tier]));
      const rank = first === last ? String(first) : `${first}-${last}`;
      table.push([...named, rank, formatBytes(plan.payloadBytes), ...memory, details.join(' ')]);
    }
  }
  return [table.toString(), ...hostLines(planned, spec.ranksPerNode, worldSize)].join('\n');
}

/** The most that one node's ranks need together while a point runs. */
function hostLines(planned: readonly PlannedPoint[], ranksPerNode: number, worldSize: number): string[] {
  const perNode = ranksPerNode === 0 ? worldSize : Math.min(ranksPerNode, worldSize);
  const lines = TIERS.map((tier) => {
    let most = { bytes: 0, point: 0 };
    for (const { point, ranks } of planned) {
      for (let start = 0; start < worldSize; start += perNode) {
        const bytes = ranks
          .slice(start, start + perNode)
          .reduce((sum, plan) => sum + plan.memoryBytes[tier], 0);
        if (bytes > most.bytes) most = { bytes, point: point.index };
      }
    }
    return most.bytes === 0
      ? `  ${tier}: none`
      : `  ${tier}: ${formatBytes(most.bytes)} (point ${most.point})`;
  });
  const available = availableMemory();
  const where = ranksPerNode === 0 ? `all ${worldSize} ranks on one host` : `nodes of ${perNode} ranks`;
  return [
    `Largest need of a host while a point runs, ${where}; on device host, device memory is host memory:`,
    ...lines,
    `Available on this host now: ${formatBytes(available.bytes)} of memory (${available.source}).`,
  ];
}
