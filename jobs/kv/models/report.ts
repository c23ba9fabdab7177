/** What `railrunner model` prints: the groups, their bytes, what decided and what was assumed. */
import { SpecFiles } from '../../../runner/job-spec/files.js';
import { formatIssues } from '../../../runner/job-spec/issue.js';
import type { ModelQuestion, ModelReport } from '../../../runner/job/model-report.js';
import { formatBytes } from '../../../runner/text/bytes.js';
import { textTable } from '../../../runner/text/table.js';
import { sum } from '../../../runner/values/sum.js';
import { findModelGeometry } from './find-model.js';
import { entryBytes, geometryBytes, groupRegionBytes, type KvGroup, type ModelGeometry } from './geometry.js';
import { describeWithout } from './read-config.js';
import { layerList } from './refusal.js';
import { splitGroups } from './split-groups.js';

export function reportModel(question: ModelQuestion): ModelReport {
  const { model, tensorParallel } = question;
  const found = findModelGeometry(model, '', new SpecFiles([process.cwd()]));
  if ('issue' in found) return { refusal: formatIssues([found.issue], model) };
  const split = splitGroups(found.geometry.groups, tensorParallel);
  if (!('groups' in split)) {
    const issue = {
      pointer: '--tensor-parallel',
      expected: split.expected,
      received: String(tensorParallel),
    };
    return { refusal: formatIssues([issue], model) };
  }
  const geometry = { ...found.geometry, groups: split.groups };
  const notes = notesOf(geometry, question);
  if (question.json) return { text: jsonText(asJson(found.name, geometry, notes, question)) };
  return { text: asText(found.name, geometry, notes, question) };
}

function notesOf(geometry: ModelGeometry, { tensorParallel }: ModelQuestion): string[] {
  const shard = `of one of ${tensorParallel} tensor-parallel ranks; latents, index keys and single heads are whole on each, states are those of the whole model`;
  return [
    ...(tensorParallel > 1 ? [shard] : []),
    ...geometry.without.map(describeWithout),
    ...geometry.notes,
  ];
}

function asJson(
  name: string,
  geometry: ModelGeometry,
  notes: readonly string[],
  question: ModelQuestion,
): object {
  const { groups, decidedBy } = geometry;
  const { pageSize, contextTokens } = question;
  return {
    model: name,
    groups,
    ...geometryBytes(groups),
    ...(contextTokens === null ? {} : { contextBytes: contextBytes(groups, contextTokens, pageSize) }),
    decidedBy,
    notes,
  };
}

/** Lists of layers on one line each. */
function jsonText(value: object): string {
  return JSON.stringify(value, null, 2).replaceAll(/\[\s+\d+(?:,\s+\d+)*\s+\]/g, (list) =>
    list.replaceAll(/\s+/g, ' '),
  );
}

/** Tokens whose entries a group holds of a context: the window in whole pages, as engines free them. */
function heldTokens(group: KvGroup, contextTokens: number, pageSize: number | null): number {
  const page = pageSize ?? 1;
  const inPages = Math.ceil(contextTokens / page) * page;
  if (group.window === null) return inPages;
  const most = pageSize === null ? group.window : (Math.ceil(group.window / page) + 1) * page;
  return Math.min(inPages, most);
}

/** Bytes that a group keeps for a context, its state included. */
function groupContextBytes(group: KvGroup, contextTokens: number, pageSize: number | null): number {
  const held = heldTokens(group, contextTokens, pageSize);
  const perEntry = group.layers.length * entryBytes(group);
  const { compression } = group;
  if (group.kind === 'state') return (group.stateElements ?? 0) * group.dtypeWidthBytes;
  if (compression?.how === 'pooled') return perEntry * Math.floor(held / compression.ratio);
  const old =
    compression?.how === 'aged' && compression.ratio > 0 ? Math.floor(contextTokens / compression.ratio) : 0;
  return perEntry * (held + old);
}

function contextBytes(groups: readonly KvGroup[], contextTokens: number, pageSize: number | null): number {
  return sum(groups.map((group) => groupContextBytes(group, contextTokens, pageSize)));
}

const HEAD = ['group', 'layers', 'keeps', 'window', 'bytes per token', 'region'];

function asText(
  name: string,
  geometry: ModelGeometry,
  notes: readonly string[],
  question: ModelQuestion,
): string {
  const { groups, numLayers, modelType } = geometry;
  const { pageSize, contextTokens } = question;
  const bytes = geometryBytes(groups);
  const ofContext = contextTokens === null ? [] : [`bytes of ${contextTokens} tokens`];
  const regions =
    pageSize === null ? HEAD.slice(0, -1) : [...HEAD.slice(0, -1), `bytes of ${pageSize} tokens and layer`];
  const rows = groups.map((group) => [
    group.name,
    `${group.layers.length}: ${layerList(group.layers).replace(/^layers? /, '')}`,
    keeps(group),
    group.window === null ? '' : String(group.window),
    group.kind === 'state' ? '' : String(group.bytesPerToken),
    ...(pageSize === null
      ? []
      : [group.kind === 'state' ? '' : String(sum(groupRegionBytes(group, pageSize)))]),
    ...(contextTokens === null ? [] : [formatBytes(groupContextBytes(group, contextTokens, pageSize))]),
  ]);
  const lines = [
    `${name}: ${modelType ?? 'no model_type'}, ${numLayers} layers`,
    textTable([...regions, ...ofContext], rows),
    `K, V and latents   ${bytes.bytesPerToken} bytes per token`,
    ...(bytes.indexBytesPerToken > 0
      ? [`index caches       ${bytes.indexBytesPerToken} bytes per token`]
      : []),
    `beyond the window  ${bytes.bytesPerTokenBeyondWindow} bytes per token`,
  ];
  if (contextTokens !== null) {
    const total = contextBytes(groups, contextTokens, pageSize);
    lines.push(`context            ${total} bytes for ${contextTokens} tokens (${formatBytes(total)})`);
  }
  lines.push(`decided by         ${geometry.decidedBy.join(', ')}`);
  lines.push(...notes.map((note) => `note: ${note}`));
  return lines.join('\n');
}

function keeps(group: KvGroup): string {
  const { kind, kvHeads, headDimK, headDimV, dtypeWidthBytes, stateElements } = group;
  const width = `${dtypeWidthBytes} B`;
  if (kind === 'state')
    return stateElements === null ? 'a state of unknown size' : `${stateElements} state elements`;
  if (kind === 'index')
    return `index keys of ${headDimK}${group.scaleBytes ? ` + ${group.scaleBytes} B scale` : ''}, ${width}`;
  const ratio = group.compression?.ratio;
  const beyond = ratio === 0 ? ', nothing beyond' : `, one for ${ratio} tokens beyond`;
  const entries = ratio === undefined ? '' : beyond;
  if (headDimV === 0) return `one vector of ${headDimK}, ${width}${entries}`;
  const sizes = headDimK === headDimV ? `${headDimK}` : `K ${headDimK}, V ${headDimV}`;
  return `K and V of ${kvHeads} ${kvHeads === 1 ? 'head' : 'heads'} x ${sizes}, ${width}`;
}
