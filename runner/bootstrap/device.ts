/** Which device this rank runs on, decided by all ranks together. */
import type { DeviceProperties, NativeDevice } from '../native/types.js';

export interface ChosenDevice {
  readonly properties: DeviceProperties;
  readonly native: NativeDevice;
  /** More than one rank on this GPU (allowSharedDevice): functional only, rows carry no times. */
  readonly shared: boolean;
}
