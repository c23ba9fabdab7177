import t from 'tap';
import { readFileSync, readdirSync } from 'node:fs';
import { parseConfig } from '../../../../jobs/kv/models/config-text.js';
import { readMoeShape } from '../../../../jobs/kv/models/moe-shape.js';
import { ConfigRefusal } from '../../../../jobs/kv/models/refusal.js';
import { needsShared, sharedPath } from '../../../helpers/shared-facts.js';
import { brief, jobIssues, loadJob } from '../../../runner/job-spec/spec-fixture.js';

const layers = { num_hidden_layers: 2, hidden_size: 4096 };

t.test('key names of the families', async (t) => {
  const deepseek = { n_routed_experts: 256, num_experts_per_tok: 8, n_group: 8, topk_group: 4 };
  const expected = { numExperts: 256, numTopk: 8, hidden: 4096, groups: { numGroups: 8, topkGroups: 4 } };
  t.match(readMoeShape({ ...layers, ...deepseek }), expected);
  const latent = {
    n_routed_experts: 512,
    num_experts_per_tok: 22,
    moe_latent_size: 1024,
    n_group: 1,
    topk_group: 1,
  };
  t.match(readMoeShape({ ...layers, ...latent }), { numTopk: 22, hidden: 1024, groups: null });
  const dbrx = { n_layers: 2, d_model: 6144, ffn_config: { moe_num_experts: 16, moe_top_k: 4 } };
  t.match(readMoeShape(dbrx), { numExperts: 16, numTopk: 4, hidden: 6144 });
  const longcat = { n_routed_experts: 512, moe_topk: 12, zero_expert_num: 256 };
  t.match(readMoeShape({ ...layers, ...longcat }), { numExperts: 512, numTopk: 12, numZeroExperts: 256 });
});

t.test('a dense model and two numbers are refused', async (t) => {
  t.throws(() => readMoeShape({ ...layers, num_experts: 0 }), ConfigRefusal);
  const two = { ...layers, num_experts: 8, num_local_experts: 16, num_experts_per_tok: 2 };
  t.throws(() => readMoeShape(two), { message: /num_experts = 8, num_local_experts = 16/ });
  t.match(
    readMoeShape({ ...two, num_local_experts: 8 }),
    { numExperts: 8, numTopk: 2 },
    'alike is one number',
  );
  t.throws(() => readMoeShape({ ...layers, num_experts: 8 }), { message: /num_experts_per_tok = nothing/ });
});

t.test('dispatchCombine takes a model', async (t) => {
  const job = { id: 'a', kind: 'dispatchCombine', numTokens: 8, maxDispatchTokensPerRank: 8 };
  const spec = (keys: Record<string, unknown>): unknown => loadJob({ ...job, ...keys }).points[0]?.spec;
  t.match(spec({ model: 'deepseek-v3' }), {
    hidden: 7168,
    numTopk: 8,
    numExperts: 256,
    routing: { kind: 'groupLimited', numGroups: 8, topkGroups: 4 },
  });
  t.match(spec({ model: 'deepseek-v3', routing: { kind: 'uniform' } }), { routing: { kind: 'uniform' } });
  t.match(spec({ model: 'nemotron-3-super-120b-a12b' }), { hidden: 1024, numTopk: 22, numExperts: 512 });
  t.match(spec({ model: 'longcat-flash' }), { numTopk: 12, routing: { maskedFraction: 256 / 768 } });
  t.match(brief(jobIssues({ ...job, model: 'deepseek-v3', hidden: 128 })), ['/jobs/0/hidden: 128']);
  t.match(brief(jobIssues({ ...job, model: 'llama-3.1-8b' })), [/\/model: no key that says experts/]);
  t.match(brief(jobIssues(job)), [/\/hidden: nothing/, /\/numTopk: nothing/, /\/numExperts: nothing/]);
});

t.test(
  'every file with experts is read or refused by a key',
  { skip: needsShared('geometry') },
  async (t) => {
    let found = 0;
    for (const name of readdirSync(sharedPath('geometry', 'configs'))) {
      const document = parseConfig(readFileSync(sharedPath('geometry', 'configs', name), 'utf8'));
      try {
        const { numTopk, numExperts } = readMoeShape(document);
        t.ok(numTopk <= 32 && numTopk <= numExperts, name);
        found++;
      } catch (error) {
        if (!(error instanceof ConfigRefusal)) throw error;
        t.match(error.message, /no key that says experts/, name);
      }
    }
    t.ok(found >= 46);
  },
);
