/** manifest.json of a run, of any schema version that is known, checked field by field: files are hostile until then. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { RunnerError, codeOf, messageOf } from '../errors.js';
import { canonicalJson } from '../job-spec/canonical.js';
import { parseResolvedSpec } from '../job-spec/resolved-text.js';
import type { Point } from '../job-spec/types.js';
import { parseNumberList } from '../text/ranges.js';
import { damaged, unreadable } from './csv-rows.js';
import { distinctText, layoutText, mpiText, type MachineClass } from './machine-class.js';
import { isOneOf } from '../values/items.js';
import { isObject } from '../job-spec/pointer.js';

/** 10 000 points of a spec take some 10 MB. */
const LARGEST_MANIFEST_BYTES = 256 * 1024 * 1024;
const OLDEST_SCHEMA = 1;
const NEWEST_SCHEMA = 2;

const OUTCOMES = ['running', 'ok', 'failed', 'timeout', 'aborted', 'refused', 'incomplete'] as const;

/** One part of a run that `--shard` split. */
export interface ShardPlace {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

export interface RunManifest {
  readonly schemaVersion: number;
  readonly runId: string;
  /** `running` where the run was cut short or still goes on: manifest.json.part is all there is. */
  readonly outcome: (typeof OUTCOMES)[number];
  readonly exitStatus: number | null;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly specName: string;
  readonly specDigest: string;
  /** Every point of the spec, in order, those of other shards included. */
  readonly points: readonly Point[];
  readonly worldSize: number;
  readonly machine: MachineClass;
  /** Of railrunner and what it runs on, as written. */
  readonly versions: Readonly<Record<string, unknown>>;
  /** Undefined: the run holds all points. */
  readonly shard: ShardPlace | undefined;
  /** Numbers of the points that `--points` named; undefined: all, or a run from before this was recorded. */
  readonly selectedPoints: readonly number[] | undefined;
  /** Everything as written, for what this type does not name. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** The manifest, or manifest.json.part of a run that did not end. Rejects with E_RUN_READ. */
export async function readManifest(folder: string): Promise<RunManifest> {
  const finished = join(folder, 'manifest.json');
  const running = join(folder, 'manifest.json.part');
  // A run that ends right now renames one to the other between two looks.
  for (const path of [finished, running, finished]) {
    const text = await readBounded(path);
    if (text === undefined) continue;
    const manifest = parseManifest(path, text);
    return path === finished ? manifest : { ...manifest, outcome: 'running' };
  }
  throw new RunnerError(
    'E_RUN_READ',
    `${folder}: expected a run folder with manifest.json, found neither it nor manifest.json.part; ` +
      `name a folder that a run wrote (results/<run-id>)`,
  );
}

async function readBounded(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      if (size > LARGEST_MANIFEST_BYTES) {
        throw damaged(path, `expected at most ${LARGEST_MANIFEST_BYTES} bytes, received ${size}`);
      }
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = codeOf(error);
    // A file among run folders: results/README.md of `report results/*`.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(path, error);
  }
}

export function parseManifest(path: string, text: string): RunManifest {
  const json = objectOf(path, '', parseJson(path, text));
  const schemaVersion = numberOf(path, 'schemaVersion', json['schemaVersion']);
  if (schemaVersion < OLDEST_SCHEMA || schemaVersion > NEWEST_SCHEMA) {
    throw new RunnerError(
      'E_RUN_READ',
      `${path}: schemaVersion: expected ${OLDEST_SCHEMA} to ${NEWEST_SCHEMA}, received ${schemaVersion}; ` +
        `read it with the version of railrunner that wrote it, or a newer one`,
    );
  }
  const outcome = stringOf(path, 'outcome', json['outcome']);
  if (!isOneOf(OUTCOMES, outcome)) throw damaged(path, `outcome: unknown word ${JSON.stringify(outcome)}`);
  const spec = objectOf(path, 'spec', json['spec']);
  const specDigest = stringOf(path, 'spec.digest', spec['digest']);
  const resolved = resolvedOf(path, specDigest, spec['resolved']);
  const ended = json['endedAt'];
  const exitStatus = json['exitStatus'];
  return {
    schemaVersion,
    runId: stringOf(path, 'runId', json['runId']),
    outcome,
    exitStatus: typeof exitStatus === 'number' ? exitStatus : null,
    startedAt: dateOf(path, 'startedAt', json['startedAt']),
    endedAt: typeof ended === 'string' ? dateOf(path, 'endedAt', ended) : null,
    specName: resolved.name,
    specDigest,
    points: resolved.points,
    ...placesOf(path, json),
    shard: shardOf(path, json['shard']),
    selectedPoints: selectedOf(path, json['points'], resolved.points.length),
    json,
  };
}

type ResolvedPoints = Pick<ReturnType<typeof parseResolvedSpec>, 'name' | 'points'>;

/** Runs that are compared mostly share their spec, and parsing one of many points takes its time. */
const resolvedByDigest = new Map<string, ResolvedPoints>();
const MAX_REMEMBERED = 32;

function resolvedOf(path: string, digest: string, resolved: unknown): ResolvedPoints {
  const known = resolvedByDigest.get(digest);
  if (known) return known;
  try {
    const spec = parseResolvedSpec(canonicalJson(resolved ?? null), {});
    if (spec.digest !== digest)
      throw damaged(path, 'spec.resolved is not the text that spec.digest stands for');
    if (resolvedByDigest.size >= MAX_REMEMBERED) resolvedByDigest.clear();
    resolvedByDigest.set(digest, spec);
    return spec;
  } catch (error) {
    if (error instanceof RunnerError && error.code === 'E_RUN_READ') throw error;
    throw damaged(path, `spec.resolved: ${messageOf(error)}`);
  }
}

function placesOf(
  path: string,
  json: Readonly<Record<string, unknown>>,
): Pick<RunManifest, 'worldSize' | 'machine' | 'versions'> {
  const topology = objectOf(path, 'topology', json['topology']);
  const ranks = arrayOf(path, 'topology.ranks', topology['ranks']);
  const worldSize = numberOf(path, 'topology.worldSize', topology['worldSize']);
  if (ranks.length !== worldSize) {
    throw damaged(path, `topology.ranks: expected ${worldSize} ranks, received ${ranks.length}`);
  }
  const nodes = ranks.map((rank, at) =>
    numberOf(path, `topology.ranks.${at}.node`, isObject(rank) ? rank['node'] : undefined),
  );
  const devices = arrayOf(path, 'devices', json['devices']).map((device, at) => {
    const fields = objectOf(path, `devices.${at}`, device);
    return { kind: String(fields['kind'] ?? ''), name: String(fields['name'] ?? '') };
  });
  const versions = objectOf(path, 'versions', json['versions']);
  const machine = isObject(json['machine']) ? json['machine'] : {};
  const mpi = textOrNull(machine['mpi']) ?? textOrNull(versions['mpi']);
  return {
    worldSize,
    versions,
    machine: {
      device: distinctText(devices.map((device) => device.kind)),
      deviceName: distinctText(devices.map((device) => device.name)),
      cpuModel: textOrNull(machine['cpuModel']),
      driverMajor: textOrNull(machine['driverMajor']),
      nccl: textOrNull(machine['nccl']) ?? textOrNull(versions['nccl']),
      mpi: mpi === null ? null : mpiText(mpi),
      layout: layoutText(nodes, numberOf(path, 'topology.ranksPerNode', topology['ranksPerNode'])),
    },
  };
}

function shardOf(path: string, value: unknown): ShardPlace | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = objectOf(path, 'shard', value);
  const index = numberOf(path, 'shard.index', fields['index']);
  const count = numberOf(path, 'shard.count', fields['count']);
  if (index < 1 || index > count) throw damaged(path, `shard: ${index} of ${count} is not possible`);
  return { index, count };
}

