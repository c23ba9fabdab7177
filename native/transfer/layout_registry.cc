#include "transfer/layout_registry.h"

#include <mutex>

#include "core/error.h"

namespace railrunner {

namespace {

std::vector<LayoutHandle> handlesOf(
    const std::map<LayoutHandle, std::shared_ptr<const PhysicalLayout>>& layouts) {
  std::vector<LayoutHandle> handles;
  handles.reserve(layouts.size());
  for (const auto& [handle, layout] : layouts) handles.push_back(handle);
  return handles;
}

std::string nameOf(const WorkerAddress& worker) {
  return "worker " + std::to_string(worker.workerId) + " (" + worker.agentName + ")";
}

}  // namespace

LayoutHandle LayoutRegistry::registerLocal(const RegisteredStorage& storage, const LayoutShape& shape,
                                           const std::vector<uint32_t>& sectionBlocks) {
  auto layout = std::make_shared<PhysicalLayout>();
  layout->location = storage.kind();
  layout->shape = shape;
  layout->sectionBlocks = sectionBlocks;
  layout->blocks =
      makeLayout(shape, sectionBlocks, storage.kind() == StorageKind::kDisk ? kDiskBlockBytes : 1);
  if (layout->blocks.totalBytes > storage.bytes()) {
    throw Error(ErrorCode::kArgument, "layout: its blocks take " + std::to_string(layout->blocks.totalBytes) +
                                          " bytes, the storage has " + std::to_string(storage.bytes()));
  }
  layout->address = reinterpret_cast<uint64_t>(storage.data());
  if (layout->address % layout->blocks.alignment != 0) {
    throw Error(ErrorCode::kArgument, "layout: the storage does not begin at a multiple of " +
                                          std::to_string(layout->blocks.alignment) + " bytes");
  }
  layout->deviceId = storage.memory().deviceId();
  if (const Registration* peers = storage.registration(PeerBackend::kName); peers != nullptr)
    layout->share = *peers->share();
  layout->owner = worker_.agentName;
  std::unique_lock lock(mutex_);
  if (nextId_ >= kMaxLayouts) {
    throw Error(ErrorCode::kState, nameOf(worker_) + " has registered " + std::to_string(kMaxLayouts) +
                                       " layouts, all that its ids can name; ids are not used again");
  }
  layout->handle = {worker_.workerId, static_cast<uint16_t>(nextId_++)};
  const LayoutHandle handle = layout->handle;
  local_.emplace(handle, std::move(layout));
  return handle;
}

std::vector<uint8_t> LayoutRegistry::exportMetadata() const {
  Metadata metadata{worker_, {}};
  {
    std::shared_lock lock(mutex_);
    for (const auto& [handle, layout] : local_) {
      if (layout->location != StorageKind::kDisk) metadata.layouts.push_back(layout);
    }
  }
  return encodeMetadata(metadata);
}

void LayoutRegistry::requireImportable(const Metadata& metadata, const std::string& expectedName) const {
  const WorkerAddress& worker = metadata.worker;
  if (worker.agentName != expectedName) {
    throw Error(ErrorCode::kWrongData,
                "metadata: expected that of " + expectedName + ", received that of " + nameOf(worker));
  }
  if (worker == worker_)
    throw Error(ErrorCode::kState,
                "metadata: " + nameOf(worker) + " is this worker itself; its layouts are local");
  if (imported_.contains({worker.workerId, worker.agentName}))
    throw Error(ErrorCode::kState, "metadata: " + nameOf(worker) + " was imported already");
  for (const auto& layout : metadata.layouts) {
    if (!local_.contains(layout->handle) && !remote_.contains(layout->handle)) continue;
    throw Error(ErrorCode::kState, "metadata of " + nameOf(worker) + ": handle " + layout->handle.text() +
                                       " is taken. Worker ids must be unique in a world.");
  }
}

std::vector<LayoutHandle> LayoutRegistry::importMetadata(std::span<const uint8_t> blob,
                                                         const std::string& expectedName) {
  const Metadata metadata = decodeMetadata(blob);
  Layouts added;
  std::vector<LayoutHandle> handles;
  for (const auto& layout : metadata.layouts) {
    added.emplace(layout->handle, layout);
    handles.push_back(layout->handle);
  }
  std::unique_lock lock(mutex_);
  requireImportable(metadata, expectedName);
  imported_.emplace(metadata.worker.workerId, metadata.worker.agentName);
  remote_.merge(added);  // moves nodes: nothing in it can fail
  return handles;
}

std::shared_ptr<const PhysicalLayout> LayoutRegistry::find(LayoutHandle handle, const char* side) const {
  std::shared_lock lock(mutex_);
  if (const auto found = local_.find(handle); found != local_.end()) return found->second;
  if (const auto found = remote_.find(handle); found != remote_.end()) return found->second;
  throw Error(ErrorCode::kArgument, std::string(side) + " handle " + handle.text() +
                                        ": expected one that this worker registered or imported");
}

bool LayoutRegistry::isLocal(LayoutHandle handle) const {
  std::shared_lock lock(mutex_);
  return local_.contains(handle);
}

bool LayoutRegistry::isRemote(LayoutHandle handle) const {
  std::shared_lock lock(mutex_);
  return remote_.contains(handle);
}

size_t LayoutRegistry::numLocal() const {
  std::shared_lock lock(mutex_);
  return local_.size();
}

size_t LayoutRegistry::numRemote() const {
  std::shared_lock lock(mutex_);
  return remote_.size();
}

std::vector<LayoutHandle> LayoutRegistry::localHandles() const {
  std::shared_lock lock(mutex_);
  return handlesOf(local_);
}

std::vector<LayoutHandle> LayoutRegistry::remoteHandles() const {
  std::shared_lock lock(mutex_);
  return handlesOf(remote_);
}

}  // namespace railrunner
