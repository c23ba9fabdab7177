#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace railrunner {

// A communicator's configuration as bytes. ncclConfig_t grows with NCCL's versions; the library copies
// min(size, its own size) bytes and looks at `version` to know which fields the caller's header had. So one
// block of the largest known size serves every library since 2.14, if every word that any version reads as a
// field says "not set" in that version's way.
constexpr size_t kNcclConfigBytes = 120;
using NcclConfigBlock = std::array<std::byte, kNcclConfigBytes>;

// Oldest NCCL that is accepted, the newest whose structure was looked at, and the first that is refused: what a
// next major version keeps of the interface is not known.
constexpr int kNcclOldestVersion = 21800;
constexpr int kNcclNewestKnownVersion = 23200;
constexpr int kNcclFirstUnknownMajor = 30000;

// "" for a version that can be used, else why it cannot be.
std::string ncclVersionFault(int version);

// `version`: what ncclGetVersion returned. A newer library than the newest known one is told that this was built for
// the latter: it then gives the fields behind that one's their defaults. `maxCtas`: the cap of thread blocks of a
// collective, with a minimum of 1; none = the library's own choice of both. Throws kArgument for a cap below 1 and
// kNcclMissing for a version that cannot be used.
NcclConfigBlock makeNcclConfig(int version, std::optional<int> maxCtas);

// "2.28.9" of 22809.
std::string ncclVersionText(int version);

}  // namespace railrunner
