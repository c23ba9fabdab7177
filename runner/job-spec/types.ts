/** The resolved spec: defaults filled in, presets expanded, frozen. What a run executes and the manifest records. */
import type { FilePlaces } from './files.js';

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

export const DEVICE_REQUESTS = ['cuda', 'host', 'auto'] as const;
export type DeviceRequest = (typeof DEVICE_REQUESTS)[number];
export const VERIFY_MODES = ['full', 'sample', 'off'] as const;
export type VerifyMode = (typeof VERIFY_MODES)[number];

/** How long a point goes on whose number of samples is not fixed. */
export interface StoppingRule {
  readonly maxNoisePct: number;
  readonly minIterations: number;
  readonly maxIterations: number;
  readonly maxSeconds: number;
}

/** Keys that every job has, after defaults. */
export interface CommonJobKeys {
  readonly id: string;
  readonly kind: string;
  readonly seed: number;
  readonly warmup: number;
  /** With `stopping`: its minIterations. */
  readonly iterations: number;
  readonly stopping?: StoppingRule;
  /** Of each stage of a point. */
  readonly timeoutSeconds: number;
  readonly verify: VerifyMode;
  readonly freeRunning: boolean;
  readonly probe: boolean;
  readonly saveSamples: boolean;
}

export interface ResolvedJob {
  readonly common: CommonJobKeys;
  /** Index in the spec's `jobs`, for JSON Pointers. */
  readonly index: number;
  readonly points: readonly Point[];
}

/** One member of a job's sweep product. */
export interface Point {
  /** 0-based over the whole run, in order of execution. */
  readonly index: number;
  readonly job: CommonJobKeys;
  readonly jobIndex: number;
  /** The whole resolved job of this point: common keys and the kind's own, sweep applied. Frozen. */
  readonly spec: JsonObject;
  /** What was swept: dotted key path -> value. */
  readonly swept: JsonObject;
  /** Where the files that the spec names lie on this machine: no part of what is run. */
  readonly files: FilePlaces;
}

/** What the keys of a job became that the spec left open. */
export interface AssumedKeys {
  readonly jobId: string;
  /** Dotted key path -> its distinct values over the job's points. */
  readonly values: Readonly<Record<string, readonly JsonValue[]>>;
}

export interface ResolvedSpec {
  readonly name: string;
  readonly seed: number;
  readonly device: DeviceRequest;
  /** 0 = nodes are hosts. */
  readonly ranksPerNode: number;
  readonly allowSharedDevice: boolean;
  readonly jobs: readonly ResolvedJob[];
  readonly points: readonly Point[];
  /** Where the files that the spec names lie: handed to the other ranks next to the text. */
  readonly files: FilePlaces;
  /** For `plan`: known where the spec was read, empty where its text arrived. */
  readonly assumed: readonly AssumedKeys[];
  /** Canonical JSON text (sorted keys, no blanks) of the resolved spec, and its sha256 in hex. */
  readonly canonicalText: string;
  readonly digest: string;
}
