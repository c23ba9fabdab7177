/** What `npm run bench` runs: one spec a suite, each with its baselines in the same run. */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { projectRoot } from '../../runner/project.js';

export interface Suite {
  /** Name of configs/bench/<name>.json, docs/bench/<name>.csv and of the table in docs/performance.md. */
  readonly name: string;
  readonly device: 'host' | 'cuda';
  readonly ranks: number;
  /** Part of `--quick`. */
  readonly quick: boolean;
  /** A file outside the clone that it needs. */
  readonly needsFile?: string;
  /** More words for `run`. */
  readonly args?: readonly string[];
}

const REAL_TRACE = resolve(projectRoot, '../shared/traces/conversation_trace.jsonl');

export const SUITES: readonly Suite[] = [
  { name: 'host-kv', device: 'host', ranks: 1, quick: true },
  { name: 'host-disk', device: 'host', ranks: 1, quick: true },
  {
    name: 'host-trace',
    device: 'host',
    ranks: 4,
    quick: true,
    needsFile: REAL_TRACE,
    // As seen from the spec: the path stands in the rows, which are kept.
    args: ['--set', `jobs.*.trace.path=${relative(join(projectRoot, 'configs', 'bench'), REAL_TRACE)}`],
  },
  { name: 'host-moe', device: 'host', ranks: 4, quick: true },
  { name: 'host-moe-nodes', device: 'host', ranks: 4, quick: true },
  { name: 'cuda-kv', device: 'cuda', ranks: 1, quick: true },
  { name: 'cuda-kv-4', device: 'cuda', ranks: 4, quick: true },
  { name: 'cuda-disk', device: 'cuda', ranks: 1, quick: true },
  { name: 'replicated', device: 'cuda', ranks: 4, quick: true },
  { name: 'moe-cuda', device: 'cuda', ranks: 4, quick: true },
];

/** Why a suite cannot run here; undefined where it can. */
export function missing(suite: Suite): string | undefined {
  if (suite.needsFile && !existsSync(suite.needsFile)) return `needs the file ${suite.needsFile}`;
  return undefined;
}
