/** Asks the addon what the drivers and libraries offer. A part that is missing or does not answer leaves the rest. */
import { messageOf } from '../errors.js';
import { addon } from '../native/binding.js';
import type { NativeAddon } from '../native/types/index.js';
import type { Probes } from './context.js';

/** A driver that is stuck must not hold the others' answers back. */
const PROBE_TIMEOUT_MS = 30_000;

export async function probeAddon(
  ncclLibraries: () => readonly string[],
  ucxVariables: string,
): Promise<Probes> {
  let native: NativeAddon;
  try {
    native = addon();
  } catch (error) {
    const nothing = { build: null, devices: null, gpus: null, network: null, nccl: null };
    return { ...nothing, buildReason: messageOf(error), ncclReason: 'there is no addon to ask' };
  }
  native.setUcxVariables(ucxVariables);
  const gpus = await answerOf(native.describeGpus());
  const network = await answerOf(native.probeNetwork());
  const nccl = await answerOf(native.probeNccl(ncclLibraries()));
  return {
    build: native.buildInfo(),
    buildReason: '',
    devices: native.probeDevices(),
    gpus: gpus.value,
    network: network.value,
    nccl: nccl.value,
    ncclReason: nccl.reason,
  };
}

interface Answer<T> {
  readonly value: T | null;
  /** Why there is no value. */
  readonly reason: string;
}

/** Never rejects: what did not answer in time, or failed, has no value. */
export async function answerOf<T>(asked: Promise<T>, timeoutMs = PROBE_TIMEOUT_MS): Promise<Answer<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer<T>>((resolve) => {
    const reason = `no answer within ${timeoutMs / 1000} s`;
    timer = setTimeout(() => resolve({ value: null, reason }), timeoutMs);
  });
  const answer = asked.then(
    (value): Answer<T> => ({ value, reason: '' }),
    (error: unknown): Answer<T> => ({ value: null, reason: messageOf(error) }),
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
