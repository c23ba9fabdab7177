/** Bytes of an element of K, V and latents: 8-bit caches are said by quantization_config or a file next to config.json. */
import { isObject } from '../../../runner/job-spec/pointer.js';
import { isOff, type ConfigObject } from './config-keys.js';
import { ConfigRefusal, show } from './refusal.js';

export interface ElementWidth {
  readonly dtypeWidthBytes: number;
  /** The key that said so; null: the default of 2 bytes. */
  readonly key: string | null;
}

const DEFAULT_WIDTH_BYTES = 2;

/** Names that ModelOpt and compressed-tensors use. */
const WIDTH_BY_NAME: ReadonlyMap<string, number> = new Map([
  ['fp8', 1],
  ['fp8_e4m3', 1],
  ['fp8_e5m2', 1],
  ['int8', 1],
  ['float8', 1],
  ['fp16', 2],
  ['bf16', 2],
  ['float16', 2],
  ['bfloat16', 2],
  ['auto', 2],
]);

const KEYS = ['kv_cache_scheme', 'kv_cache_quant_algo', 'kv_cache_dtype', 'kv_cache_quant_config'] as const;

/**
 * `outer`: the objects of the file, outermost first. `quantFile`: hf_quant_config.json of the same folder, if any.
 * `given`: layout.dtypeWidthBytes, which wins.
 */
export function elementWidth(
  outer: readonly ConfigObject[],
  quantFile: ConfigObject | null,
  given: number | null,
): ElementWidth {
  if (given !== null) return { dtypeWidthBytes: given, key: 'dtypeWidthBytes given by hand' };
  const places: [string, ConfigObject][] = [];
  for (const object of outer) {
    for (const name of ['quantization_config', 'compression_config']) {
      const inner = object[name];
      if (isObject(inner)) places.push([name, inner]);
    }
  }
  const quantization = quantFile?.['quantization'];
  if (isObject(quantization)) places.push(['hf_quant_config.json: quantization', quantization]);
  const said = places.map(([name, object]) => widthOf(name, object)).filter((width) => width !== null);
  const [first] = said;
  const other = said.find((width) => width.dtypeWidthBytes !== first?.dtypeWidthBytes);
  if (first !== undefined && other !== undefined) {
    const received = `${first.dtypeWidthBytes} by ${first.key}, ${other.dtypeWidthBytes} by ${other.key}`;
    throw new ConfigRefusal('one width of the KV cache', received, 'give layout.dtypeWidthBytes');
  }
  return first ?? { dtypeWidthBytes: DEFAULT_WIDTH_BYTES, key: null };
}

function widthOf(place: string, object: ConfigObject): ElementWidth | null {
  for (const [key, value] of Object.entries(object)) {
    if (!/kv_cache/.test(key) || isOff(value)) continue;
    const name = `${place}.${key}`;
    const width = (KEYS as readonly string[]).includes(key) ? widthOfValue(value) : undefined;
    if (width === undefined) {
      const expected = 'a KV cache of 8 or 16 bits';
      throw new ConfigRefusal(
        expected,
        `${name} = ${show(value)}`,
        'give layout.dtypeWidthBytes, which wins',
      );
    }
    return { dtypeWidthBytes: width, key: name };
  }
  return null;
}

function widthOfValue(value: unknown): number | undefined {
  if (typeof value === 'string') return WIDTH_BY_NAME.get(value.toLowerCase());
  if (!isObject(value)) return undefined;
  const bits = value['num_bits'];
  if (bits === 8) return 1;
  return bits === 16 ? 2 : undefined;
}
