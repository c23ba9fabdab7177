/** Groups of layers of published models, written by hand, and small ones of each kind for runs that take milliseconds. */
type Json = Readonly<Record<string, unknown>>;

/** Every 6th of 62 layers keeps everything. */
export const GEMMA_27B: readonly Json[] = [
  { name: 'full', layers: '5,11,17,23,29,35,41,47,53,59', kvHeads: 16, headDimK: 128 },
  {
    name: 'window',
    layers: '0-4,6-10,12-16,18-22,24-28,30-34,36-40,42-46,48-52,54-58,60-61',
    kvHeads: 16,
    headDimK: 128,
    window: 1024,
  },
];

/** MiMo-V2-Flash: V is shorter than K, windows have twice the heads. */
export const MIMO_FLASH: readonly Json[] = [
  { name: 'full', layers: '0,5,11,17,23,29,35,41,47', kvHeads: 4, headDimK: 192, headDimV: 128 },
  {
    name: 'window',
    layers: '1-4,6-10,12-16,18-22,24-28,30-34,36-40,42-46',
    kvHeads: 8,
    headDimK: 192,
    headDimV: 128,
    window: 128,
  },
];

/** DeepSeek-V3.2: latents of 512 + 64, and index keys of 128 bytes with a scale of 4. */
export const DEEPSEEK_V32: readonly Json[] = [
  { name: 'latent', layers: '0-60', kind: 'latent', headDimK: 576 },
  { name: 'index', layers: '0-60', kind: 'index', headDimK: 128, dtypeWidthBytes: 1, scaleBytes: 4 },
];

/** One small layout of each kind that models have. */
export const SMALL: Readonly<Record<string, readonly Json[]>> = {
  fullAndWindow: [
    { name: 'full', layers: [2, 5], kvHeads: 2, headDimK: 32 },
    { name: 'window', layers: [0, 1, 3, 4], kvHeads: 4, headDimK: 32, window: 40 },
  ],
  fullAndNone: [
    { name: 'full', layers: [1, 3], kvHeads: 2, headDimK: 32 },
    { name: 'linear', layers: [0, 2], kind: 'state' },
  ],
  latentAndIndex: [
    { name: 'latent', layers: '0-3', kind: 'latent', headDimK: 72 },
    { name: 'index', layers: '0-3', kind: 'index', headDimK: 32, dtypeWidthBytes: 1, scaleBytes: 4 },
  ],
  unequalKAndV: [{ name: 'full', layers: '0-3', kvHeads: 2, headDimK: 48, headDimV: 32 }],
  sharedLayers: [
    { name: 'full', layers: [0, 2], kvHeads: 1, headDimK: 64 },
    { name: 'window', layers: [1], kvHeads: 2, headDimK: 32, window: 16 },
    { name: 'shared', layers: '3-5', kind: 'state' },
  ],
};
