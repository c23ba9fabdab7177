/**
 * Requests of traces that are CSV and name no blocks: the Azure LLM inference traces and BurstGPT. Their fields are
 * times, numbers and plain words, so a line with a quote is not one of theirs.
 */
import { showValue } from '../../runner/job-spec/issue.js';
import type { ParsedLine } from './request.js';

export const AZURE_HEADER = 'TIMESTAMP,ContextTokens,GeneratedTokens';
export const BURSTGPT_HEADER = 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type';

/** "2023-11-16 18:17:03.9799600", in UTC where no zone is written. */
const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?(?:\+00:00|Z)?$/;

function milliseconds(text: string): number {
  const match = DATE_TIME.exec(text);
  if (match === null) return NaN;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  const whole = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
  return whole + Number(match[7] ?? 0) * 1000;
}

function count(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}(\.0+)?$/.test(text) ? Number(text) : NaN;
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
    const place = (name: string): string | undefined => fields[this.#columns.indexOf(name)];
    const [timeName, inputName, outputName] = this.#isAzure
      ? ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens']
      : ['Timestamp', 'Request tokens', 'Response tokens'];
    const said = place(timeName) ?? '';
    const seconds = /^\d+(\.\d+)?$/.test(said) ? Number(said) : NaN;
    const absoluteMs = this.#isAzure ? milliseconds(said) : seconds * 1000;
    const timestampMs = absoluteMs - (this.#zeroMs ?? absoluteMs);
    if (!(timestampMs >= previousMs) || !Number.isFinite(timestampMs)) {
      const form = this.#isAzure ? 'a date and time (UTC)' : 'seconds';
      return { wrong: `${timeName} ${showValue(said)}, expected ${form}, never back in time` };
    }
    const [inputTokens, outputTokens] = [count(place(inputName)), count(place(outputName))];
    if (!(inputTokens >= 1)) {
      return { wrong: `${inputName} ${showValue(place(inputName))}, expected a whole number from 1` };
    }
    if (!(outputTokens >= 0)) {
      return { wrong: `${outputName} ${showValue(place(outputName))}, expected a whole number from 0` };
    }
    this.#zeroMs ??= absoluteMs;
    const session = place('Session ID');
    const named = session === undefined || session === '' ? {} : { session };
    return { timestampMs, inputTokens, outputTokens, hashIds: [], ...named };
  }
}
