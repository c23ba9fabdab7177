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
constexpr size_t kNcclConfigBytes = 96;
using NcclConfigBlock = std::array<std::byte, kNcclConfigBytes>;

// Oldest NCCL that is accepted, and the newest whose structure was looked at.
constexpr int kNcclOldestVersion = 21800;
constexpr int kNcclNewestKnownVersion = 23007;

// `version`: what ncclGetVersion returned. `maxCtas`: the cap of thread blocks of a collective, with a
// minimum of 1; none = the library's own choice of both. Throws kArgument for a cap below 1 and kNcclMissing
// for a version older than 2.18, which knows no cap.
NcclConfigBlock makeNcclConfig(int version, std::optional<int> maxCtas);

// "2.28.9" of 22809.
std::string ncclVersionText(int version);

}  // namespace railrunner
