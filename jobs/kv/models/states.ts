/**
 * Elements of the state that a recurrent or convolution layer keeps for one sequence, as transformers 5 allocates it:
 * the convolution's last inputs and the recurrent matrix. Engines keep the same, some one input less.
 */
import { isObject } from '../../../runner/job-spec/pointer.js';
import type { ConfigKeys } from './config-keys.js';

/** Names differ by family; `keys` says which are there, `elements` is their size in one layer. */
interface StateRule {
  readonly applies: (keys: ConfigKeys) => boolean;
  readonly elements: (keys: ConfigKeys) => number | null;
}

const HIDDEN = ['hidden_size', 'd_model'];

/** A count, or nothing: a state is told where it can be, and refuses no file. */
function maybe(keys: ConfigKeys, names: readonly string[]): number | null {
  const name = names.find((key) => keys.has(key));
  const value = name === undefined ? undefined : keys.peek(name);
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null;
}

/** The formula's value, null where a size is not there. */
function withAll(sizes: readonly (number | null)[], formula: (...sizes: number[]) => number): number | null {
  const known = sizes.filter((size) => size !== null);
  return known.length < sizes.length ? null : formula(...known);
}

const RULES: readonly StateRule[] = [
  {
    // Gated delta net (Qwen3-Next, Qwen3.5, OLMo-Hybrid)
    applies: (keys) => keys.has('linear_num_value_heads'),
    elements: (keys) =>
      withAll(
        [
          maybe(keys, ['linear_num_key_heads']),
          maybe(keys, ['linear_key_head_dim']),
          maybe(keys, ['linear_num_value_heads']),
          maybe(keys, ['linear_value_head_dim']),
          maybe(keys, ['linear_conv_kernel_dim']),
        ],
        (keyHeads, keyDim, valueHeads, valueDim, kernel) =>
          (2 * keyHeads! * keyDim! + valueHeads! * valueDim!) * kernel! + valueHeads! * keyDim! * valueDim!,
      ),
  },
  {
    // Kimi delta attention
    applies: (keys) => keys.has('linear_num_heads') || keys.has('linear_attn_config'),
    elements: (keys) => {
      const inner = isObject(keys.config['linear_attn_config']) ? keys.inside('linear_attn_config') : null;
      const read = (outer: string, nested: string): number | null =>
        maybe(keys, [outer]) ?? (inner === null ? null : maybe(inner, [nested]));
      return withAll(
        [
          read('linear_num_heads', 'num_heads'),
          read('linear_head_dim', 'head_dim'),
          read('linear_conv_kernel_dim', 'short_conv_kernel_size'),
        ],
        (heads, dim, kernel) => heads! * dim! * dim! + 3 * heads! * dim! * kernel!,
      );
    },
  },
  {
    // Mamba-2 (Nemotron-H, Granite-4, Falcon-H1, Bamba, Zamba2)
    applies: (keys) => ['mamba_num_heads', 'mamba_n_heads'].some((key) => keys.has(key)),
    elements: (keys) =>
      withAll(
        [
          maybe(keys, ['mamba_num_heads', 'mamba_n_heads']),
          maybe(keys, ['mamba_head_dim', 'mamba_d_head', 'mamba_headdim']),
          maybe(keys, ['ssm_state_size', 'mamba_d_state']),
          maybe(keys, ['n_groups', 'mamba_n_groups', 'mamba_ngroups']),
          maybe(keys, ['conv_kernel', 'mamba_d_conv']),
        ],
        (heads, dim, stateSize, groups, kernel) =>
          heads! * dim! * stateSize! + (heads! * dim! + 2 * groups! * stateSize!) * kernel!,
      ),
  },
  {
    // Mamba-1 (Jamba)
    applies: (keys) => keys.has('mamba_d_state') && keys.has('mamba_expand') && !keys.has('n_mamba_heads'),
    elements: (keys) =>
      withAll(
        [
          maybe(keys, HIDDEN),
          maybe(keys, ['mamba_expand']),
          maybe(keys, ['mamba_d_state']),
          maybe(keys, ['mamba_d_conv']),
        ],
        (hidden, expand, stateSize, kernel) => hidden! * expand! * (stateSize! + kernel!),
      ),
  },
  {
    // Short convolution (LFM2)
    applies: (keys) => keys.has('conv_L_cache'),
    elements: (keys) =>
      withAll([maybe(keys, HIDDEN), maybe(keys, ['conv_L_cache'])], (hidden, length) => hidden! * length!),
  },
];

/** Elements of one layer and sequence; null: a family whose state this reader does not know. */
export function stateElements(keys: ConfigKeys): number | null {
  const rule = RULES.find(({ applies }) => applies(keys));
  return rule?.elements(keys) ?? null;
}
