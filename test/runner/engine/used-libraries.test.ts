import t from 'tap';
import { UsedLibraries } from '../../../runner/engine/used-libraries.js';
import type { NativeAddon } from '../../../runner/native/types/index.js';

async function versionsWith(probeNetwork: () => Promise<{ version: string }>, used = true): Promise<object> {
  const libraries = new UsedLibraries();
  libraries.noteRows([{ status: 'ok' }, ...(used ? [{ network_transport: 'tcp' }] : [])]);
  return await libraries.versions({ probeNetwork } as unknown as NativeAddon);
}

t.test('UCX is asked for its version where a row names a transport of the network', async (t) => {
  t.same(await versionsWith(async () => ({ version: '1.18.1' })), { ucx: '1.18.1', nccl: null });
  t.same(await versionsWith(async () => ({ version: '' })), { ucx: null, nccl: null }, 'it says none');
  t.same(await versionsWith(() => Promise.reject(new Error('gone'))), { ucx: null, nccl: null });
  const unasked = (): never => t.fail('asked although nothing used it') as never;
  t.same(await versionsWith(unasked, false), { ucx: null, nccl: null });
});
