/** docs/models.md: what engines keep of a model, and the tables of presets and families from the reader's own data. */
import { modelPresets } from '../../../jobs/kv/models/find-model.js';
import { geometryBytes, type KvGroup } from '../../../jobs/kv/models/geometry.js';
import { KIND_RULES } from '../../../jobs/kv/models/kind-rules.js';
import { CLASS_PATTERNS, knownTypes, REFUSED_TYPES } from '../../../jobs/kv/models/model-types.js';
import { readConfig } from '../../../jobs/kv/models/read-config.js';
import { GENERATED, table } from './markdown.js';

export function modelsPage(): string {
  return `${GENERATED}

# Models

    railrunner model config.json                                   # a file, a folder that holds one, or a preset
    railrunner model gemma-3-27b --tensor-parallel 4 --context 32768 --page-size 64
    railrunner model deepseek-v3.2 --json                          # for scripts

\`layout.model\` of a spec takes the same names and paths. A file is interpreted by rules, and a file
that they cannot interpret with certainty is refused with the key in question: a benchmark of a cache that no engine has is
meaningless.

## What is kept

A model is a list of **groups**: layers with the same cache entry per token.

${table(
  ['kind', 'what a layer keeps for a token', 'bytes'],
  [
    ['`kv`', 'K and V of `kvHeads` heads', '`kvHeads x (headDimK + headDimV) x dtypeWidthBytes`'],
    ['`latent`', 'one vector for all heads (multi-head latent attention)', '`headDimK x dtypeWidthBytes`'],
    ['`index`', "a key of sparse attention's indexer", '128 + 4 in fp8 with its scale'],
    ['`state`', 'nothing per token: a state per sequence (`stateElements`)', '0'],
  ],
)}

\`window\` is the number of tokens after which an entry is no longer needed. \`bytesPerToken\` of the report counts K, V and
latents of all layers for a token inside every window; \`indexBytesPerToken\` the index caches;
\`bytesPerTokenBeyondWindow\` what remains of a token outside every window. With \`--tensor-parallel\` each group is split by its own
heads: heads / N, or one head that several ranks hold alike; latents, index keys and single heads are whole on every
rank. With \`--page-size\` a window group holds ceil(window / page) + 1 pages of a request, as engines free them.

A compressing cache (DeepSeek-V4) keeps an entry per token inside the window and one entry for \`ratio\` tokens beyond it;
its index keys belong to these entries and count in \`bytesPerTokenBeyondWindow\`.

${whoseCache()}

${howRead()}

${listed()}
`;
}

function whoseCache(): string {
  return `## Whose cache

The reader follows engines, vLLM and SGLang. transformers differs:

${table(
  ['model', 'transformers 5 caches', 'engines keep, and this reader counts'],
  [
    [
      'DeepSeek-V3.2, GLM-5, HY-V4, A.X-K2',
      'expanded heads and index keys',
      'the latent, and 132 bytes of index key',
    ],
    ['Falcon-40B', '128 heads', '8 heads'],
    ['Hunyuan-Large (`use_cla`)', 'every layer', 'a copy in every layer; the model itself needs half'],
    ['MPT with `attn_config.kv_n_heads`', 'all heads', 'the heads that the key says'],
    [
      'DeepSeek-V4',
      'K and V apart in 2 bytes',
      'one vector; vLLM packs an entry in 584 bytes of fp8 and scales',
    ],
    ['MiniCPM3', 'the latent', 'SGLang the latent, which is counted; vLLM expands it'],
  ],
)}`;
}

function howRead(): string {
  return `## How a file is read

1. **The language model** is under \`text_config\`, \`llm_config\`, \`language_config\` or \`thinker_config\`, else the file itself.
2. **Layers**: \`num_hidden_layers\`, \`n_layer\`, \`n_layers\`, \`num_layers\`, \`num_transformer_layers\`, or the length of a list
   of kinds. LongCat-Flash has two attentions in each layer.
3. **Kinds of layers**, by the first of these keys; where several are there, they must agree:
   ${[...new Set(KIND_RULES.map(({ key }) => `\`${key}\``))].join(', ')}.
   Else by the class of the type (${Object.keys(CLASS_PATTERNS)
     .map((type) => `\`${type}\``)
     .join(', ')}), else
   all layers are alike.
