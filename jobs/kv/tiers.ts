export const TIERS = ['device', 'host', 'disk'] as const;

/** The keys of a spec for each tier. */
export const POOL_KEYS = { device: 'deviceBlocks', host: 'hostBlocks', disk: 'diskBlocks' } as const;
export const LAYOUT_KEYS_BY_TIER = { device: 'layout', host: 'hostLayout', disk: 'diskLayout' } as const;
