#pragma once

// How calls of a round trip are timed.
namespace railrunner::moe::cuda {

// kHost: by the clock around the call, warm. kEvent: by the device, cold.
enum class Timing { kHost, kEvent };

constexpr const char* nameOf(Timing timing) { return timing == Timing::kHost ? "host" : "event"; }

}  // namespace railrunner::moe::cuda
