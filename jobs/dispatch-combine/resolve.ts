/** Turns a dispatchCombine job as written into what runs: the routing's own defaults, and its file checked. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import type { SpecFiles } from '../../runner/job-spec/files.js';
import type { ResolveAnswer, ResolveRequest } from '../../runner/job-spec/spec-kind.js';
import { isObject } from '../../runner/job-spec/pointer.js';
import type { JsonObject } from '../../runner/job-spec/types.js';
import { resolveShape } from './model-shape.js';
import { RoutingFileIssue } from './routing/file-issue.js';
import { parseRoutingFile, ROUTING_FILE_LIMIT_BYTES } from './routing/file.js';
import { ROUTING_DEFAULTS } from './schema.js';
import { asJsonObject } from '../../runner/values/json.js';

export function resolveMoe({ spec: defaulted, given, swept, files }: ResolveRequest): ResolveAnswer {
  const resolved = resolveShape(given, files);
  if ('issues' in resolved) return { issues: resolved.issues };
  const spec: JsonObject = {
    maxDispatchTokensPerRank: mostTokens(defaulted['numTokens']),
    ...defaulted,
    ...resolved.shape?.keys,
  };
  const written = writtenRouting(given['routing'], resolved.shape?.routing ?? {});
  const kind = String(written['kind']);
  const own = ROUTING_DEFAULTS[kind] ?? {};
  const issues: SpecIssue[] = [];
  for (const key of Object.keys(written)) {
    if (key === 'kind' || key === 'maskedFraction' || Object.hasOwn(own, key)) continue;
    if (Object.hasOwn(swept, 'routing.kind')) continue;
    const hint = `${kind} has: ${['maskedFraction', ...Object.keys(own)].join(', ')}`;
    issues.push({
      pointer: `/routing/${key}`,
      expected: `nothing with routing kind ${kind}`,
      received: showValue(written[key]),
      hint,
    });
  }
  const routing: Record<string, unknown> = { kind, maskedFraction: written['maskedFraction'] ?? 0 };
  for (const [key, value] of Object.entries(own)) routing[key] = written[key] ?? value;
  if (kind === 'file') issues.push(...resolveFile(routing, spec, files));
  if (issues.length > 0) return { issues };
  return { spec: { ...spec, routing: asJsonObject(routing) } };
}

/** Buffers hold a token at least. */
function mostTokens(numTokens: unknown): number {
  return Math.max(1, ...[numTokens].flat().map(Number));
}

/** The job's routing; what it leaves open is the model's, where that is of the same kind. */
function writtenRouting(
  given: unknown,
  ofModel: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { maskedFraction, ...limited } = ofModel;
  const masked = maskedFraction === undefined ? {} : { maskedFraction };
  if (!isObject(given)) return { kind: 'uniform', ...ofModel };
  return { ...masked, ...(given['kind'] === limited['kind'] ? limited : {}), ...given };
}

function resolveFile(routing: Record<string, unknown>, spec: JsonObject, files: SpecFiles): SpecIssue[] {
  const pointer = '/routing/path';
  if (routing['path'] === undefined) {
    const expected = 'string: routing kind file needs one';
    return [{ pointer, expected, received: 'nothing: the key is missing' }];
  }
  const answer = files.read(String(routing['path']), ROUTING_FILE_LIMIT_BYTES);
  if (!('file' in answer)) {
    return [{ pointer, expected: 'a readable routing file', received: answer.received, hint: answer.hint }];
  }
  const { file } = answer;
  try {
    parseRoutingFile(file.text, {
      numExperts: Number(spec['numExperts']),
      numTopk: Number(spec['numTopk']),
      layer: Number(routing['layer']),
    });
  } catch (error) {
    if (!(error instanceof RoutingFileIssue)) throw error;
    const where = error.line > 0 ? `${file.path}:${error.line}` : file.path;
    return [{ pointer, expected: error.expected, received: `${error.received} (${where})` }];
  }
  routing['path'] = file.path;
  routing['sha256'] = file.sha256;
  return [];
}