4. **Heads**: \`num_key_value_heads\` and its other names, \`multi_query\`, \`attn_config.kv_n_heads\`, lists by layer; head sizes by
   \`head_dim\`, \`kv_channels\`, ..., else hidden size / heads. \`v_head_dim\` makes V of another size. \`kv_lora_rank\` makes a
   latent, with \`qk_rope_head_dim\`, which may be 0.
5. **Windowed and full layers of their own sizes**: \`swa_*\`, \`attention_other_setting\`, \`global_head_dim\`,
   \`num_global_key_value_heads\`, \`per_layer_config\`. \`num_kv_shared_layers\` keep nothing.
6. **Index caches**: \`index_head_dim\` (only layers whose \`indexer_types\` is \`full\`), \`sparse_attention_config\`.
7. **MTP layers** (\`num_nextn_predict_layers\` and its other names) count only with \`layout.mtp: true\`.
8. **Width**: 2 bytes; 1 where \`quantization_config\` or \`hf_quant_config.json\` in the same folder says an 8-bit KV cache.
   \`layout.dtypeWidthBytes\` by hand wins.
9. **Absent keys** of a known type take the default of the type's class (transformers 5.18), with a note.
10. **Everything else**: if a key may be decisive and no rule has read it, the file is refused with its name and value.
    An unknown \`model_type\` with only plain keys is accepted, with a note.

Where a file is refused, write \`layout.groups\` by hand, or \`numLayers\`, \`outerDim\` (2 for K and V, 1 for a latent),
\`innerDim\` (heads per rank x head size) and \`dtypeWidthBytes\` of layers that are all alike.

## Groups in specs

\`layout.model\` of a model with several groups runs as it is; \`layout.group\` takes one of them. By hand:

    "layout": { "kind": "fullyContiguous", "pageSize": 16, "tensorParallel": 4, "groups": [
      { "name": "full", "layers": "5,11", "kvHeads": 16, "headDimK": 128 },
      { "name": "window", "layers": "0-4,6-10", "kvHeads": 16, "headDimK": 128, "window": 1024 } ] }

- \`kind\` is \`kv\` unless said: \`latent\` and \`index\` hold one vector of \`headDimK\` elements, \`state\` nothing per token.
  \`headDimV\` is \`headDimK\` unless said. Sizes are those of the whole model; \`tensorParallel\` splits the heads of each group.
  What \`railrunner model --json\` prints for a group is legal here.
- Every layer is in a group. Layers that keep nothing per token are a group of kind \`state\`, which no block holds.
- A block holds all groups, one behind the other (\`fullyContiguous\`), or each layer of each group has a buffer of its own
  (\`layerSeparate\`). K and V of different size are two regions of their own size. \`layerRange\` counts the layers that keep
  anything. At most 8 groups; regions of several groups are multiples of 4 bytes.
- With \`order: "trace"\` a group with a window has blocks of its own: ceil(window / pageSize) + 1 of each request, at most as
  many as the pool has for the others. \`blocks\` counts those of the groups that keep everything. \`plan\` shows both
  (\`block_bytes\`, \`block_bytes_beyond_window\`, \`blocks_of_...\`). Other orders move fresh blocks, with all groups.`;
}

function listed(): string {
  return `## Presets

Each is the deciding part of a real file (\`jobs/kv/models/presets.json\`), read by the same rules. Bytes are per token at 2
bytes per element.

${table(['preset', 'groups', 'bytes', 'beyond the window', 'index', 'numbers from'], presetRows())}

## Families

Types whose keys were checked; others are taken by their plain keys only, with a note:
${knownTypes()
  .map((type) => `\`${type}\``)
  .join(', ')}.

Refused by name, since they keep no single KV cache of past tokens: ${[...REFUSED_TYPES.keys()]
    .sort()
    .map((type) => `\`${type}\``)
    .join(', ')}.`;
}

function presetRows(): string[][] {
  return Object.entries(modelPresets()).map(([name, { source, config }]) => {
    const { groups } = readConfig(config);
    const bytes = geometryBytes(groups);
    return [
      `\`${name}\``,
      groups.map(shortGroup).join('; '),
      String(bytes.bytesPerToken),
      String(bytes.bytesPerTokenBeyondWindow),
      bytes.indexBytesPerToken === 0 ? '' : String(bytes.indexBytesPerToken),
      source.replace(/ on Hugging Face.*/, ''),
    ];
  });
}

function shortGroup(group: KvGroup): string {
  const { name, layers, kvHeads, headDimK, headDimV, window, kind } = group;
  if (kind === 'state') return `${name} ${layers.length}`;
  const sizes = headDimV === 0 || headDimV === headDimK ? `${headDimK}` : `${headDimK}/${headDimV}`;
  const of = window === null ? '' : ` of ${window}`;
  return `${name}${of} ${layers.length} x ${kind === 'kv' ? `${kvHeads} x ` : ''}${sizes}`;
}
