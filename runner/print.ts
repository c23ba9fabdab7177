/** Text for people, on rank 0 alone. Written synchronously: under MPICH stdout is a socket, and an exit loses what waits. */
import { writeSync } from 'node:fs';

function writeAll(descriptor: number, text: string): void {
  let rest = Buffer.from(text, 'utf8');
  for (let attempts = 0; rest.length > 0 && attempts < 2000; attempts += 1) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      // A full pipe whose reader is slow: wait a little, never for ever.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

export function printOut(text: string): void {
  writeAll(1, text.endsWith('\n') ? text : `${text}\n`);
}

export function printError(text: string): void {
  writeAll(2, text.endsWith('\n') ? text : `${text}\n`);
}
