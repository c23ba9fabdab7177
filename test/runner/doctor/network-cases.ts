import { nccl } from '../../../runner/doctor/checks/nccl.js';
import { network } from '../../../runner/doctor/checks/network.js';
import { cudaProbes, gpusOf, group, HOST_PROBES, type Group } from './cases.js';

const four = cudaProbes(gpusOf(4));
const tcp = HOST_PROBES.network!;
const rdma = { ...tcp, transports: ['tcp/eth0', 'rc_mlx5/mlx5_0:1'], cudaMemory: true };
const up = { port: 'mlx5_0:1', active: true };

const networkGroup = group(network, [
  {
    title: 'TCP',
    reading: { ports: [], peerMemory: false },
    expected: ['tcp-alone'],
    says: /UCX 1.16.0: tcp\/eth0/,
  },
  {
    title: 'no addon',
    reading: { ports: [], peerMemory: false },
    setting: { probes: { ...HOST_PROBES, build: null, network: null } },
    expected: ['no-ucx'],
    says: /no addon/,
  },
  {
    title: 'a UCX that hangs',
    reading: { ports: [], peerMemory: false },
    setting: { probes: { ...HOST_PROBES, network: null } },
    expected: ['no-ucx'],
    says: /UCX did not answer/,
  },
  {
    title: 'no UCX',
    reading: { ports: [], peerMemory: false },
    setting: {
      probes: {
        ...HOST_PROBES,
        network: { ...tcp, version: '', available: false, reason: 'libucp.so.0 does not load' },
      },
    },
    expected: ['no-ucx'],
    says: /libucp/,
  },
  {
    title: 'UCX that may use nothing here',
    reading: { ports: [], peerMemory: false },
    setting: {
      probes: { ...HOST_PROBES, network: { ...tcp, available: false, reason: 'none (set: UCX_TLS=rc)' } },
    },
    expected: ['no-network'],
    says: /UCX_TLS=rc/,
  },
  {
    title: 'RDMA that UCX does not see',
    reading: { ports: [up], peerMemory: true },
    expected: ['rdma-unused'],
  },
  {
    title: 'RDMA and GPUs',
    reading: { ports: [up], peerMemory: true },
    setting: { probes: { ...four, network: rdma } },
    expected: ['ok'],
  },
  {
    title: 'a port without a cable',
    reading: { ports: [up, { port: 'mlx5_1:1', active: false }], peerMemory: true },
    setting: { probes: { ...four, network: rdma } },
    expected: ['port-down', 'ok'],
    says: /^mlx5_1:1$/,
  },
  {
    title: 'UCX without CUDA',
    reading: { ports: [], peerMemory: false },
    setting: { probes: four },
    expected: ['tcp-alone', 'no-gpu-memory'],
  },
  {
    title: 'no nvidia_peermem',
    reading: { ports: [up], peerMemory: false },
    setting: { probes: { ...four, network: rdma } },
    expected: ['no-peer-memory-module', 'ok'],
  },
]);

const ncclGroup = group(nccl, [
  {
    title: 'there',
    reading: four,
    setting: { probes: four },
    expected: ['ok'],
    says: /NCCL 2.28.9, libnccl.so.2/,
  },
  {
    title: 'missing, with GPUs',
    reading: HOST_PROBES,
    setting: { probes: four },
    expected: ['no-nccl'],
    says: /does not load/,
  },
  { title: 'missing without GPUs', reading: HOST_PROBES, expected: ['no-nccl-unused'] },
]);

export const NETWORK_GROUPS: readonly Group[] = [networkGroup, ncclGroup];
