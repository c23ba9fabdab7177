/** Turns a KV job as written into what runs: layouts of every tier in numbers, the trace counted, ranges whole. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import type { SpecFiles } from '../../runner/job-spec/files.js';
import type { ResolveAnswer, ResolveRequest } from '../../runner/job-spec/spec-kind.js';
import { isObject, pointerOf } from '../../runner/job-spec/pointer.js';
import type { JsonObject } from '../../runner/job-spec/types.js';
import { withDerivedKeys } from './defaults.js';
import type { KvSpec } from './spec.generated.js';
import { keyIssues, kvIssues } from './rules.js';
import { resolveTierLayouts } from './resolve-layout.js';
import { sectionsOf } from './sections.js';
import type { TraceRequest } from '../traces/request.js';
import { readTrace } from './trace.js';
import { countTouched } from './walk-trace.js';
import { specAs } from '../../runner/job/kind.js';
import { firstOf, itemAt } from '../../runner/values/items.js';
import { asJsonObject } from '../../runner/values/json.js';

type Given = Readonly<Record<string, unknown>>;

export function resolveKv(request: ResolveRequest): ResolveAnswer {
  const { swept, files } = request;
  const { spec: fixed, given } = withFixedKeys(request);
  const spec = withDerivedKeys(fixed, given);
  const issues = meaninglessKeys(given, swept);
  const { layout } = specAs<{ readonly layout: Given }>(given);
  const layouts = resolveTierLayouts(given, layout, swept, files, issues);
  const resolved: Record<string, unknown> = { ...spec, ...layouts };
  resolved['layerRange'] ??= [0, layouts?.layout.numLayers ?? 1];
  if (spec['order'] !== 'trace') delete resolved['trace'];
  else if (layouts !== null) issues.push(...resolveTrace(resolved, files));
  if (issues.length === 0) return { spec: asJsonObject(resolved) };
  // The rules that need no layout run now, so that all issues are reported at once.
  return { issues: [...issues, ...keyIssues(specAs(resolved))] };
}

/** What a broadcast does not let users say. */
function withFixedKeys({ spec, given }: ResolveRequest): Pick<ResolveRequest, 'spec' | 'given'> {
  if (spec['kind'] !== 'broadcast') return { spec, given };
  const fixed = { to: 'device', mode: 'replicated' };
  return { spec: { ...spec, ...fixed, bidirectional: false }, given: { ...given, ...fixed } };
}

/** Keys of a feature that the job does not use, unless a sweep turns it on and off. */
function meaninglessKeys(given: Given, swept: JsonObject): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const refuse = (key: string, switchKey: string, needed: string): void => {
    if (given[key] === undefined || Object.hasOwn(swept, switchKey)) return;
    const hint = `it has no meaning here: remove it, or set ${needed}`;
    issues.push({
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
  return issues;
}

/** Reads the trace, and fills `requests`, its digest and, where absent, `blocks`. */
function resolveTrace(resolved: Record<string, unknown>, files: SpecFiles): SpecIssue[] {
  const trace = resolved['trace'];
  if (!isObject(trace)) return [];
  const { blockTokens: given } = trace;
  const read = readTrace(String(trace['path']), typeof given === 'number' ? given : undefined, files);
  if ('issues' in read) return [...read.issues];
  const available = read.requests.length;
  const requests = typeof trace['requests'] === 'number' ? trace['requests'] : available;
  if (requests > available) {
    const expected = `at most the ${available} requests of ${read.path}`;
    return [{ pointer: '/trace/requests', expected, received: showValue(requests) }];
  }
  const { path, sha256, blockTokens } = read;
  resolved['trace'] = { path, sha256, blockTokens, requests };
  const spec = specAs<KvSpec>(resolved);
  // Only pools and layouts that can be are counted; `check` says what is wrong with the others.
  if (kvIssues({ ...spec, blocks: spec.blocks ?? 1 }, null).length > 0) return [];
  const [touched = 0] = countTouched(spec, read.requests);
  const most = spec.bidirectional ? Math.floor(touched / 2) : touched;
  if (spec.blocks !== undefined && spec.blocks <= most) {
    addGroupBlocks(resolved, read.requests);
    return [];
  }
  if (spec.blocks !== undefined || most === 0) {
    const expected = `at most the ${most} blocks that ${requests} requests touch in these pools`;
    return [{ pointer: '/blocks', expected, received: showValue(spec.blocks), hint: 'take more requests' }];
  }
  resolved['blocks'] = most;
  addGroupBlocks(resolved, read.requests);
  return [];
}

/** What moves of the groups whose windows end, so that `plan` can say it without the trace. */
function addGroupBlocks(resolved: Record<string, unknown>, requests: readonly TraceRequest[]): void {
  const spec = specAs<KvSpec>(resolved);
  const [, ...windowed] = sectionsOf(spec, spec.from);
  if (windowed.length === 0) return;
  const [, ...counts] = countTouched(spec, requests, spec.bidirectional ? 2 * spec.blocks : spec.blocks);
  const entries = windowed.map(({ groups }, index) => [firstOf(groups).name, itemAt(counts, index)]);
  resolved['trace'] = { ...spec.trace, groupBlocks: Object.fromEntries(entries) };
}
