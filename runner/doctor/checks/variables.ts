import type { Variables } from '../../environment/variables.js';
import { defineCheck, type Observation } from '../finding.js';

type Kind =
  | 'ucx-hooks'
  | 'fault-injected'
  | 'cuda-blocking'
  | 'nccl-paths-off'
  | 'ucx-choice'
  | 'nccl-debug'
  | 'job-keys-fixed';

const isOn = (value: string): boolean => /^(1|y|yes|on|true)$/i.test(value);

/** Which variables lead to which finding, and with which values. */
const RULES: readonly (readonly [kind: Kind, names: readonly string[], tells: (value: string) => boolean])[] =
  [
    ['ucx-hooks', ['UCX_MEM_EVENTS'], isOn],
    ['fault-injected', ['RAILRUNNER_FAULT'], (value) => value !== ''],
    ['cuda-blocking', ['CUDA_LAUNCH_BLOCKING'], isOn],
    ['nccl-paths-off', ['NCCL_P2P_DISABLE', 'NCCL_SHM_DISABLE', 'NCCL_IB_DISABLE'], isOn],
    ['ucx-choice', ['UCX_TLS', 'UCX_NET_DEVICES'], (value) => value !== ''],
    ['nccl-debug', ['NCCL_DEBUG'], (value) => /^(INFO|TRACE)$/i.test(value)],
  ];

export const variables = defineCheck<Variables, Kind>({
  name: 'environment',
  looksAt: 'environment variables that change what is measured',
  kinds: {
    'ucx-hooks': {
      severity: 'warning',
      when: "UCX's memory hooks are switched on",
      consequence: 'They patch mmap in the process, which crashes Node now and then.',
      remedy: 'unset UCX_MEM_EVENTS: railrunner then switches them off.',
    },
    'fault-injected': {
      severity: 'warning',
      when: 'RAILRUNNER_FAULT is set',
      consequence: 'A fault is injected: points fail or hang.',
      remedy: 'unset RAILRUNNER_FAULT',
    },
    'cuda-blocking': {
      severity: 'warning',
      when: 'CUDA_LAUNCH_BLOCKING is on',
      consequence: 'Every launch waits for the GPU: nothing overlaps, and times are too long.',
      remedy: 'unset CUDA_LAUNCH_BLOCKING',
    },
    'nccl-paths-off': {
      severity: 'warning',
      when: 'a path of NCCL is switched off',
      consequence: 'NCCL takes a slower path, and its figures are not those of this machine.',
      remedy: 'Unset the variable, unless the slower path is what you want to measure.',
    },
    'ucx-choice': {
      severity: 'info',
      when: 'UCX_TLS or UCX_NET_DEVICES is set',
      consequence:
        'UCX uses that choice, for points between nodes (without transports that need shared memory, and cuda_ipc) and for the traffic of an MPI that uses UCX. network_transport says what was used.',
      remedy: 'Unset it to let UCX choose.',
    },
    'job-keys-fixed': {
      severity: 'info',
      when: 'a variable fixes a key of jobs',
      consequence:
        'Every job whose kind has the key runs with that value, regardless of its spec; `plan` and the manifest show it.',
      remedy: 'Unset the variable to run what the spec says; docs/environment.md lists all of them.',
    },
    'nccl-debug': {
      severity: 'info',
      when: 'NCCL prints what it does',
      consequence: 'Ranks write many lines to the terminal while they start.',
      remedy: 'NCCL_DEBUG=WARN',
    },
  },
  read: ({ variables: values }) => values,
  judge: (values, { environmentKeys }) => {
    const fixed = environmentKeys.map(({ name, key, value }): Observation<Kind> => ({
      kind: 'job-keys-fixed',
      what: `${name}=${value}: ${key}`,
    }));
    const found = RULES.flatMap(([kind, names, tells]) =>
      names.flatMap((name): Observation<Kind>[] => {
        const value = values[name];
        return value !== undefined && tells(value) ? [{ kind, what: `${name}=${value}` }] : [];
      }),
    );
    const all = [...found, ...fixed];
    return all.length > 0 ? all : [{ kind: 'ok', what: 'nothing set that changes figures' }];
  },
});
