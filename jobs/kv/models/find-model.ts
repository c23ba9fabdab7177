/** A model by name or path: presets shipped as data, config.json files, folders that hold one. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SpecFiles } from '../../../runner/job-spec/files.js';
import type { SpecIssue } from '../../../runner/job-spec/issue.js';
import { isObject } from '../../../runner/job-spec/pointer.js';
import { suggestion } from '../../../runner/job-spec/suggest.js';
import { projectRoot } from '../../../runner/project.js';
import type { ConfigObject } from './config-keys.js';
import { LARGEST_CONFIG_BYTES, parseConfig } from './config-text.js';
import type { KvGroup, ModelGeometry } from './geometry.js';
import { DEFAULT_READ, readConfig, type ReadOptions } from './read-config.js';
import { ConfigRefusal } from './refusal.js';
import { parseJsonObject } from '../../../runner/values/json.js';
import { readText } from '../../../runner/values/keys.js';

/** A preset is the part of a real config.json that decides, read by the rules of every file. */
export interface Preset {
  /** Where its numbers are from. */
  readonly source: string;
  readonly config: ConfigObject;
}

type Answer<T> = T | { readonly issue: SpecIssue };

/** A configuration as JSON, and what came with it. */
export interface ModelFile {
  /** The preset's name, or the path. */
  readonly name: string;
  readonly document: unknown;
  readonly quantConfig: ConfigObject | null;
}

const EXPECTED = 'a preset, or the path of a Hugging Face config.json or of its folder';

let presets: Readonly<Record<string, Preset>> | undefined;

/** Name -> preset, read once. */
export function modelPresets(): Readonly<Record<string, Preset>> {
  const path = join(projectRoot, 'jobs', 'kv', 'models', 'presets.json');
  presets ??= readPresets(path);
  return presets;
}

function readPresets(path: string): Record<string, Preset> {
  const found: Record<string, Preset> = {};
  for (const [name, preset] of Object.entries(parseJsonObject(readFileSync(path, 'utf8')))) {
    if (!isObject(preset) || !isObject(preset['config'])) throw new TypeError(`${path}: ${name}: no config`);
    found[name] = { source: readText(preset, 'source'), config: preset['config'] };
  }
  return found;
}

/** What a whole model keeps, before tensor parallelism. */
export function findModelGeometry(
  model: string,
  pointer: string,
  files: SpecFiles,
  options: Omit<ReadOptions, 'quantConfig'> = DEFAULT_READ,
): Answer<{ readonly geometry: ModelGeometry; readonly name: string }> {
  return readModel(model, pointer, files, ({ name, document, quantConfig }) => ({
    geometry: readConfig(document, { ...options, quantConfig }),
    name,
  }));
}

/** The groups of a whole model, before tensor parallelism. */
export function findModelGroups(
  model: string,
  pointer: string,
  files: SpecFiles,
  options: Omit<ReadOptions, 'quantConfig'> = DEFAULT_READ,
): Answer<{ readonly groups: readonly KvGroup[] }> {
  const found = findModelGeometry(model, pointer, files, options);
  return 'issue' in found ? found : { groups: found.geometry.groups };
}

/** Finds a model, and gives what `read` makes of it. A ConfigRefusal of either is the answer's issue. */
export function readModel<T extends object>(
  model: string,
  pointer: string,
  files: SpecFiles,
  read: (file: ModelFile) => T,
): Answer<T> {
  const found = findFile(model, pointer, files);
  if ('issue' in found) return found;
  const { name, text, quantFile } = found;
  try {
    const quantConfig = quantFile === null ? null : quantConfigOf(quantFile);
    return read({ name, document: typeof text === 'string' ? parseConfig(text) : text.config, quantConfig });
  } catch (error) {
    if (!(error instanceof ConfigRefusal)) throw error;
    const { expected, received, hint } = error.refused;
    const place = `in ${name}`;
    return { issue: { pointer, expected, received, hint: hint === undefined ? place : `${hint}; ${place}` } };
  }
}

interface Found {
  readonly name: string;
  readonly text: string | Preset;
  /** Text of hf_quant_config.json in the same folder. */
  readonly quantFile: string | null;
}

function findFile(model: string, pointer: string, files: SpecFiles): Answer<Found> {
  const known = modelPresets();
  const preset = Object.hasOwn(known, model) ? known[model] : undefined;
  if (preset !== undefined) return { name: model, text: preset, quantFile: null };
  const answer = files.read(model, LARGEST_CONFIG_BYTES);
  const inFolder = 'file' in answer ? answer : files.read(join(model, 'config.json'), LARGEST_CONFIG_BYTES);
  if ('file' in inFolder) {
    const quantFile = besideOf(join(dirname(inFolder.file.path), 'hf_quant_config.json'), files);
    if (typeof quantFile === 'object' && quantFile !== null)
      return { issue: { pointer, expected: EXPECTED, ...quantFile } };
    return { name: inFolder.file.path, text: inFolder.file.text, quantFile };
  }
  if (!('file' in answer) && !model.includes('/') && !model.endsWith('.json') && isAbsent(answer.received)) {
    const hint = suggestion(model, Object.keys(known));
    return { issue: { pointer, expected: EXPECTED, received: JSON.stringify(model), hint } };
  }
  // A folder without config.json is told by the file that it lacks.
  const isFolder = !('file' in answer) && answer.received.endsWith('a directory');
  const said = isFolder || 'file' in answer ? inFolder : answer;
  return { issue: { pointer, expected: EXPECTED, ...said } };
}

function besideOf(path: string, files: SpecFiles): string | null | { received: string; hint: string } {
  const answer = files.read(path, LARGEST_CONFIG_BYTES);
  if ('file' in answer) return answer.file.text;
  return isAbsent(answer.received) ? null : answer;
}

const isAbsent = (received: string): boolean => received.endsWith(', not found');

function quantConfigOf(text: string): ConfigObject {
  const value = parseConfig(text);
  if (isObject(value)) return value;
  throw new ConfigRefusal('a JSON object in hf_quant_config.json', JSON.stringify(value));
}
