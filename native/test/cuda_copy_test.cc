// Copies between device and registered host memory by every strategy, compared byte by byte with what a plain
// loop gives, gaps between regions included. Without a GPU only the schedules are tested, and the rest is
// skipped by name.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "core/pattern.h"
#include "device/cuda/cuda_device.h"
#include "kv/cuda/device_copy.h"

namespace {

using namespace railrunner;
using namespace railrunner::cuda;

int failures = 0;

void expect(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::printf("FAIL %s\n", what.c_str());
}

// Regions of one size at scattered places of both sides, each `stride` from the next place.
struct Scatter {
  uint64_t regionBytes;
  uint64_t stride;
  uint64_t deviceOffset;  // of the first place, for alignments
  uint64_t hostOffset;
  uint32_t count;
  bool hostInOrder;
};

std::vector<CopyRegion> scatter(const Scatter& s, uint64_t device, uint64_t host, CopyDirection direction) {
  std::vector<uint32_t> devicePlaces(s.count);
  std::iota(devicePlaces.begin(), devicePlaces.end(), 0);
  std::vector<uint32_t> hostPlaces = devicePlaces;
  std::mt19937 random(7);
  std::shuffle(devicePlaces.begin(), devicePlaces.end(), random);
  if (!s.hostInOrder) std::shuffle(hostPlaces.begin(), hostPlaces.end(), random);
  std::vector<CopyRegion> regions;
  for (uint32_t i = 0; i < s.count; ++i) {
    const uint64_t d = device + s.deviceOffset + devicePlaces[i] * s.stride;
    const uint64_t h = host + s.hostOffset + hostPlaces[i] * (s.hostInOrder ? s.regionBytes : s.stride);
    regions.push_back(direction == CopyDirection::kDeviceToHost ? CopyRegion{d, h, s.regionBytes}
                                                                : CopyRegion{h, d, s.regionBytes});
  }
  return regions;
}

const Scatter kCases[] = {
    {1, 3, 0, 0, 50, false},        {24, 40, 8, 16, 200, false},    {100, 104, 4, 12, 200, false},
    {4096, 4096, 0, 0, 600, false}, {4096, 4096, 0, 0, 600, true},  {36864, 36864, 16, 0, 90, true},
    {4100, 4100, 0, 0, 500, true},  {65544, 65552, 0, 8, 60, true}, {1 << 20, 1 << 20, 0, 0, 9, false},
    {4095, 4096, 1, 3, 300, false},
};

std::string nameOf(const Scatter& s, CopyDirection direction, CopyStrategy strategy) {
  return std::string(copyStrategyName(strategy)) +
         (direction == CopyDirection::kDeviceToHost ? " device to host, " : " host to device, ") +
         std::to_string(s.count) + " regions of " + std::to_string(s.regionBytes) + " bytes at offsets " +
         std::to_string(s.deviceOffset) + " and " + std::to_string(s.hostOffset) +
         (s.hostInOrder ? ", host in order" : ", host scattered");
}

// The schedule of a staged copy carried out by memcpy must equal the copy.
void testSchedules() {
  for (const Scatter& s : kCases) {
    for (const CopyDirection direction : {CopyDirection::kDeviceToHost, CopyDirection::kHostToDevice}) {
      std::vector<uint8_t> device(s.deviceOffset + s.count * s.stride + 64);
      std::vector<uint8_t> host(s.hostOffset + s.count * s.stride + 64);
      const bool toHost = direction == CopyDirection::kDeviceToHost;
      std::vector<uint8_t>& source = toHost ? device : host;
      std::vector<uint8_t>& target = toHost ? host : device;
      for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint8_t>(mix64(i));
      std::vector<uint8_t> expected = target;
      const auto deviceBase = reinterpret_cast<uint64_t>(device.data());
      const auto hostBase = reinterpret_cast<uint64_t>(host.data());
      const auto regions = scatter(s, deviceBase, hostBase, direction);
      for (const CopyRegion& region : regions) {
        std::memcpy(expected.data() + (region.target - reinterpret_cast<uint64_t>(target.data())),
                    reinterpret_cast<const void*>(region.source), region.bytes);
      }
      const StagedSchedule schedule = scheduleStaged(coalesce(regions, direction), direction, 100'000);
      std::vector<uint8_t> buffer(schedule.bufferBytes);
      const auto staging = reinterpret_cast<uint64_t>(buffer.data());
      const auto move = [](uint64_t to, uint64_t from, uint64_t bytes) {
        std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
      };
      for (const StagedStep& step : schedule.steps) {
        const auto pieces = [&] {
          for (uint32_t i = step.firstPiece; i < step.firstPiece + step.numPieces; ++i) {
            const CopyRegion& piece = schedule.pieces[i];
            move(piece.target + (toHost ? staging : 0), piece.source + (toHost ? 0 : staging), piece.bytes);
          }
        };
        if (toHost) pieces();
        for (uint32_t i = step.firstRun; i < step.firstRun + step.numRuns; ++i) {
          const HostRun& run = schedule.runs[i];
          const uint64_t staged = staging + run.stagingOffset;
          toHost ? move(run.host, staged, run.bytes) : move(staged, run.host, run.bytes);
        }
        if (!toHost) pieces();
      }
      expect(target == expected, "schedule of " + nameOf(s, direction, CopyStrategy::kStaged));
    }
  }
}

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
  expect((toHost ? host : image) == expected, nameOf(s, direction, strategy));
  device.unregisterHost(host.data());
  deviceMemory->close();
}

}  // namespace

int main() {
  testSchedules();
  const CudaProbe probe = probeCuda();
  if (probe.devices == 0) {
    std::printf("SKIP copies on a GPU: needs 1 GPU (%s)\n", probe.reason.c_str());
  } else {
    try {
      const auto device = openCudaDevice(0);
      for (const Scatter& s : kCases) {
        for (const CopyDirection direction : {CopyDirection::kDeviceToHost, CopyDirection::kHostToDevice}) {
          for (const CopyStrategy strategy :
               {CopyStrategy::kMemcpy, CopyStrategy::kMemcpyBatch, CopyStrategy::kKernel,
                CopyStrategy::kStaged, CopyStrategy::kAuto}) {
            testStrategyOnGpu(*device, s, direction, strategy);
          }
        }
      }
    } catch (const Error& error) {
      expect(false, error.what());
    }
  }
  std::printf("%s\n", failures == 0 ? "ok" : "failed");
  return failures == 0 ? 0 : 1;
}
