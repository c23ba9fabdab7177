#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/run_control.h"
#include "kv/block_layout.h"

namespace railrunner {

// What one page of a pool holds: the pattern of page `block` (of whatever pool it came from, told by `seed`) in
// layers [layerBegin, layerEnd) of all its groups, poison elsewhere. An empty range: poison alone. A block is one
// page, unless the layout says that it holds several.
struct BlockHolds {
  // Whose data: the owner that the pool's content names.
  static constexpr uint32_t kOwnerOfPool = UINT32_MAX;

  uint64_t seed = 0;
  uint32_t block = 0;
  uint32_t layerBegin = 0;
  uint32_t layerEnd = 0;
  uint32_t owner = kOwnerOfPool;
  bool operator==(const BlockHolds&) const = default;
};

// What a whole pool holds; padding always holds poison.
struct PoolContent {
  uint32_t owner = 0;  // RegionIdentity::owner: the rank, or the replica group
  uint64_t poisonSalt = 0;
  std::vector<BlockHolds> blocks;  // numPages of the layout

  uint32_t ownerOf(const BlockHolds& holds) const {
    return holds.owner == BlockHolds::kOwnerOfPool ? owner : holds.owner;
  }
};

struct CheckReport {
  uint64_t checked = 0;  // 8-byte words compared
  uint64_t wrong = 0;
  std::string firstBad;     // '' if none
  uint32_t firstBlock = 0;  // the block of firstBad; a gap between layers has none
};

// Words between two that are compared: all, or every 61st (a prime, so that no stride of a layout hides
// behind it) together with the first and the last of each region and gap.
constexpr uint32_t kCheckAllWords = 1;
constexpr uint32_t kCheckSampledWords = 61;

// The memory or file behind a pool, as far as its content goes: one class per kind of memory. Never inside a
// timed span.
class ContentStore {
 public:
  virtual ~ContentStore() = default;
  // Writes what `content` says into these blocks and the padding behind their extents; with `layerGaps` also
  // the gaps behind the layers of layerSeparate.
  virtual void write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
                     const RunControl& control) = 0;
  // Compares everything, padding included.
  virtual CheckReport check(const PoolContent& content, uint32_t wordStep, const RunControl& control) = 0;
  // Compares these blocks, with the padding behind their extents.
  virtual CheckReport checkBlocks(const PoolContent& content, const std::vector<uint32_t>& blocks,
                                  uint32_t wordStep, const RunControl& control) = 0;
  // Any bytes of the pool. For tests, which plant faults by it.
  virtual void readBytes(uint64_t offset, void* target, uint64_t bytes) = 0;
  virtual void writeBytes(uint64_t offset, const void* source, uint64_t bytes) = 0;
};

// Content of one extent in CPU memory; `at` is the extent's first byte. Writing covers the padding behind it.
void writeExtent(std::byte* at, const BlockLayout& layout, const Extent& extent, const PoolContent& content);
void checkExtent(const std::byte* at, const BlockLayout& layout, const Extent& extent,
                 const PoolContent& content, uint32_t wordStep, CheckReport& report);
// "gap behind layer 3", for messages.
std::string gapName(const BlockLayout& layout, uint32_t group, uint32_t position);
// Poison of any span: it restarts at the span's first byte.
void writePoison(std::byte* at, uint64_t bytes, uint64_t poisonSalt);
void checkPoison(const std::byte* at, uint64_t bytes, uint64_t poisonSalt, uint32_t wordStep,
                 const std::string& where, CheckReport& report);

// Adds `part` behind `whole`: the first place of the first report that has one.
void mergeReport(CheckReport& whole, const CheckReport& part);

// Content of memory that CPUs reach (the host tier, and all memory of the host device), by several threads.
class MemoryStore : public ContentStore {
 public:
  MemoryStore(std::byte* base, const BlockLayout& layout, uint32_t threads);
  void write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
             const RunControl& control) override;
  CheckReport check(const PoolContent& content, uint32_t wordStep, const RunControl& control) override;
  CheckReport checkBlocks(const PoolContent& content, const std::vector<uint32_t>& blocks, uint32_t wordStep,
                          const RunControl& control) override;
  void readBytes(uint64_t offset, void* target, uint64_t bytes) override;
  void writeBytes(uint64_t offset, const void* source, uint64_t bytes) override;

 private:
  // The extent of each number below `count`, in parallel.
  template <class ExtentAt>
  CheckReport checkExtents(uint64_t count, ExtentAt&& extentAtIndex, const PoolContent& content,
                           uint32_t wordStep, const RunControl& control);

  std::byte* base_;
  BlockLayout layout_;
  uint32_t threads_;
};

}  // namespace railrunner
