/** Turns a replay as written into what runs: layouts of every tier in numbers, and what the trace's first lines tell. */
import type { SpecFiles } from '../../runner/job-spec/files.js';
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import { isObject } from '../../runner/job-spec/pointer.js';
import { asJsonObject } from '../../runner/values/json.js';
import type { ResolveAnswer, ResolveRequest } from '../../runner/job-spec/spec-kind.js';
import type { JsonObject } from '../../runner/job-spec/types.js';
import { resolveTierLayouts } from '../kv/resolve-layout.js';
import { peekTrace } from '../traces/peek-trace.js';

type Given = Readonly<Record<string, unknown>>;

interface ResolvedTrace {
  readonly format: string;
  readonly sha256: string;
  readonly blockTokens: number;
}

/** What the layout is checked with where the trace cannot be read. */
const USUAL_BLOCK_TOKENS = 512;

export function resolveReplay({ spec, given, swept, files }: ResolveRequest): ResolveAnswer {
  const found = resolveTrace(objectOf(spec['trace']), files);
  const issues: SpecIssue[] = 'issues' in found ? [...found.issues] : [];
  const blockTokens = 'issues' in found ? USUAL_BLOCK_TOKENS : found.trace.blockTokens;
  const device = { pageSize: blockTokens, ...objectOf(given['layout']) };
  const layouts = resolveTierLayouts(given, device, swept, files, issues);
  issues.push(...meaninglessKeys(given, swept));
  if ('issues' in found || layouts === null || issues.length > 0) return { issues };
  const { trace } = found;
  // A trace is replayed once: what other kinds repeat has no meaning here.
  return { spec: asJsonObject({ ...spec, ...layouts, trace, warmup: 0, iterations: 1 }) };
}

function objectOf(value: unknown): Given {
  if (!isObject(value)) throw new TypeError('expected an object, as the schema asks for');
  return value;
}

function resolveTrace(
  given: Given,
  files: SpecFiles,
): { readonly trace: ResolvedTrace } | { readonly issues: readonly SpecIssue[] } {
  const path = String(given['path']);
  const pointer = '/trace/path';
  const expected = 'a request trace whose lines name prefix blocks';
  const said = given['blockTokens'];
  const found = files.locate(path);
  if (!('file' in found)) return { issues: [{ pointer, expected, ...found }] };
  const head = peekTrace(found.file.place, typeof said === 'number' ? said : undefined);
  if ('wrong' in head) return { issues: [{ pointer, expected, received: `${path}: ${head.wrong}` }] };
  const { format, blockTokens } = head;
  if (blockTokens === null) {
    const received = `${path}, a trace of ${format.name}, which names none`;
    return { issues: [{ pointer, expected, received, hint: 'nothing can be said to be used again' }] };
  }
  return { trace: { ...given, format: format.name, sha256: found.file.sha256, blockTokens } };
}

/** Keys of a feature that the job does not use, unless a sweep turns it on and off. */
function meaninglessKeys(given: Given, swept: JsonObject): SpecIssue[] {
  const rules: readonly [key: string, switchKey: string, needed: string][] = [
    ['root', 'mode', 'replicated'],
    ['ttlSeconds', 'policy', 'ttl'],
  ];
  return rules.flatMap(([key, switchKey, needed]) => {
    if (given[key] === undefined || given[switchKey] === needed || Object.hasOwn(swept, switchKey)) return [];
    const hint = `it has no meaning here: remove it, or set ${switchKey} ${needed}`;
    const expected = `nothing without ${switchKey} ${needed}`;
    return [{ pointer: `/${key}`, expected, received: showValue(given[key]), hint }];
  });
}
