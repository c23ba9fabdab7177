#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "kv/block_pool.h"
#include "storage/host_segment.h"
#include "transfer/storage.h"

namespace railrunner {

namespace {

constexpr uint64_t kPageBytes = 4096;

void requireBytes(uint64_t bytes) {
  if (bytes == 0) throw Error(ErrorCode::kArgument, "storage: expected at least one byte");
}

class SystemMemory final : public StorageMemory {
 public:
  explicit SystemMemory(uint64_t bytes) : bytes_(bytes) {
    data_ = static_cast<std::byte*>(
        std::aligned_alloc(kPageBytes, (bytes + kPageBytes - 1) / kPageBytes * kPageBytes));
    if (data_ == nullptr)
      throw errnoError(ErrorCode::kAllocation, "system storage of " + std::to_string(bytes) + " bytes",
                       errno);
  }
  ~SystemMemory() override { close(); }
  std::byte* data() const override { return data_; }
  uint64_t bytes() const override { return bytes_; }
  ShareHandle share() const override {
    throw Error(ErrorCode::kUnsupportedHere, "no other process can map heap memory; use pinned storage");
  }
  void close() override {
    std::free(data_);
    data_ = nullptr;
  }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_;
};

class PinnedMemory final : public StorageMemory {
 public:
  PinnedMemory(Device& device, uint64_t bytes) : segment_(device, bytes, Sharing::kNode), bytes_(bytes) {}
  std::byte* data() const override { return static_cast<std::byte*>(segment_.data()); }
  uint64_t bytes() const override { return bytes_; }
  ShareHandle share() const override { return segment_.share(0, bytes_); }
  void close() override { segment_.close(); }

 private:
  HostSegment segment_;
  uint64_t bytes_;
};

class DeviceStorageMemory final : public StorageMemory {
 public:
  DeviceStorageMemory(Device& device, uint64_t bytes)
      : memory_(device.allocate(bytes)), bytes_(bytes), ordinal_(static_cast<uint64_t>(device.ordinal())) {}
  std::byte* data() const override { return static_cast<std::byte*>(memory_->data()); }
  uint64_t bytes() const override { return bytes_; }
  uint64_t deviceId() const override { return ordinal_; }
  ShareHandle share() const override { return memory_->share(0, bytes_); }
  void close() override { memory_->close(); }

 private:
  std::unique_ptr<DeviceMemory> memory_;
  uint64_t bytes_;
  uint64_t ordinal_;
};

// A file that has its name until it is registered.
class FileMemory final : public StorageMemory {
 public:
  FileMemory(const std::string& folder, uint64_t bytes)
      : path_(folder + "/railrunner-storage-XXXXXX"), bytes_(bytes) {
    descriptor_ = mkostemp(path_.data(), O_CLOEXEC);
    if (descriptor_ < 0) throw errnoError(ErrorCode::kIo, "making a file in " + folder, errno);
    named_ = true;
    const int failed = posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes));
    if (failed == 0) return;
    close();
    throw errnoError(ErrorCode::kIo, "reserving " + std::to_string(bytes) + " bytes of " + path_, failed);
  }
  ~FileMemory() override { close(); }
  std::byte* data() const override { return nullptr; }
  uint64_t bytes() const override { return bytes_; }
  uint64_t deviceId() const override { return static_cast<uint64_t>(descriptor_); }
  ShareHandle share() const override {
    throw Error(ErrorCode::kUnsupportedHere, "a disk storage is never shared");
  }
  void beforeRegistration() override {
    if (named_) return;
    throw Error(ErrorCode::kState, "disk storage " + path_ +
                                       " was unlinked, as it is once it has been registered; open a new one");
  }
  void afterRegistration() override { unlinkName(); }
  void close() override {
    unlinkName();
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  void unlinkName() {
    if (named_) unlink(path_.c_str());
    named_ = false;
  }
  std::string path_;
  uint64_t bytes_;
  int descriptor_ = -1;
  bool named_ = false;
};

// Memory that a pool owns.
class PoolMemory final : public StorageMemory {
 public:
  explicit PoolMemory(BlockPool& pool) : pool_(pool) {}
  std::byte* data() const override { return pool_.memory(); }
  uint64_t bytes() const override { return pool_.layout().totalBytes; }
  uint64_t deviceId() const override {
    return pool_.tier() == Tier::kDevice ? static_cast<uint64_t>(pool_.device().ordinal()) : 0;
  }
  ShareHandle share() const override { return pool_.share(); }
  void close() override {}

 private:
  BlockPool& pool_;
};

}  // namespace

std::unique_ptr<RegisteredStorage> systemStorage(uint64_t bytes) {
  requireBytes(bytes);
  return std::make_unique<RegisteredStorage>(StorageKind::kSystem, std::make_unique<SystemMemory>(bytes));
}

std::unique_ptr<RegisteredStorage> pinnedStorage(Device& device, uint64_t bytes) {
  requireBytes(bytes);
  return std::make_unique<RegisteredStorage>(StorageKind::kPinned,
                                             std::make_unique<PinnedMemory>(device, bytes));
}

std::unique_ptr<RegisteredStorage> deviceStorage(Device& device, uint64_t bytes) {
  requireBytes(bytes);
  return std::make_unique<RegisteredStorage>(StorageKind::kDevice,
                                             std::make_unique<DeviceStorageMemory>(device, bytes));
}

std::unique_ptr<RegisteredStorage> diskStorage(const std::string& folder, uint64_t bytes) {
  requireBytes(bytes);
  return std::make_unique<RegisteredStorage>(StorageKind::kDisk, std::make_unique<FileMemory>(folder, bytes));
}

std::unique_ptr<RegisteredStorage> poolStorage(BlockPool& pool) {
  if (pool.tier() == Tier::kDisk) {
    throw Error(ErrorCode::kUnsupportedHere,
                "a disk pool takes no part in transfers between ranks: files are not reachable by peers");
  }
  return std::make_unique<RegisteredStorage>(
      pool.tier() == Tier::kDevice ? StorageKind::kDevice : StorageKind::kPinned,
      std::make_unique<PoolMemory>(pool));
}

}  // namespace railrunner
