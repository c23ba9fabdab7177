#include "collective/nccl_config.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include "core/error.h"

namespace railrunner {

namespace {

// Offsets of the fields, LP64, as in the headers of 2.18 to 2.32.
enum Offset : size_t {
  kSize = 0,  // 8 bytes
  kMagic = 8,
  kVersion = 12,
  kBlocking = 16,
  kCgaClusterSize = 20,
  kMinCtas = 24,
  kMaxCtas = 28,
  kNetName = 32,  // pointer
  kSplitShare = 40,
  kTrafficClass = 44,  // padding before 2.26
  kCommName = 48,      // pointer, 2.27
  kFirstLateField =
      56,  // int fields only from here on: 2.27 collnetEnable ... 2.30 graphStreamOrdering at 92, 2.31 and
           // 2.32 launchOrderImplicit, numRmaSig, rmaEagerInit, hostCftMode, nvlsHostMode at 112
};

constexpr uint32_t kConfigMagic = 0xcafebeef;
constexpr int kNotSet = INT_MIN;

void put(NcclConfigBlock& block, size_t offset, const auto& value) {
  std::memcpy(block.data() + offset, &value, sizeof(value));
}

}  // namespace

std::string ncclVersionFault(int version) {
  if (version >= kNcclOldestVersion && version < kNcclFirstUnknownMajor) return "";
  return "it is NCCL " + ncclVersionText(version) + ", 2.18 or newer of NCCL 2 is needed";
}

NcclConfigBlock makeNcclConfig(int version, std::optional<int> maxCtas) {
  if (const std::string fault = ncclVersionFault(version); !fault.empty())
    throw Error(ErrorCode::kNcclMissing, fault);
  if (maxCtas && *maxCtas < 1) {
    throw Error(ErrorCode::kArgument, "maxCtas: expected 1 or more, received " + std::to_string(*maxCtas));
  }
  NcclConfigBlock block{};
  put(block, kSize, uint64_t{kNcclConfigBytes});
  put(block, kMagic, kConfigMagic);
  put(block, kVersion, std::min(version, kNcclNewestKnownVersion));
  put(block, kBlocking, 0);
  put(block, kCgaClusterSize, kNotSet);
  // Both or none: "not set" is the smallest int, and a library compares minimum and maximum as they are.
  put(block, kMinCtas, maxCtas ? 1 : kNotSet);
  put(block, kMaxCtas, maxCtas ? *maxCtas : kNotSet);
  put(block, kSplitShare, kNotSet);
  // The words at 44, 92 and 116 are padding in some headers and fields in the next: a newer library reads them.
  put(block, kTrafficClass, kNotSet);
  for (size_t offset = kFirstLateField; offset < kNcclConfigBytes; offset += sizeof(int))
    put(block, offset, kNotSet);
  return block;
}

std::string ncclVersionText(int version) {
  // X*10000 + Y*100 + Z since 2.9, X*1000 + Y*100 + Z before.
  const int major = version >= 10000 ? version / 10000 : version / 1000;
  const int minor = (version >= 10000 ? version % 10000 : version % 1000) / 100;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(version % 100);
}

}  // namespace railrunner
