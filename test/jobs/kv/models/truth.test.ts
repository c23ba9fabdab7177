import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseConfig } from '../../../../jobs/kv/models/config-text.js';
import { geometryBytes, type KvGroup, type ModelGeometry } from '../../../../jobs/kv/models/geometry.js';
import { DEFAULT_READ, readConfig } from '../../../../jobs/kv/models/read-config.js';
import { needsShared, sharedPath } from '../../../helpers/shared-facts.js';
import { parseJson } from '../../../helpers/json.js';

interface TruthGroup {
  readonly layers: number;
  readonly kind: string;
  readonly kvHeads: number;
  readonly headDimK: number;
  readonly headDimV: number;
  readonly window?: number;
}

interface Truth {
  readonly model: string;
  readonly file: string;
  readonly groups: readonly TruthGroup[];
  readonly bytesTokenBf16: number;
  readonly bytesTokenBeyondWindowBf16: number;
  readonly indexerBytesToken?: number;
  readonly kvCacheScheme?: unknown;
  readonly stateElementsPerSequence?: number;
}

/** Rows whose truth is that of transformers, where this reader follows the engines. */
const ENGINES_DIFFER: Readonly<Record<string, string>> = {
  'tencent/Tencent-Hunyuan-Large':
    'CLA: the model shares K and V over two layers; vLLM and SGLang keep a copy in every layer',
};
/** States whose sizes are in no key of the file. */
const NO_STATE_KEYS: ReadonlySet<string> = new Set(['zai-org/GLM-5.3-Flash (form; sizes of a tiny test)']);

const rows = (): Truth[] =>
  readFileSync(sharedPath('geometry', 'truth.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => parseJson<Truth>(line));

function read(row: Truth, dtypeWidthBytes: number | null): ModelGeometry {
  const text = readFileSync(sharedPath('geometry', row.file), 'utf8');
  return readConfig(parseConfig(text), { ...DEFAULT_READ, dtypeWidthBytes });
}

const shape = (layers: number, group: TruthGroup | KvGroup): string =>
  `${layers} x ${group.kvHeads} x ${group.headDimK}/${group.headDimV} window ${group.window ?? 'none'}`;

/** Truth has one group for layers with an indexer and one for those without; their K and V are alike. */
function shapesOf(groups: readonly (readonly [number, TruthGroup | KvGroup])[]): string[] {
  const layers = new Map<string, number>();
  const parts = new Map<string, TruthGroup | KvGroup>();
  for (const [count, group] of groups) {
    const ratio =
      'ratio' in group ? group.ratio : 'compression' in group ? group.compression?.ratio : undefined;
    const key = `${shape(0, group)} ratio ${ratio ?? 'none'}`;
    layers.set(key, (layers.get(key) ?? 0) + count);
    parts.set(key, group);
  }
  return [...layers].map(([key, count]) => `${count}: ${key}`).sort();
}

t.test('every file: bytes and groups as they are kept', { skip: needsShared('geometry') }, async (t) => {
  const all = rows();
  t.ok(all.length >= 110);
  for (const row of all) {
    const geometry = read(row, 2);
    const bytes = geometryBytes(geometry.groups);
    const reason = ENGINES_DIFFER[row.model];
    const differs = bytes.bytesPerToken !== row.bytesTokenBf16;
    if (reason !== undefined) {
      t.ok(differs, `${row.model}: ${reason}`);
      continue;
    }
    t.equal(bytes.bytesPerToken, row.bytesTokenBf16, row.model);
    t.equal(bytes.bytesPerTokenBeyondWindow, row.bytesTokenBeyondWindowBf16, `${row.model} beyond`);
    if (row.indexerBytesToken !== undefined)
      t.equal(bytes.indexBytesPerToken, row.indexerBytesToken, row.model);
    const kept = geometry.groups.filter(({ kind }) => kind === 'kv' || kind === 'latent');
    const expected = row.groups.filter(({ kind }) => kind !== 'none' && kind !== 'shared');
    t.same(
      shapesOf(kept.map((group) => [group.layers.length, group])),
      shapesOf(expected.map((group) => [group.layers, group])),
      `${row.model}: groups`,
    );
    if (row.stateElementsPerSequence !== undefined && !NO_STATE_KEYS.has(row.model)) {
      const states = geometry.groups.reduce((sum, group) => sum + (group.stateElements ?? 0), 0);
      t.equal(states, row.stateElementsPerSequence, `${row.model}: state`);
    }
  }
});

t.test('files that say 8-bit KV are read with 1 byte', { skip: needsShared('geometry') }, async (t) => {
  for (const row of rows()) {
    const said = row.kvCacheScheme !== undefined;
    const widths = read(row, null).groups.filter(({ kind }) => kind === 'kv' || kind === 'latent');
    for (const { dtypeWidthBytes } of widths) t.equal(dtypeWidthBytes, said ? 1 : 2, row.model);
  }
});
