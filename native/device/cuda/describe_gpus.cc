#include "device/cuda/describe_gpus.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cctype>
#include <fstream>

#include "device/cuda/cuda_call.h"
#include "device/cuda/management.h"

namespace railrunner::cuda {

namespace {

std::string uuidText(const cudaUUID_t& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    const auto byte = static_cast<uint8_t>(uuid.bytes[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

std::string pciBusId(int ordinal) {
  char text[32] = {};
  check(cudaDeviceGetPCIBusId(text, sizeof(text), ordinal), "cudaDeviceGetPCIBusId");
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

int numaNodeOf(const std::string& slot) {
  std::ifstream file("/sys/bus/pci/devices/" + slot + "/numa_node");
  int node = -1;
  return file >> node ? node : -1;
}

std::string computeModeOf(int ordinal) {
  int mode = 0;
  check(cudaDeviceGetAttribute(&mode, cudaDevAttrComputeMode, ordinal), "cudaDeviceGetAttribute");
  if (mode == cudaComputeModeProhibited) return "prohibited";
  return mode == cudaComputeModeDefault ? "default" : "exclusive";
}

GpuDescription describe(int ordinal, int count) {
  // Nothing here makes a context: it would take memory and be counted among the GPU's processes.
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, ordinal), "cudaGetDeviceProperties");
  GpuDescription gpu;
  gpu.ordinal = ordinal;
  gpu.name = properties.name;
  gpu.uuid = uuidText(properties.uuid);
  gpu.pciBusId = pciBusId(ordinal);
  gpu.numaNode = numaNodeOf(gpu.pciBusId);
  gpu.totalBytes = properties.totalGlobalMem;
  gpu.computeCapability = std::to_string(properties.major) + "." + std::to_string(properties.minor);
  gpu.computeMode = computeModeOf(ordinal);
  for (int peer = 0; peer < count; ++peer) {
    int can = 0;
    if (peer != ordinal) {
      check(cudaDeviceCanAccessPeer(&can, ordinal, peer), "cudaDeviceCanAccessPeer");
    }
    gpu.peerAccess.push_back(can != 0);
  }
  return gpu;
}

}  // namespace

GpuReport describeVisibleGpus() {
  GpuReport report;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    count = 0;
  }
  for (int ordinal = 0; ordinal < count; ++ordinal) report.gpus.push_back(describe(ordinal, count));
  readManagement(report);
  return report;
}

}  // namespace railrunner::cuda
