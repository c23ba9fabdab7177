/** Turns a KV job as written into what runs: layouts of every tier in numbers, the trace counted, ranges whole. */
import type { Fault } from '../../runner/job-spec/issue.js';
import { showValue } from '../../runner/job-spec/issue.js';
import type { SpecFiles } from '../../runner/job-spec/files.js';
import type { ResolveAnswer, ResolveRequest } from '../../runner/job-spec/spec-kind.js';
import { isObject, pointerOf } from '../../runner/job-spec/pointer.js';
import type { JsonObject } from '../../runner/job-spec/types.js';
import { countTouched } from './block-order.js';
import { modelDimensions } from './model-dimensions.js';
import type { KvLayout, KvSpec } from './kv-spec.js';
import { keyFaults } from './rules.js';
import { LAYOUT_DEFAULTS } from './schema.js';
import { readTrace } from './trace.js';

type Given = Readonly<Record<string, unknown>>;
type LayoutAnswer = { readonly layout: KvLayout } | { readonly faults: readonly Fault[] };

const DIMENSIONS = ['numLayers', 'outerDim', 'innerDim'] as const;

export function resolveKv(request: ResolveRequest): ResolveAnswer {
  const { swept, files } = request;
  const { spec, given } = withFixedKeys(request);
  const faults = meaninglessKeys(given, swept);
  const layouts = resolveLayouts(given, swept, files, faults);
  const resolved: Record<string, unknown> = { ...spec, ...layouts };
  resolved['layerRange'] ??= [0, layouts?.layout.numLayers ?? 1];
  if (spec['order'] !== 'trace') delete resolved['trace'];
  else if (layouts !== null) faults.push(...resolveTrace(resolved, files));
  if (faults.length === 0) return { spec: resolved as JsonObject };
  // The rules that need no layout speak now, so that all faults come at once.
  return { faults: [...faults, ...keyFaults(resolved as unknown as KvSpec)] };
}

/** What a broadcast does not let users say. */
function withFixedKeys({ spec, given }: ResolveRequest): Pick<ResolveRequest, 'spec' | 'given'> {
  if (spec['kind'] !== 'broadcast') return { spec, given };
  const fixed = { to: 'device', mode: 'replicated' };
  return { spec: { ...spec, ...fixed, bidirectional: false }, given: { ...given, ...fixed } };
}

/** Keys that say something about a thing that the job does not do, unless a sweep turns it on and off. */
function meaninglessKeys(given: Given, swept: JsonObject): Fault[] {
  const faults: Fault[] = [];
  const refuse = (key: string, switchKey: string, needed: string): void => {
    if (given[key] === undefined || Object.hasOwn(swept, switchKey)) return;
    const hint = `it has no meaning here: remove it, or set ${needed}`;
    faults.push({
      pointer: pointerOf([key]),
      expected: `nothing without ${needed}`,
      received: showValue(given[key]),
      hint,
    });
  };
  if (given['mode'] !== 'replicated') {
    refuse('root', 'mode', 'mode replicated');
    refuse('maxCtas', 'mode', 'mode replicated');
  }
  if (given['order'] !== 'trace') refuse('trace', 'order', 'order trace');
  return faults;
}

function resolveLayouts(
  given: Given,
  swept: JsonObject,
  files: SpecFiles,
  faults: Fault[],
): Pick<KvSpec, 'layout' | 'hostLayout' | 'diskLayout'> | null {
  const device = resolveLayout('layout', given['layout'] as Given, null, swept, files);
  if ('faults' in device) {
    faults.push(...device.faults);
    return null;
  }
  const tiers = (['hostLayout', 'diskLayout'] as const).map((key) => {
    if (!isObject(given[key])) return device.layout;
    const answer = resolveLayout(key, given[key], device.layout, swept, files);
    if ('layout' in answer) return answer.layout;
    faults.push(...answer.faults);
    return device.layout;
  });
  const [hostLayout = device.layout, diskLayout = device.layout] = tiers;
  return { layout: device.layout, hostLayout, diskLayout };
}

