/** What a user should know of a reading: what was assumed, and where engines and transformers differ. */
import type { ConfigKeys } from './config-keys.js';
import type { ElementWidth } from './element-width.js';
import type { LanguageModel } from './language-model.js';
import type { LayerKind } from './layer-kinds.js';
import { show } from './refusal.js';

export interface NoteContext {
  readonly keys: ConfigKeys;
  readonly modelType: string;
  readonly isKnown: boolean;
  readonly model: LanguageModel;
  readonly width: ElementWidth;
  readonly kinds: readonly LayerKind[];
  readonly mtpKey: string | undefined;
  readonly options: { readonly mtp: boolean };
}

/** Where this reader follows engines, or a choice had to be made. `use_cla` and its kin decide nothing, so they are said here. */
const NOTES: readonly ((context: NoteContext) => string | false)[] = [
  ({ model }) => model.path !== '' && `the language model is under ${model.path}`,
  ({ modelType, isKnown }) =>
    !isKnown &&
    (modelType === ''
      ? 'the file has no model_type: read by its plain keys only'
      : `model_type ${show(modelType)} is not in this reader's table: read by its plain keys only`),
  ({ keys, mtpKey, options }) =>
    mtpKey !== undefined &&
    !options.mtp &&
    `${mtpKey} = ${show(keys.config[mtpKey])}: MTP layers are not counted; layout.mtp counts them`,
  ({ width }) => width.key !== null && `${width.dtypeWidthBytes} bytes per element: ${width.key}`,
  ({ width, model }) => {
    const dtype = model.config['dtype'] ?? model.config['torch_dtype'] ?? model.outer[0]?.['torch_dtype'];
    return (
      width.key === null &&
      dtype === 'float32' &&
      'the file says float32; engines serve it in 2 bytes per element'
    );
  },
  ({ keys }) => {
    if (keys.config['use_cla'] !== true) return false;
    for (const key of ['use_cla', 'cla_share_factor']) keys.take(key);
    return `use_cla: the model shares K and V over ${show(keys.config['cla_share_factor'])} layers; vLLM and SGLang keep a copy in every layer, which is counted`;
  },
  ({ kinds }) =>
    kinds.some((kind) => kind.chunked) &&
    'chunked attention: a token attends only to its own chunk, so attention_chunk_size is taken as the window',
  ({ kinds }) =>
    kinds.some((kind) => kind.ratio !== undefined || kind.ratioUnder !== undefined) &&
    'compressed cache: one entry per token inside the window and one per ratio beyond it, with the index keys of these; counted in the width of the cache, where vLLM packs an entry in 584 bytes of fp8 and scales',
  ({ keys, width }) =>
    keys.has('index_head_dim') &&
    keys.has('kv_lora_rank') &&
    width.dtypeWidthBytes === 1 &&
    "vLLM's fp8 format of sparse MLA (fp8_ds_mla) takes 656 bytes per token and layer; counted without its scales",
  ({ modelType }) =>
    modelType === 'minicpm3' &&
    'vLLM expands the latent of minicpm3 to heads; SGLang keeps the latent, which is counted',
  ({ keys }) =>
    keys.has('index_kpool') &&
    'index_kpool: transformers keeps wider index rows; one fp8 key per token is counted, and no engine was read',
];

export function modelNotes(context: NoteContext): void {
  for (const note of NOTES) {
    const text = note(context);
    if (text !== false) context.keys.note(text);
  }
}
