import { entriesOf, textOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';
import type { DoctorContext } from '../context.js';

const PCI = '/sys/bus/pci/devices';
const NVIDIA = '0x10de';
/** PCI class of display and 3D controllers. */
const DISPLAY_CLASS = '0x03';

/** NVIDIA GPUs on the bus, with or without a driver. `devices`: another folder in tests. */
export function gpusOnBus(devices = PCI): number {
  return entriesOf(devices).filter(
    (slot) =>
      textOf(`${devices}/${slot}/vendor`).trim() === NVIDIA &&
      textOf(`${devices}/${slot}/class`).startsWith(DISPLAY_CLASS),
  ).length;
}

interface BuildReading {
  readonly gpusOnBus: number;
}

export const build = defineCheck({
  name: 'build',
  looksAt: 'the native addon',
  kinds: {
    'addon-missing': {
      severity: 'blocks',
      when: 'the native addon is not built, or does not load',
      consequence: 'No job can run. validate, plan and schema work.',
      remedy: 'npm run build. On Debian and Ubuntu `npm run setup` installs what the build needs first.',
    },
    'addon-without-cuda': {
      severity: 'warning',
      when: 'the machine has an NVIDIA GPU, and the addon was built without nvcc',
      consequence: 'The GPUs are not used: device auto runs on the host device, device cuda is refused.',
      remedy: 'Put nvcc on PATH or set CUDA_HOME, then: npm run build:native',
    },
    'debug-build': {
      severity: 'warning',
      when: 'the addon is not a release build, or was built with sanitizers',
      consequence: 'Checks and copies are slower than they need to be; figures are not comparable.',
      remedy: 'npm run build:native',
    },
  },
  read: (): BuildReading => ({ gpusOnBus: gpusOnBus() }),
  judge: (reading: BuildReading, { probes }: DoctorContext) => {
    const { build: info, buildReason } = probes;
    if (!info) return [{ kind: 'addon-missing', what: buildReason }];
    const found: Observation<'addon-without-cuda' | 'debug-build'>[] = [];
    if (info.cuda === null && reading.gpusOnBus > 0) {
      const what = `${reading.gpusOnBus} NVIDIA GPUs on the bus, no cuda device in the addon`;
      found.push({ kind: 'addon-without-cuda', what });
    }
    if (info.buildType !== 'Release' || info.sanitizers !== '') {
      const sanitizers = info.sanitizers === '' ? '' : `, sanitizers ${info.sanitizers}`;
      found.push({ kind: 'debug-build', what: `build type ${info.buildType}${sanitizers}` });
    }
    const devices = info.cuda === null ? 'only the host device' : 'host and cuda devices';
    return [...found, { kind: 'ok', what: `addon ${info.version}, ${devices}, compiler ${info.compiler}` }];
  },
});
