/** A fresh folder around a test's body, gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function withTempDir<T>(
  body: (folder: string) => Promise<T> | T,
  parent = tmpdir(),
): Promise<T> {
  const folder = mkdtempSync(join(parent, 'railrunner-test-'));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
