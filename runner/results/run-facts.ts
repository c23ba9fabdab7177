/** What a rank knows before the first point, for all of its rows. */
import type { DeviceKindName } from '../native/types/index.js';
import type { SeriesOf } from '../run-folder/point-identity.js';

/** What is the same in all rows of a rank. */
export interface RunFacts {
  readonly runId: string;
  readonly specDigest: string;
  readonly rank: number;
  readonly worldSize: number;
  readonly node: number;
  readonly localRank: number;
  /** 0 = nodes are hosts. */
  readonly ranksPerNode: number;
  readonly hostname: string;
  readonly device: { readonly kind: DeviceKindName; readonly name: string; readonly uuid: string };
  /** What the `series` digest takes from the whole world. */
  readonly series: Pick<SeriesOf, 'device' | 'deviceName' | 'layout'>;
  /** Several ranks on one GPU: rows then carry no times and no bandwidths. */
  readonly deviceShared: boolean;
}
