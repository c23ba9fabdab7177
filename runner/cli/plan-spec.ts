/** The work of `plan`: a table of points and the largest memory that a host needs. */
import { EXIT } from '../errors.js';
import { setEnvironmentKeys } from '../job-spec/environment-keys.js';
import type { LoadOptions } from '../job-spec/load.js';
import { requireRunnable } from '../job-spec/require-runnable.js';
import type { PointPlan, SpecKind } from '../job-spec/spec-kind.js';
import { planPoints, type PlannedPoint } from '../job-spec/plan.js';
import type { JsonValue, Point, ResolvedSpec } from '../job-spec/types.js';
import type { CommandResult } from './command-result.js';
import { availableMemory } from '../preflight/memory.js';
import { formatBytes } from '../text/bytes.js';
import { numberList } from '../text/ranges.js';
import { textTable } from '../text/table.js';
import { itemAt } from '../values/items.js';

const TIERS = ['device', 'host', 'disk'] as const;

/** Throws SpecError for a spec that no world of that size can run. */
export function planSpec(path: string, worldSize: number, load: LoadOptions): CommandResult {
  const spec = requireRunnable(path, worldSize, load);
  const fixed = setEnvironmentKeys(load.kinds, load.variables ?? {}).map(
    ({ name, key, value }) => `Environment: ${name}=${value} sets ${key} of every job that has it.`,
  );
  return {
    stdout: [planText(spec, worldSize, load.kinds), ...assumedLines(spec), ...fixed].join('\n'),
    stderr: '',
    exitStatus: EXIT.ok,
  };
}

const MOST_VALUES = 4;

/** Keys that jobs left out, with the values they got. */
function assumedLines({ assumed }: ResolvedSpec): string[] {
  return assumed.flatMap(({ jobId, values }) => {
    const words = Object.entries(values).map(([key, all]) => {
      const shown = all.slice(0, MOST_VALUES).map(String).join('|');
      return `${key}=${shown}${all.length > MOST_VALUES ? '|...' : ''}`;
    });
    return words.length === 0 ? [] : [`Defaults of ${jobId}: ${words.join(' ')}`];
  });
}

/** Ranks of one row. */
interface RankGroup {
  readonly first: number;
  last: number;
  readonly plans: readonly PointPlan[];
}

/** A point of a large world whose ranks all differ a little (routing is random) is one row of ranges. */
const MOST_ROWS = 16;

/** Ranks of equal plan in one row; all in one where that makes too many. */
function rankGroups(ranks: readonly PointPlan[]): RankGroup[] {
  const groups: (RankGroup & { readonly key: string })[] = [];
  for (const [rank, plan] of ranks.entries()) {
    const key = JSON.stringify(plan);
    const group = groups.at(-1);
    if (group?.key === key) group.last = rank;
    else groups.push({ first: rank, last: rank, plans: [plan], key });
  }
  return groups.length <= MOST_ROWS ? groups : [{ first: 0, last: ranks.length - 1, plans: ranks }];
}

/** "27.3 MiB", or "27.3 MiB to 28.9 MiB". */
function bytesRange(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((bytes) => formatBytes(bytes));
  return least === most ? `${most}` : `${least} to ${most}`;
}

/** Details that all plans share, and the range of numbers that differ. A detail that some lack differs. */
function detailsRange(plans: readonly PointPlan[]): string {
  const all = plans.map(({ details = {} }) => details);
  const words = [...new Set(all.flatMap(Object.keys))].map((key) => {
    const values = all.map((details) => details[key]);
    const numbers = values.filter((value) => typeof value === 'number');
    if (new Set(values).size === 1) return `${key}=${values[0]}`;
    return numbers.length === values.length
      ? `${key}=${Math.min(...numbers)}..${Math.max(...numbers)}`
      : `${key}=differs`;
  });
  return words.join(' ');
}

const BYTES = ['payload', ...TIERS];

function planText(spec: ResolvedSpec, worldSize: number, kinds: readonly SpecKind[]): string {
  const planned = planPoints(spec, kinds, worldSize);
  const grouped = planned.map(({ point, ranks }) => ({ point, groups: rankGroups(ranks) }));
  const rows = grouped.flatMap(({ point, groups }) => {
    const swept = Object.entries(point.swept).map(([key, value]) => `${key}=${valueText(value)}`);
    return groups.map(({ first, last, plans }, index) => {
      const named =
        index === 0 ? [String(point.index), point.job.id, point.job.kind, swept.join(' ')] : ['', '', '', ''];
      const payload = bytesRange(plans.map(({ payloadBytes }) => payloadBytes));
      const memory = TIERS.map((tier) => bytesRange(plans.map(({ memoryBytes }) => memoryBytes[tier])));
      return [...named, numberRange(first, last), payload, ...memory];
    });
  });
  const head = ['point', 'job', 'kind', 'swept', 'ranks', ...BYTES];
  return [
    textTable(head, rows, { rightAligned: BYTES }),
    ...detailLines(grouped),
    ...hostLines(planned, spec.ranksPerNode, worldSize),
  ].join('\n');
}

const valueText = (value: JsonValue): string => (typeof value === 'string' ? value : JSON.stringify(value));
const numberRange = (first: number, last: number): string =>
  first === last ? String(first) : `${first}-${last}`;

/** What kinds say of their points, a line for all points with the same details. */
function detailLines(
  grouped: readonly { readonly point: Point; readonly groups: readonly RankGroup[] }[],
): string[] {
  const pointsOf = new Map<string, number[]>();
  for (const { point, groups } of grouped) {
    const details = groups.map(({ plans }) => detailsRange(plans));
    const alike = details.every((text) => text === details[0]);
    const texts = groups.map(({ first, last }, at) =>
      alike ? itemAt(details, at) : `ranks ${numberRange(first, last)}: ${details[at]}`,
    );
    for (const text of new Set(texts)) pointsOf.set(text, [...(pointsOf.get(text) ?? []), point.index]);
  }
  return [...pointsOf]
    .filter(([text]) => text !== '')
    .map(([text, points]) => `${points.length === 1 ? 'point' : 'points'} ${numberList(points)}: ${text}`);
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
    `Largest memory of a host at any point, ${where}; on device host, device memory is host memory:`,
    ...lines,
    `Available on this host now: ${formatBytes(available.bytes)} of memory (${available.source}).`,
  ];
}
