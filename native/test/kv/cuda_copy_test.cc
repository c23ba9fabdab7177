// Copies between device and registered host memory by every strategy, compared byte by byte with what a plain
// loop gives, gaps between regions included. Without a GPU all of it is skipped by name.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "core/pattern.h"
#include "device/cuda/cuda_device.h"
#include "kv/cuda/device_copy.h"
#include "test/kv/scattered_regions.h"
#include "test/support/named_cases.h"

namespace {

using namespace railrunner;
using namespace railrunner::cuda;

using namespace railrunner::test;

void testStrategyOnGpu(Device& device, const Scatter& s, CopyDirection direction, CopyStrategy strategy) {
  const uint64_t bytes = s.count * std::max(s.stride, s.regionBytes) + 128;
  const bool toHost = direction == CopyDirection::kDeviceToHost;
  const auto deviceMemory = device.allocate(bytes);
  std::vector<uint8_t> host(bytes);
  device.registerHost(host.data(), bytes);
  std::vector<uint8_t> image(bytes);  // of the device's memory
  for (size_t i = 0; i < bytes; ++i) (toHost ? image : host)[i] = static_cast<uint8_t>(mix64(i));
  std::fill((toHost ? host : image).begin(), (toHost ? host : image).end(), static_cast<uint8_t>(0xa5));
  check(cudaMemcpy(deviceMemory->data(), image.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");

  const auto deviceBase = reinterpret_cast<uint64_t>(deviceMemory->data());
  const auto hostBase = reinterpret_cast<uint64_t>(host.data());
  const auto regions = scatter(s, deviceBase, hostBase, direction);
  std::vector<uint8_t> expected = toHost ? host : image;
  const std::vector<uint8_t>& source = toHost ? image : host;
  for (const CopyRegion& region : regions) {
    std::memcpy(expected.data() + (region.target - (toHost ? hostBase : deviceBase)),
                source.data() + (region.source - (toHost ? deviceBase : hostBase)), region.bytes);
  }
  std::vector<std::vector<CopyRegion>> lists;
  for (size_t i = 0; i < regions.size(); i += 64) {
    lists.emplace_back(regions.begin() + i, regions.begin() + std::min(regions.size(), i + 64));
  }
  DeviceCopyOptions options;
  options.direction = direction;
  options.strategy = strategy;
  options.chunkBytes = 100'000;
  DeviceCopy copy(0, lists, options);
  const Stream stream;
  for (int round = 0; round < 2; ++round) copy.issue(stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  check(cudaMemcpy(image.data(), deviceMemory->data(), bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  ok((toHost ? host : image) == expected, nameOf(s, direction, strategy));
  device.unregisterHost(host.data());
  deviceMemory->close();
}

}  // namespace

TEST("every strategy moves every kind of region both ways and touches nothing else") {
  const auto device = openCudaDevice(0);
  for (const Scatter& s : kCases) {
    for (const CopyDirection direction : {CopyDirection::kDeviceToHost, CopyDirection::kHostToDevice}) {
      for (const CopyStrategy strategy :
           {CopyStrategy::kMemcpy, CopyStrategy::kMemcpyBatch, CopyStrategy::kKernel, CopyStrategy::kStaged,
            CopyStrategy::kStagedAndKernel, CopyStrategy::kAuto}) {
        testStrategyOnGpu(*device, s, direction, strategy);
      }
    }
  }
}

TEST("a mix of staging and kernel is refused where the other direction runs too") {
  const auto device = openCudaDevice(0);
  DeviceCopyOptions options;
  options.strategy = CopyStrategy::kStagedAndKernel;
  options.bothDirections = true;
  throws(ErrorCode::kUnsupportedHere, "one direction alone", [&] { DeviceCopy(0, {}, options); });
}

int main() {
  const CudaProbe probe = probeCuda();
  if (probe.devices == 0) {
    std::printf("TAP version 14\n1..0 # SKIP needs 1 GPU (%s)\n", probe.reason.c_str());
    return 0;
  }
  return runAll();
}
