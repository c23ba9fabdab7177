#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "transfer/metadata.h"

namespace railrunner {

// The layouts that transfers of this rank can name: its own, and those that its peers exported. Safe from several
// threads; the lock is held to look up and to add, never while bytes move.
class LayoutRegistry {
 public:
  // Layouts that a worker can register in its life: ids 0 to 65534, none twice.
  static constexpr uint32_t kMaxLayouts = UINT16_MAX;

  explicit LayoutRegistry(WorkerAddress worker) : worker_(std::move(worker)) {}

  const WorkerAddress& worker() const { return worker_; }

  // Blocks of `shape` from the storage's first byte on. Throws kArgument where they do not fit it, and kState when all
  // ids are spent, from then on for ever. The storage outlives what is looked up.
  LayoutHandle registerLocal(const RegisteredStorage& storage, const LayoutShape& shape,
                             const std::vector<uint32_t>& sectionBlocks);

  // Every layout of this worker but those on disk, which no peer reaches. What is registered later is not in it.
  std::vector<uint8_t> exportMetadata() const;

  // Adds the layouts of a peer and returns their handles, by ascending id; where it throws nothing was added.
  // `expectedName`: the sender of the blob, as known to the receiver. Throws kWrongData for a blob that is not valid or
  // names another worker, kState for one of this worker, of a worker that was imported already, and for a handle that
  // is taken.
  std::vector<LayoutHandle> importMetadata(std::span<const uint8_t> blob, const std::string& expectedName);

  // Local ones first. Throws kArgument for a handle that nobody registered or exported; `side` is named.
  std::shared_ptr<const PhysicalLayout> find(LayoutHandle handle, const char* side) const;

  bool isLocal(LayoutHandle handle) const;
  bool isRemote(LayoutHandle handle) const;
  size_t numLocal() const;
  size_t numRemote() const;
  // Ascending.
  std::vector<LayoutHandle> localHandles() const;
  std::vector<LayoutHandle> remoteHandles() const;

 private:
  using Layouts = std::map<LayoutHandle, std::shared_ptr<const PhysicalLayout>>;
  void requireImportable(const Metadata& metadata, const std::string& expectedName) const;

  const WorkerAddress worker_;
  mutable std::shared_mutex mutex_;
  uint32_t nextId_ = 0;
  Layouts local_;
  Layouts remote_;
  std::set<std::pair<uint64_t, std::string>> imported_;
};

}  // namespace railrunner
