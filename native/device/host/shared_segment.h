#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "device/device.h"

namespace railrunner {

// Memory that same-node peers can map: an anonymous memory file (memfd), so it is bounded by memory alone (a
// container's /dev/shm often holds 64 MiB), leaves nothing behind when the process dies, and needs no name.
// A page in front of the data holds a header by which a peer tells this segment from whatever a reused
// process id and descriptor might name.
class SharedSegment : public DeviceMemory {
 public:
  // All pages are there when this returns: lack of memory is kAllocation here and never a SIGBUS later.
  // `what` names the use for messages; `numaNode` -1 leaves placement to the kernel.
  static std::unique_ptr<SharedSegment> create(uint64_t bytes, int numaNode, const std::string& what);
  // Maps a peer's range. The handle is hostile input: everything is checked before and after mapping.
  static std::unique_ptr<SharedSegment> open(const ShareHandle& handle);

  ~SharedSegment() override { close(); }
  SharedSegment(const SharedSegment&) = delete;
  SharedSegment& operator=(const SharedSegment&) = delete;

  void* data() const override { return data_; }
  uint64_t bytes() const override { return bytes_; }
  ShareHandle share(uint64_t offset, uint64_t rangeBytes) const override;
  void close() override;

 private:
  SharedSegment() = default;

  int descriptor_ = -1;  // -1 for a peer's mapping
  void* mapping_ = nullptr;
  uint64_t mappingBytes_ = 0;
  void* data_ = nullptr;
  uint64_t bytes_ = 0;
  uint64_t nonce_ = 0;
};

}  // namespace railrunner
