#include "kv/block_pool.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "core/checked.h"
#include "core/error.h"
#include "kv/disk_store.h"
#include "storage/disk_queue.h"

#ifdef RAILRUNNER_CUDA
#include "kv/cuda/cuda_store.h"
#endif

namespace railrunner {

namespace {

// Allocations start at multiples of this by themselves, on every device.
constexpr uint64_t kNaturalAlignmentBytes = 256;

std::byte* alignedStart(void* data, uint64_t alignment) {
  return reinterpret_cast<std::byte*>(alignUp(reinterpret_cast<uint64_t>(data), alignment));
}

}  // namespace

uint64_t memoryBytes(const BlockLayout& layout) {
  const uint64_t slack = layout.alignment > kNaturalAlignmentBytes ? layout.alignment : 0;
  return checkedAdd(layout.totalBytes, slack, "pool size");
}

const char* tierName(Tier tier) {
  switch (tier) {
    case Tier::kDevice:
      return "device";
    case Tier::kHost:
      return "host";
    case Tier::kDisk:
      return "disk";
  }
  return "device";
}

BlockPool::BlockPool(Device& device, Tier tier, const LayoutShape& shape,
                     const std::vector<uint32_t>& sectionBlocks, const std::string& diskFolder,
                     uint32_t threads, Sharing sharing)
    : device_(device),
      tier_(tier),
      shape_(shape),
      sectionBlocks_(sectionBlocks),
      layout_(makeLayout(shape, sectionBlocks, tier == Tier::kDisk ? kDiskBlockBytes : 1)) {
  switch (tier) {
    case Tier::kDevice:
      deviceMemory_ = device.allocate(memoryBytes(layout_), sharing);
      base_ = alignedStart(deviceMemory_->data(), layout_.alignment);
      deviceMemoryIsRemote_ = device.kind() != DeviceKind::kHost;
      break;
    case Tier::kHost:
      hostSegment_ = std::make_unique<HostSegment>(device, memoryBytes(layout_), sharing);
      base_ = alignedStart(hostSegment_->data(), layout_.alignment);
      break;
    case Tier::kDisk:
      file_ = std::make_unique<DiskFile>(diskFolder, layout_.totalBytes);
      break;
  }
  makeStore(threads);
}

BlockPool::BlockPool(Device& device, Tier tier, const LayoutShape& shape,
                     const std::vector<uint32_t>& sectionBlocks, const ShareHandle& handle, uint32_t threads)
    : device_(device),
      tier_(tier),
      shape_(shape),
      sectionBlocks_(sectionBlocks),
      layout_(makeLayout(shape, sectionBlocks, 1)) {
  if (handle.rangeBytes != layout_.totalBytes) {
    throw Error(ErrorCode::kArgument, std::string("peer's ") + tierName(tier) + " pool: expected " +
                                          std::to_string(layout_.totalBytes) +
                                          " bytes of this layout, its handle says " +
                                          std::to_string(handle.rangeBytes));
  }
  if (tier == Tier::kDevice) {
    deviceMemory_ = device.open(handle);
    base_ = static_cast<std::byte*>(deviceMemory_->data());
    deviceMemoryIsRemote_ = device.kind() != DeviceKind::kHost;
  } else if (tier == Tier::kHost) {
    hostSegment_ = std::make_unique<HostSegment>(device, handle);
    base_ = static_cast<std::byte*>(hostSegment_->data());
  } else {
    throw Error(ErrorCode::kArgument, "a disk pool is never shared");
  }
  makeStore(threads);
}

BlockPool::~BlockPool() {
  try {
    close();
  } catch (const Error&) {
    // The device is lost, and its memory with it; who needs to know closes explicitly.
  }
}

void BlockPool::makeStore(uint32_t threads) {
  known_.assign(layout_.numBlocks, 0);
  content_.blocks.resize(layout_.numPages());
  if (file_) {
    store_ = std::make_unique<DiskStore>(*file_, layout_, threads);
  } else if (deviceMemoryIsRemote_) {
#ifdef RAILRUNNER_CUDA
    store_ = makeCudaStore(device_, base_, layout_);
#else
    throw Error(ErrorCode::kUnsupportedHere, "this build of the addon cannot fill pools of a cuda device");
#endif
  } else {
    store_ = std::make_unique<MemoryStore>(base_, layout_, threads);
  }
}

void BlockPool::requireOpen() const {
  if (!store_)
    throw Error(ErrorCode::kState, std::string(tierName(tier_)) + " pool was used after its close");
}

ContentStore& BlockPool::store() {
  requireOpen();
  return *store_;
}

ShareHandle BlockPool::share() const {
  requireOpen();
  if (deviceMemory_) {
    const auto offset = static_cast<uint64_t>(base_ - static_cast<std::byte*>(deviceMemory_->data()));
    return deviceMemory_->share(offset, layout_.totalBytes);
  }
  if (hostSegment_) {
    const auto offset = static_cast<uint64_t>(base_ - static_cast<std::byte*>(hostSegment_->data()));
    return hostSegment_->share(offset, layout_.totalBytes);
  }
  throw Error(ErrorCode::kArgument, "a disk pool is never shared");
}

void BlockPool::prepare(const PoolContent& content, const RunControl& control) {
  requireOpen();
  if (content.blocks.size() != layout_.numPages()) {
    throw Error(ErrorCode::kArgument, "pool content: expected " + std::to_string(layout_.numPages()) +
                                          " blocks, received " + std::to_string(content.blocks.size()));
  }
  if (content.owner != content_.owner || content.poisonSalt != content_.poisonSalt) {
    forget();
  }
  std::vector<uint32_t> changed;
  for (uint32_t block = 0; block < layout_.numBlocks; ++block) {
    const auto holds = [this, block](const PoolContent& of) {
      const uint64_t pages = layout_.pages.pagesPerBlock;
      return std::span(of.blocks).subspan(block * pages, pages);
    };
    if (known_[block] == 0 || !std::ranges::equal(holds(content_), holds(content))) changed.push_back(block);
  }
  const bool gaps = !gapsKnown_;
  markUnknown(changed);  // a failure in the middle leaves them so
  content_ = content;
  store_->write(content, changed, gaps, control);
  for (const uint32_t block : changed) known_[block] = 1;
  gapsKnown_ = true;
}

void BlockPool::poison(const std::vector<uint32_t>& blocks, const RunControl& control) {
  requireOpen();
  const uint64_t pages = layout_.pages.pagesPerBlock;
  for (const uint32_t block : blocks) {
    std::fill_n(content_.blocks.begin() + static_cast<std::ptrdiff_t>(block * pages), pages, BlockHolds{});
  }
  markUnknown(blocks);
  store_->write(content_, blocks, false, control);
}

void BlockPool::writeUnknown(const std::vector<uint32_t>& blocks, const RunControl& control) {
  std::vector<uint32_t> unknown;
  std::ranges::copy_if(blocks, std::back_inserter(unknown),
                       [this](uint32_t block) { return known_[block] == 0; });
  if (!unknown.empty()) poison(unknown, control);
}

void BlockPool::markUnknown(const std::vector<uint32_t>& blocks) {
  for (const uint32_t block : blocks) known_[block] = 0;
}

void BlockPool::forget() {
  std::fill(known_.begin(), known_.end(), 0);
  gapsKnown_ = false;
}

void BlockPool::restore(const RunControl& control) {
  const PoolContent content = content_;
  prepare(content, control);
}

CheckReport BlockPool::check(const PoolContent& content, uint32_t wordStep, const RunControl& control) {
  requireOpen();
  if (content.blocks.size() != layout_.numPages()) {
    throw Error(ErrorCode::kArgument, "pool content: expected one entry per page");
  }
  CheckReport report = store_->check(content, wordStep, control);
  if (report.wrong > 0) {
    // Something wrote where it should not: nothing in here is taken for known any more.
    forget();
    report.firstBad = std::string(tierName(tier_)) + " " + report.firstBad;
  }
  return report;
}

DiskQueue& BlockPool::diskQueue(uint32_t lane, uint32_t depth, uint32_t requestBytes) {
  requireOpen();
  if (!file_) throw Error(ErrorCode::kState, "only a disk pool has disk queues");
  if (queues_.size() <= lane) queues_.resize(lane + 1);
  if (!queues_[lane] || queues_[lane]->depth() != depth || queues_[lane]->requestBytes() != requestBytes) {
    queues_[lane].reset();
    queues_[lane] = std::make_shared<DiskQueue>(*file_, depth, requestBytes, DiskEngine::kAuto);
  }
  return *queues_[lane];
}

void BlockPool::close() {
  store_.reset();
  queues_.clear();
  file_.reset();
  base_ = nullptr;
  const auto deviceMemory = std::move(deviceMemory_);
  const auto hostSegment = std::move(hostSegment_);
  if (deviceMemory) deviceMemory->close();
  if (hostSegment) hostSegment->close();
}

}  // namespace railrunner
