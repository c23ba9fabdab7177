#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "device/device.h"

namespace railrunner {

// Memory of one process, which no peer maps. Anonymous, so the kernel gives it pages of 2 MiB wherever they are allowed
// (transparent_hugepage "madvise" or "always"), which memory files seldom get ("shmem_enabled" is "never" by default):
// the kernel pins such pages for O_DIRECT, and a disk's requests name them, in far fewer pieces.
class PrivateMemory : public DeviceMemory {
 public:
  // All pages are there when this returns. Throws kAllocation with the figures.
  static std::unique_ptr<PrivateMemory> create(uint64_t bytes, int numaNode, const std::string& what);

  ~PrivateMemory() override { close(); }
  PrivateMemory(const PrivateMemory&) = delete;
  PrivateMemory& operator=(const PrivateMemory&) = delete;

  void* data() const override { return data_; }
  uint64_t bytes() const override { return bytes_; }
  // Throws kState: there is nothing that a peer could map.
  ShareHandle share(uint64_t offset, uint64_t rangeBytes) const override;
  void close() override;

 private:
  PrivateMemory() = default;

  void* mapping_ = nullptr;
  uint64_t mappingBytes_ = 0;
  void* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace railrunner
