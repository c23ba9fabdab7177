#pragma once

#include "kv/pool_content.h"
#include "storage/disk_file.h"

namespace railrunner {

// Content of a disk tier: written and read back past the page cache where the file system allows it, through
// buffers of their own, so that a check sees what the device holds and not what a transfer left in memory.
class DiskStore : public ContentStore {
 public:
  DiskStore(const DiskFile& file, const BlockLayout& layout, uint32_t threads);
  void write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
             const RunControl& control) override;
  CheckReport check(const PoolContent& content, uint32_t wordStep, const RunControl& control) override;
  CheckReport checkBlocks(const PoolContent& content, const std::vector<uint32_t>& blocks, uint32_t wordStep,
                          const RunControl& control) override;
  void readBytes(uint64_t offset, void* target, uint64_t bytes) override;
  void writeBytes(uint64_t offset, const void* source, uint64_t bytes) override;

 private:
  const DiskFile& file_;
  BlockLayout layout_;
  uint32_t threads_;
};

}  // namespace railrunner
