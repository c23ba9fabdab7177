/** Values as ranks send them to each other: JSON. */
import { RunnerError } from '../errors.js';

export function encodeMessage(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Throws E_WORLD_LOST where `bytes`, which `rank` sent, are not JSON. */
export function decodeMessage<T>(bytes: Buffer, rank: number): T {
  try {
    // Only ranks of one build get past the start of a run (world/versions.ts), and what they send is typed by T there.
    return JSON.parse(bytes.toString('utf8')) as T;
  } catch (error) {
    throw new RunnerError(
      'E_WORLD_LOST',
      `rank ${rank} sent ${bytes.length} bytes, expected JSON. Check that all ranks run the same build`,
      {
        cause: error,
      },
    );
  }
}
