/** The exchange of a mixture-of-experts layer, from the same files: experts, choices, the width that travels, groups. */
import { ConfigKeys } from './config-keys.js';
import { findLanguageModel } from './language-model.js';
import { classDefaults } from './model-types.js';
import { ConfigRefusal } from './refusal.js';

const EXPERTS = ['num_experts', 'n_routed_experts', 'num_local_experts', 'moe_num_experts'] as const;
const CHOICES = [
  'num_experts_per_tok',
  'num_experts_per_token',
  'moe_topk',
  'moe_top_k',
  'moe_k',
  'top_k_experts',
  'experts_per_token',
] as const;
/** Experts that work on a projection: its width travels instead of the hidden size. */
const LATENTS = ['moe_latent_size', 'routed_expert_hidden_size'] as const;
const HIDDEN = ['hidden_size', 'd_model', 'n_embd'] as const;
const GROUPS = ['n_group', 'num_expert_group'] as const;

/** A group-limited router takes experts of `topkGroups` of `numGroups` groups. */
export interface ExpertGroups {
  readonly numGroups: number;
  readonly topkGroups: number;
}

export interface MoeShape {
  readonly numExperts: number;
  readonly numTopk: number;
  /** Elements of a token as it is dispatched. */
  readonly hidden: number;
  readonly groups: ExpertGroups | null;
  /** Identity experts that a token may choose among the others; such a choice stays home (LongCat). */
  readonly numZeroExperts: number;
  readonly decidedBy: readonly string[];
}

/** Throws ConfigRefusal where the file has no experts, or says them twice and not alike. */
export function readMoeShape(document: unknown): MoeShape {
  const model = findLanguageModel(document);
  const outer = new ConfigKeys(model.config, classDefaults(model.modelType ?? ''));
  // DBRX keeps the keys of its experts in an object of their own.
  const inner = outer.inside('ffn_config');
  const keys = inner.first(EXPERTS) === undefined ? outer : inner;
  const numExperts = oneOf(keys, EXPERTS);
  if (numExperts === undefined) {
    throw new ConfigRefusal('a mixture of experts', `no key that says experts (${EXPERTS.join(', ')})`);
  }
  const numTopk = oneOf(keys, CHOICES) ?? keys.need(CHOICES);
  const hidden = outer.count(LATENTS) ?? outer.need(HIDDEN);
  return {
    numExperts,
    numTopk,
    hidden,
    groups: expertGroups(outer),
    numZeroExperts: outer.count(['zero_expert_num']) ?? 0,
    decidedBy: [...outer.decided].sort(),
  };
}

/** The number under several names, which must be the same. */
function oneOf(keys: ConfigKeys, names: readonly string[]): number | undefined {
  const said = names.filter((name) => keys.has(name));
  const [first, ...others] = said;
  if (first === undefined) return undefined;
  const value = keys.need([first]);
  for (const name of others) {
    const other = keys.need([name]);
    if (other !== value) throw new ConfigRefusal('one number', `${first} = ${value}, ${name} = ${other}`);
  }
  return value;
}

function expertGroups(keys: ConfigKeys): ExpertGroups | null {
  const numGroups = keys.count(GROUPS) ?? 1;
  const topkGroups = keys.count(['topk_group']) ?? numGroups;
  if (topkGroups > numGroups) {
    throw new ConfigRefusal(`at most ${numGroups} groups`, `topk_group = ${topkGroups}`);
  }
  return topkGroups < numGroups ? { numGroups, topkGroups } : null;
}
