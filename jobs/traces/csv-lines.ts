/**
 * Requests of traces that are CSV and name no blocks: the Azure LLM inference traces and BurstGPT. Their fields are
 * times, numbers and plain words, so a line with a quote is not one of theirs.
 */
import { showValue } from '../../runner/job-spec/issue.js';
import { itemAt } from '../../runner/values/items.js';
import type { ParsedLine } from './request.js';

export const AZURE_HEADER = 'TIMESTAMP,ContextTokens,GeneratedTokens';
export const BURSTGPT_HEADER = 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type';

/** "2023-11-16 18:17:03.9799600", in UTC where no zone is written. */
const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?(?:\+00:00|Z)?$/;

function milliseconds(text: string): number {
  const match = DATE_TIME.exec(text);
  if (match === null) return NaN;
  const part = (group: number): number => Number(match[group]);
  const whole = Date.UTC(part(1), part(2) - 1, part(3), part(4), part(5), part(6));
  return whole + Number(match[7] ?? 0) * 1000;
}

function count(text: string): number {
  return /^\d{1,15}(\.0+)?$/.test(text) ? Number(text) : NaN;
}

/** `text` is not the header. Times count from the first line's. */
export class CsvRequests {
  readonly #isAzure: boolean;
  readonly #columns: readonly string[];
  #zeroMs: number | undefined;

  constructor(header: string) {
    this.#isAzure = header === AZURE_HEADER;
    this.#columns = header.split(',');
  }

  parse(text: string, previousMs: number): ParsedLine {
    const fields = text.split(',');
    if (fields.length !== this.#columns.length || text.includes('"')) {
      return {
        wrong: `${fields.length} fields, expected ${this.#columns.length}: ${this.#columns.join(', ')}`,
      };
    }
    const field = (name: string): string => itemAt(fields, this.#columns.indexOf(name));
    const [timeName, inputName, outputName] = this.#isAzure
      ? ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens']
      : ['Timestamp', 'Request tokens', 'Response tokens'];
    const said = field(timeName);
    const seconds = /^\d+(\.\d+)?$/.test(said) ? Number(said) : NaN;
    const absoluteMs = this.#isAzure ? milliseconds(said) : seconds * 1000;
    const timestampMs = absoluteMs - (this.#zeroMs ?? absoluteMs);
    if (!(timestampMs >= previousMs) || !Number.isFinite(timestampMs)) {
      const form = this.#isAzure ? 'a date and time (UTC)' : 'seconds';
      return { wrong: `${timeName} ${showValue(said)}, expected ${form}, never back in time` };
    }
    const [inputTokens, outputTokens] = [count(field(inputName)), count(field(outputName))];
    if (!(inputTokens >= 1)) {
      return { wrong: `${inputName} ${showValue(field(inputName))}, expected a whole number from 1` };
    }
    if (!(outputTokens >= 0)) {
      return { wrong: `${outputName} ${showValue(field(outputName))}, expected a whole number from 0` };
    }
    this.#zeroMs ??= absoluteMs;
    const request = { timestampMs, inputTokens, outputTokens, hashIds: [] };
    const session = fields[this.#columns.indexOf('Session ID')];
    return session === undefined || session === '' ? request : { ...request, session };
  }
}
