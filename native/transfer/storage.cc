#include "transfer/storage.h"

#include "core/attempt.h"
#include "core/error.h"

namespace railrunner {

const char* storageKindName(StorageKind kind) {
  switch (kind) {
    case StorageKind::kSystem:
      return "system";
    case StorageKind::kPinned:
      return "pinned";
    case StorageKind::kDevice:
      return "device";
    case StorageKind::kDisk:
      return "disk";
  }
  return "system";
}

MemoryType memoryTypeOf(StorageKind kind) {
  if (kind == StorageKind::kDevice) return MemoryType::kVram;
  return kind == StorageKind::kDisk ? MemoryType::kFile : MemoryType::kDram;
}

RegisteredStorage::~RegisteredStorage() {
  static_cast<void>(attempt([this] { close(); }));
}

StorageMemory& RegisteredStorage::memory() const {
  if (!memory_)
    throw Error(ErrorCode::kState, std::string(storageKindName(kind_)) + " storage was used after its close");
  return *memory_;
}

const Registration* RegisteredStorage::find(const std::string& backend) const {
  for (const Entry& entry : entries_) {
    if (entry.backend == backend) return entry.registration.get();
  }
  return nullptr;
}

void RegisteredStorage::registerWith(Backend& backend) {
  const std::string what =
      std::string(storageKindName(kind_)) + " storage of " + std::to_string(memory().bytes()) + " bytes";
  if (isRegistered(backend.name())) {
    throw Error(ErrorCode::kState, what + " is registered with `" + backend.name() +
                                       "` already; release that registration first");
  }
  if (!backend.accepts(kind_)) {
    throw Error(ErrorCode::kUnsupportedHere,
                what + ": `" + backend.name() + "` does not take memory of this kind");
  }
  memory().beforeRegistration();
  entries_.reserve(entries_.size() + 1);
  entries_.push_back({backend.name(), backend.registerMemory(*this)});
  memory().afterRegistration();
}

void RegisteredStorage::unregister(const std::string& backend) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].backend != backend) continue;
    const std::unique_ptr<Registration> released = std::move(entries_[i].registration);
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
    released->release();
    return;
  }
  throw Error(ErrorCode::kState,
              std::string(storageKindName(kind_)) + " storage is not registered with `" + backend + "`");
}

std::optional<Descriptor> RegisteredStorage::descriptor(const std::string& backend) const {
  if (!isRegistered(backend)) return std::nullopt;
  return Descriptor{reinterpret_cast<uint64_t>(memory().data()), memory().bytes(), memoryTypeOf(kind_),
                    memory().deviceId()};
}

Descriptor RegisteredStorage::subrange(const std::string& backend, uint64_t offset, uint64_t bytes) const {
  std::optional<Descriptor> whole = descriptor(backend);
  if (!whole) {
    throw Error(ErrorCode::kState, std::string(storageKindName(kind_)) +
                                       " storage has no descriptor: it is not registered with `" + backend +
                                       "`");
  }
  // `offset + bytes` may wrap; the difference cannot.
  if (bytes == 0 || offset > whole->bytes || bytes > whole->bytes - offset) {
    throw Error(ErrorCode::kArgument, "a part of " + std::to_string(bytes) + " bytes from " +
                                          std::to_string(offset) + " on: expected a range of the " +
                                          std::to_string(whole->bytes) + " registered bytes");
  }
  whole->address += offset;
  whole->bytes = bytes;
  return *whole;
}

void RegisteredStorage::close() {
  std::exception_ptr failure;
  const auto note = [&failure](const std::exception_ptr& thrown) {
    if (failure == nullptr) failure = thrown;
  };
  while (!entries_.empty()) {
    const std::unique_ptr<Registration> last = std::move(entries_.back().registration);
    entries_.pop_back();
    note(attempt([&] { last->release(); }));
  }
  if (const std::unique_ptr<StorageMemory> memory = std::move(memory_))
    note(attempt([&] { memory->close(); }));
  if (failure) std::rethrow_exception(failure);
}

namespace {

class SharedRegistration final : public Registration {
 public:
  explicit SharedRegistration(const ShareHandle& handle) : handle_(handle) {}
  void release() override { handle_ = {}; }
  const ShareHandle* share() const override { return &handle_; }

 private:
  ShareHandle handle_;
};

class FileRegistration final : public Registration {
 public:
  void release() override {}
};

}  // namespace

std::unique_ptr<Registration> PeerBackend::registerMemory(RegisteredStorage& storage) {
  return std::make_unique<SharedRegistration>(storage.memory().share());
}

std::unique_ptr<Registration> FileBackend::registerMemory(RegisteredStorage&) {
  return std::make_unique<FileRegistration>();
}

}  // namespace railrunner
