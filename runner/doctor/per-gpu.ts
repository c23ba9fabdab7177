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
