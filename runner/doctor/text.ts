/** Sizes and lists for people. */

/** Powers of two, three digits. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = Number.isInteger(value) ? 0 : value < 10 ? 2 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** "GPU 0: 3 processes; GPU 2: 1 process" of what each says; null says nothing. */
export function perGpu<Gpu extends { readonly ordinal: number }>(
  gpus: readonly Gpu[],
  say: (gpu: Gpu) => string | null,
): string {
  return gpus
    .flatMap((gpu) => {
      const said = say(gpu);
      return said === null ? [] : [`GPU ${gpu.ordinal}: ${said}`];
    })
    .join('; ');
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
