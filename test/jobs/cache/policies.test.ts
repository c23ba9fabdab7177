/** What every eviction policy promises to its tier, whatever it prefers. */
import t from 'tap';
import { POLICY_NAMES } from '../../../jobs/cache/policy.js';
import { Tier } from '../../../jobs/cache/tier.js';

const BLOCKS = [0, 1, 2, 3];
/** After 0 and 1 were used again and 4 took the slot of 2, which every policy evicts first. */
const HELD = [0, 1, 3, 4];

for (const policy of POLICY_NAMES) {
  t.test(`${policy}: what is in use or was forgotten is not given away`, async (t) => {
    const tier = new Tier({ capacity: BLOCKS.length, policy, ttlMs: 1e9, minUses: 1 });
    for (const block of BLOCKS) tier.put(tier.take(block), block, block);
    // Used again and again: policies with two queues have it in the second by then.
    for (let use = 0; use < 3; use++) for (const block of [0, 1]) tier.use(tier.slotOf(block), 10 + use);
    tier.pins.next();
    tier.put(tier.take(4), 4, 15);
    t.equal(tier.victim, 2);
    tier.pins.next();
    for (const block of HELD) tier.pins.pin(tier.slotOf(block));
    t.equal(tier.take(9), -1, 'all are in use');

    tier.pins.next();
    for (const block of [0, 3]) tier.forget(tier.slotOf(block));
    const free = [tier.take(10), tier.take(11)];
    for (const [at, slot] of free.entries()) tier.put(slot, 10 + at, 20);
    t.equal(tier.victim, -1, 'the slots of what was forgotten are free');
    for (const slot of free) tier.pins.pin(slot);
    const given = [];
    for (const block of [12, 13]) {
      const slot = tier.take(block);
      given.push(tier.victim);
      tier.put(slot, block, 30);
      tier.pins.pin(slot);
    }
    t.same(given.sort(), [1, 4], 'each of the others once');
    t.equal(tier.take(14), -1);

    tier.pins.next();
    const slots = [20, 21, 22, 23].map((block) => tier.take(block));
    t.same(slots.sort(), [0, 1, 2, 3], 'each slot once, also those of what was forgotten');
    t.equal(tier.take(24), -1, 'and none twice');
  });

  t.test(`${policy}: the only block that is not in use goes, however the others were used`, async (t) => {
    const tier = new Tier({ capacity: 20, policy, ttlMs: 1e9, minUses: 1 });
    const used = Array.from({ length: 18 }, (_, block) => block);
    for (const block of [...used, 18, 19]) tier.put(tier.take(block), block, block);
    for (let use = 0; use < 3; use++) for (const block of used) tier.use(tier.slotOf(block), 30 + use);
    // 18 comes back: what remembers the evicted has it among those used again by then.
    for (const [block, victim, inUse] of [
      [20, 18, []],
      [18, 19, used],
      [22, 20, [...used, 18]],
    ] as const) {
      tier.pins.next();
      for (const each of inUse) tier.pins.pin(tier.slotOf(each));
      tier.put(tier.take(block), block, 40);
      t.equal(tier.victim, victim);
    }
  });
}