/** One tier's layout: its own keys over those of `base` (the device's), or over the defaults. */
function resolveLayout(
  key: string,
  given: Given,
  base: KvLayout | null,
  swept: JsonObject,
  files: SpecFiles,
): LayoutAnswer {
  const faults: Fault[] = [];
  const at = (name: string): string => pointerOf([key, name]);
  const { blockDim, dtypeWidthBytes, alignment } = LAYOUT_DEFAULTS;
  const merged: Record<string, unknown> = { blockDim, dtypeWidthBytes, alignment, ...base, ...given };
  if (given['blockDim'] !== undefined && merged['kind'] === 'fullyContiguous' && !(`${key}.kind` in swept)) {
    const received = showValue(given['blockDim']);
    faults.push({ pointer: at('blockDim'), expected: 'nothing with kind fullyContiguous', received });
  }
  const model = given['model'];
  const said = DIMENSIONS.filter((name) => given[name] !== undefined);
  if (typeof model === 'string') {
    for (const name of said) {
      const hint = `the model says ${name}: remove one of the two`;
      faults.push({
        pointer: at(name),
        expected: 'nothing beside model',
        received: showValue(given[name]),
        hint,
      });
    }
    const tensorParallel = Number(merged['tensorParallel'] ?? LAYOUT_DEFAULTS.tensorParallel);
    merged['tensorParallel'] = tensorParallel;
    const answer = modelDimensions(model, given, tensorParallel, files, at);
    if ('fault' in answer) faults.push(answer.fault);
    else Object.assign(merged, answer.dimensions);
  } else {
    for (const name of ['tensorParallel', 'mtp'].filter((key) => given[key] !== undefined)) {
      const received = showValue(given[name]);
      faults.push({ pointer: at(name), expected: 'nothing without model', received });
    }
    for (const name of DIMENSIONS.filter((dimension) => merged[dimension] === undefined)) {
      const hint = 'give numLayers, outerDim and innerDim, or a model';
      faults.push({
        pointer: at(name),
        expected: 'a whole number from 1, or model',
        received: 'nothing',
        hint,
      });
    }
    // Dimensions of its own: the device's model does not describe this tier.
    if (said.length > 0) for (const name of ['model', 'tensorParallel', 'mtp']) delete merged[name];
  }
  return faults.length > 0 ? { faults } : { layout: merged as unknown as KvLayout };
}

/** Reads the trace, and fills `requests`, its digest and, where absent, `blocks`. */
function resolveTrace(resolved: Record<string, unknown>, files: SpecFiles): Fault[] {
  const trace = resolved['trace'];
  if (!isObject(trace)) return [];
  const read = readTrace(String(trace['path']), trace['blockTokens'] as number | undefined, files);
  if ('faults' in read) return [...read.faults];
  const available = read.requests.length;
  const requests = (trace['requests'] ?? available) as number;
  if (requests > available) {
    const expected = `at most the ${available} requests of ${read.path}`;
    return [{ pointer: '/trace/requests', expected, received: showValue(requests) }];
  }
  const { path, sha256, blockTokens } = read;
  resolved['trace'] = { path, sha256, blockTokens, requests };
  const spec = resolved as unknown as KvSpec;
  if (keyFaults({ ...spec, blocks: spec.blocks ?? 1 }).length > 0) return [];
  const touched = countTouched(spec, read.requests);
  const most = spec.bidirectional ? Math.floor(touched / 2) : touched;
  if (spec.blocks !== undefined && spec.blocks <= most) return [];
  if (spec.blocks !== undefined || most === 0) {
    const expected = `at most the ${most} blocks that ${requests} requests touch in these pools`;
    return [{ pointer: '/blocks', expected, received: showValue(spec.blocks), hint: 'take more requests' }];
  }
  resolved['blocks'] = most;
  return [];
}
