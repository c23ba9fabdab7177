#include "moe/probe.h"

#include <cstring>
#include <string>

#include "core/agreement.h"
#include "core/error.h"

namespace railrunner::moe {

namespace {

constexpr uint64_t kMinSourceBytes = 64;
constexpr uint64_t kMaxSourceBytes = 256ULL << 20;

}  // namespace

uint64_t probeSourceBytes(const ProbeRequest& request) {
  return std::clamp(request.sourceBytes, kMinSourceBytes, kMaxSourceBytes);
}

std::vector<std::vector<uint64_t>> agreeOnProbe(Exchange& exchange, const ProbeRequest& request,
                                                const std::function<void()>& prepare, int64_t deadlineNs) {
  const uint32_t worldSize = exchange.worldSize();
  const auto told = Agreement(exchange, "preparing the probe", deadlineNs).run([&] {
    if (request.bytesTo.size() != worldSize) {
      throw Error(ErrorCode::kArgument, "MoE probe: expected bytes to " + std::to_string(worldSize) +
                                            " ranks, received " + std::to_string(request.bytesTo.size()));
    }
    prepare();
    const auto* begin = reinterpret_cast<const uint8_t*>(request.bytesTo.data());
    return std::vector<uint8_t>(begin, begin + request.bytesTo.size() * sizeof(uint64_t));
  });
  std::vector<std::vector<uint64_t>> bytes(worldSize, std::vector<uint64_t>(worldSize));
  for (uint32_t source = 0; source < worldSize; ++source) {
    if (told[source].size() != worldSize * sizeof(uint64_t)) {
      throw Error(ErrorCode::kState, "MoE probe: rank " + std::to_string(source) + " announced " +
                                         std::to_string(told[source].size()) + " bytes, expected " +
                                         std::to_string(worldSize * sizeof(uint64_t)) +
                                         ". All ranks must run the same build.");
    }
    std::memcpy(bytes[source].data(), told[source].data(), told[source].size());
  }
  return bytes;
}

std::vector<uint32_t> ranksAfter(uint32_t rank, uint32_t worldSize) {
  std::vector<uint32_t> ranks;
  for (uint32_t step = 1; step < worldSize; ++step) ranks.push_back((rank + step) % worldSize);
  return ranks;
}

double medianRate(uint64_t bytes, std::vector<double> timesUs) {
  if (timesUs.empty()) return 0;
  std::sort(timesUs.begin(), timesUs.end());
  const double timeUs = timesUs[timesUs.size() / 2];
  return timeUs > 0 ? static_cast<double>(bytes) / (timeUs * 1e3) : 0;
}

}  // namespace railrunner::moe
