/** What a plan gives each rank before it starts: its place in the world, its spec, and the faults of its files. */
import type { WorldInfo } from '../../runner/native/types/index.js';
import { itemAt } from '../../runner/values/items.js';
import { worldSizeOf, type Plan } from './plan.js';
import type { FileFault } from './rank-context.js';

export const RUN_ID = 'simulated';

/** What happens to the files of a rank. */
export function faultsOf({ file, start }: Plan, rank: number): FileFault[] {
  const whole = { kind: 'full', fromMs: 0, untilMs: Infinity } as const;
  const atStart = start?.rank === rank ? start.kind : undefined;
  return [
    ...(file?.rank === rank ? [file] : []),
    ...(atStart === 'folder' ? [{ ...whole, file: `/${RUN_ID}` }] : []),
    ...(atStart === 'rows' ? [{ ...whole, file: `rank-000${rank}.csv` }] : []),
  ];
}

export function infoOf(plan: Plan, rank: number): WorldInfo {
  const { hosts, ranksPerNode } = plan;
  const placeOn = (host: number, of: number): number =>
    hosts.slice(0, of).filter((other) => other === host).length;
  const nodeNames = hosts.map(
    (host, of) => `${host}/${ranksPerNode > 0 ? Math.floor(placeOn(host, of) / ranksPerNode) : 0}`,
  );
  const names = [...new Set(nodeNames)];
  const nodeOfRank = nodeNames.map((name) => names.indexOf(name));
  const node = itemAt(nodeOfRank, rank);
  const host = itemAt(hosts, rank);
  return {
    rank,
    worldSize: worldSizeOf(plan),
    node,
    numNodes: names.length,
    localRank: nodeOfRank.slice(0, rank).filter((other) => other === node).length,
    localSize: nodeOfRank.filter((other) => other === node).length,
    host,
    hostRank: placeOn(host, rank),
    hostSize: hosts.filter((other) => other === host).length,
    nodeOfRank,
    hostname: `host${host}`,
    mpiName: 'openmpi',
    mpiVersion: 'simulated',
  };
}

export function specOf({ jobs, ranksPerNode }: Plan): unknown {
  return {
    device: 'host',
    ranksPerNode,
    jobs: jobs.map(({ id, kind, numPoints, timeoutSeconds, iterations, warmup, saveSamples, stops }) => ({
      id,
      kind,
      timeoutSeconds,
      warmup,
      saveSamples,
      ...(stops ? { stopping: { maxNoisePct: 20, minIterations: 16, maxIterations: 64 } } : { iterations }),
      sweep: { variant: Array.from({ length: numPoints }, (_, variant) => variant) },
    })),
  };
}
