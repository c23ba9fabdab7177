#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.h"
#include "kv/block_layout.h"
#include "kv/pool_content.h"
#include "storage/disk_file.h"
#include "storage/host_segment.h"

namespace railrunner {

class DiskQueue;

enum class Tier : uint32_t { kDevice = 0, kHost = 1, kDisk = 2 };
const char* tierName(Tier tier);

// The seed under which a tier's blocks are filled: block 5 of the device must not look like block 5 of the
// host.
inline uint64_t tierSeed(uint64_t seed, Tier tier) {
  return seed ^ ((static_cast<uint64_t>(tier) + 1) << 56);
}

// What a pool of that layout asks device or host memory for: all of it, and padding to align its start. `plan`
// says the same.
uint64_t memoryBytes(const BlockLayout& layout);

// The blocks of one tier of one rank: memory of the device, a shared registered segment, or a file. It
// remembers what it wrote into each block, so that preparing it again writes only what changed since.
class BlockPool {
 public:
  // `sectionBlocks`: blocks of each section of the shape. `diskFolder` is used by the disk tier alone;
  // `threads` fill and check; `sharing` says whether same-node peers map the pool. The device must outlive the pool.
  BlockPool(Device& device, Tier tier, const LayoutShape& shape, const std::vector<uint32_t>& sectionBlocks,
            const std::string& diskFolder, uint32_t threads, Sharing sharing = Sharing::kNode);
  // A same-node peer's memory tier (device or host) of the same shape: copies from or to it, no ownership.
  BlockPool(Device& device, Tier tier, const LayoutShape& shape, const std::vector<uint32_t>& sectionBlocks,
            const ShareHandle& handle, uint32_t threads);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  Tier tier() const { return tier_; }
  const BlockLayout& layout() const { return layout_; }
  // What it was made of.
  const LayoutShape& shape() const { return shape_; }
  const std::vector<uint32_t>& sectionBlocks() const { return sectionBlocks_; }
  Device& device() const { return device_; }
  // First byte of block 0: an address of the device, or of the host tier. Null for disk.
  std::byte* memory() const { return base_; }
  // Memory that plain CPU loads and stores reach: everything but device memory of a cuda device.
  bool isHostMemory() const { return base_ != nullptr && !deviceMemoryIsRemote_; }
  DiskFile* file() const { return file_.get(); }
  // Poison that prepare() wrote last.
  uint64_t poisonSalt() const { return content_.poisonSalt; }
  // Handle by which a same-node peer maps the whole pool (device and host tiers).
  ShareHandle share() const;

  // Makes the pool hold `content`; blocks that hold it already are left alone.
  void prepare(const PoolContent& content, const RunControl& control);
  // Poisons these blocks again, before the last sample.
  void poison(const std::vector<uint32_t>& blocks, const RunControl& control);
  // Poisons those of the blocks that may hold anything: a file that was never written there is read without its disk.
  void writeUnknown(const std::vector<uint32_t>& blocks, const RunControl& control);
  // A transfer writes these blocks: what they hold is no longer known.
  void markUnknown(const std::vector<uint32_t>& blocks);
  // The same of every byte of the pool.
  void forget();
  // Writes what the pool was prepared with last, wherever it is not known to hold it.
  void restore(const RunControl& control);
  CheckReport check(const PoolContent& content, uint32_t wordStep, const RunControl& control);
  ContentStore& store();

  // The disk queue number `lane` of this pool (bidirectional transfers use two), opened on first use and
  // kept.
  DiskQueue& diskQueue(uint32_t lane, uint32_t depth, uint32_t requestBytes);

  void close();

 private:
  void makeStore(uint32_t threads);
  void requireOpen() const;

  Device& device_;
  Tier tier_;
  LayoutShape shape_;
  std::vector<uint32_t> sectionBlocks_;
  BlockLayout layout_;
  std::byte* base_ = nullptr;
  bool deviceMemoryIsRemote_ = false;
  std::unique_ptr<DeviceMemory> deviceMemory_;
  std::unique_ptr<HostSegment> hostSegment_;
  std::unique_ptr<DiskFile> file_;
  std::vector<std::shared_ptr<DiskQueue>> queues_;
  std::unique_ptr<ContentStore> store_;

  // What was written last; blocks whose entry of known_ is 0 may hold anything.
  PoolContent content_;
  std::vector<uint8_t> known_;
  bool gapsKnown_ = false;
};

}  // namespace railrunner