function selectedOf(path: string, value: unknown, numPoints: number): readonly number[] | undefined {
  if (value === undefined || value === null) return undefined;
  const points = parseNumberList(stringOf(path, 'points', value), numPoints);
  if (points) return points;
  throw unexpected(path, 'points', `numbers and ranges below ${numPoints}, such as 0,3,7-9`, value);
}

type JsonFields = Readonly<Record<string, unknown>>;

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(path, `expected JSON: ${messageOf(error)}`);
  }
}

function objectOf(path: string, name: string, value: unknown): JsonFields {
  if (isObject(value)) return value;
  throw unexpected(path, name, 'an object', value);
}

function arrayOf(path: string, name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unexpected(path, name, 'a list', value);
}

function stringOf(path: string, name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw unexpected(path, name, 'a text', value);
}

function numberOf(path: string, name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw unexpected(path, name, 'a whole number from 0', value);
}

function dateOf(path: string, name: string, value: unknown): Date {
  const date = new Date(stringOf(path, name, value));
  if (Number.isNaN(date.getTime())) throw unexpected(path, name, 'a time of ISO 8601', value);
  return date;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function unexpected(path: string, name: string, expected: string, value: unknown): RunnerError {
  const received = value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80);
  return damaged(path, `${name === '' ? 'the file' : name}: expected ${expected}, received ${received}`);
}
