/** How a disk tier would be driven, as a probe of one folder sees it. */
export interface StorageProbe {
  /** unconfirmed: the file system accepts O_DIRECT and does not say what it does with it. */
  readonly direct: 'direct' | 'unconfirmed' | 'buffered';
  /** Why not direct; '' where it is. */
  readonly directReason: string;
  /** Of addresses, lengths and offsets of direct requests; 1 where nothing is direct. */
  readonly alignmentBytes: number;
  /** What the kernel answered where io_uring was refused, so that threads do the work; '' otherwise. */
  readonly ringRefusal: string;
  /** As the disk_io column says it, for example "io_uring+O_DIRECT qd=32". */
  readonly diskIo: string;
}

/** taken: by another process; unsupported: the file system has no locks. */
export type ByteLock = 'held' | 'taken' | 'unsupported';
