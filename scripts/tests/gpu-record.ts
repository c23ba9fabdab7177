/** The last run of each file of tests that need GPUs: when, on what, at which commit, and what came of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseTap } from './cases.js';

/** Where, when and of what code a file ran. */
export interface GpuRun {
  /** UTC, YYYY-MM-DD. */
  readonly date: string;
  readonly commit: string;
  /** Digest of the GPU sources of that commit. */
  readonly gpuSources: string;
  /** "2 x NVIDIA H200, driver 580.1" */
  readonly machine: string;
}

export interface GpuTestFile extends GpuRun {
  /** test/cuda/moe.test.ts -> moe */
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  /** Tests that were skipped, with what they need. */
  readonly skipped: readonly string[];
  /** What is wrong with the file as a whole: it was ended early, say; empty = nothing. */
  readonly fault: string;
}

/** The last run of each file, by name. */
export type GpuTestRecord = readonly GpuTestFile[];

export const GPU_RECORD = join('docs', 'bench', 'gpu-tests.json');

/** What a folder of a run holds: this, and the TAP of each file as NAME.test.tap. */
export const GPU_RUN = 'run.json';

/** Of a folder that `npm run test:gpu` filled, here or on the machine that has the GPUs. */
export function recordOfFolder(folder: string): GpuTestRecord {
  const run = JSON.parse(readFileSync(join(folder, GPU_RUN), 'utf8')) as GpuRun;
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.tap'));
  if (files.length === 0) throw new Error(`${folder}: expected NAME.test.tap files, found none`);
  return files.sort().map((name) => {
    const tap = readFileSync(join(folder, name), 'utf8');
    return { ...run, ...outcomeOf(basename(name, '.test.tap'), tap) };
  });
}

/** Files that ran again replace their earlier records. */
export function joinRecords(known: GpuTestRecord, fresh: GpuTestRecord): GpuTestRecord {
  const names = new Set(fresh.map(({ name }) => name));
  const kept = known.filter(({ name }) => !names.has(name));
  return [...kept, ...fresh].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function outcomeOf(name: string, tap: string): Omit<GpuTestFile, keyof GpuRun> {
  const { cases, fault } = parseTap(tap);
  const count = (status: string): number => cases.filter((entry) => entry.status === status).length;
  const skipped = cases
    .filter(({ status }) => status === 'skipped')
    .map((entry) => `${entry.name}: ${entry.detail}`);
  return { name, passed: count('passed'), failed: count('failed'), skipped, fault };
}

export function readGpuRecord(root: string): GpuTestRecord {
  return JSON.parse(readFileSync(join(root, GPU_RECORD), 'utf8')) as GpuTestRecord;
}

/** Names of the files that there are now. */
export function gpuTestNames(root: string): string[] {
  return readdirSync(join(root, 'test', 'cuda'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => basename(name, '.test.ts'))
    .sort();
}
