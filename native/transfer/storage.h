#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device/device.h"

// Memory that ranks may move blocks between, and what is told of it. Nothing of it is told before it is registered
// with the backend that carries the bytes.
namespace railrunner {

class BlockPool;

enum class StorageKind : uint8_t { kSystem = 0, kPinned = 1, kDevice = 2, kDisk = 3 };
const char* storageKindName(StorageKind kind);

// Numbered as NIXL's memory types.
enum class MemoryType : uint8_t { kDram = 0, kVram = 1, kFile = 4 };
MemoryType memoryTypeOf(StorageKind kind);

// A range of registered memory. Address: a pointer; an offset in a file. Device id: 0 for host memory, the device's
// ordinal, the file's descriptor.
struct Descriptor {
  uint64_t address = 0;
  uint64_t bytes = 0;
  MemoryType type = MemoryType::kDram;
  uint64_t deviceId = 0;
  bool operator==(const Descriptor&) const = default;
};

// A range of another rank's memory, and the notification that its owner gets once a transfer with it is complete.
class RemoteDescriptor {
 public:
  RemoteDescriptor(const Descriptor& memory, std::string owner) : memory_(memory), owner_(std::move(owner)) {}
  const Descriptor& memory() const { return memory_; }
  uint64_t bytes() const { return memory_.bytes; }
  const std::string& owner() const { return owner_; }
  const std::optional<std::string>& notification() const { return notification_; }
  void setNotification(std::string text) { notification_ = std::move(text); }
  void clearNotification() { notification_.reset(); }

 private:
  Descriptor memory_;
  std::string owner_;
  std::optional<std::string> notification_;
};

// What a registration leaves at its backend. Released once, before the memory is given back.
class Registration {
 public:
  virtual ~Registration() = default;
  virtual void release() = 0;
  // By which same-node peers map the memory; null for backends that share none.
  virtual const ShareHandle* share() const { return nullptr; }
};

class RegisteredStorage;

// What carries bytes between memories: mappings between same-node peers, the network, file I/O.
class Backend {
 public:
  virtual ~Backend() = default;
  // Registrations are kept under it.
  virtual const char* name() const = 0;
  virtual bool accepts(StorageKind kind) const = 0;
  virtual std::unique_ptr<Registration> registerMemory(RegisteredStorage& storage) = 0;
};

// Where the bytes of a storage are.
class StorageMemory {
 public:
  virtual ~StorageMemory() = default;
  // Null for a file.
  virtual std::byte* data() const = 0;
  virtual uint64_t bytes() const = 0;
  virtual uint64_t deviceId() const { return 0; }
  // Throws kUnsupportedHere where no other process can map it.
  virtual ShareHandle share() const = 0;
  // Before a registration; throws where the memory can no longer be registered.
  virtual void beforeRegistration() {}
  // Behind one that succeeded.
  virtual void afterRegistration() {}
  virtual void close() = 0;
};

// One allocation with its registrations. Of one thread at a time; what it hands out is a copy.
class RegisteredStorage {
 public:
  RegisteredStorage(StorageKind kind, std::unique_ptr<StorageMemory> memory)
      : kind_(kind), memory_(std::move(memory)) {}
  // As close(), but failures are lost.
  ~RegisteredStorage();
  RegisteredStorage(const RegisteredStorage&) = delete;
  RegisteredStorage& operator=(const RegisteredStorage&) = delete;

  StorageKind kind() const { return kind_; }
  uint64_t bytes() const { return memory().bytes(); }
  std::byte* data() const { return memory().data(); }
  StorageMemory& memory() const;

  // Throws kState where it is registered with that backend already, kUnsupportedHere where the backend does not take
  // this kind, and what the backend throws; then nothing is registered.
  void registerWith(Backend& backend);
  bool isRegistered(const std::string& backend) const { return find(backend) != nullptr; }
  const Registration* registration(const std::string& backend) const { return find(backend); }
  // Throws kState where there is no such registration. It is gone afterwards, also where its release throws.
  void unregister(const std::string& backend);

  // The whole of it; nothing while it is not registered with that backend.
  std::optional<Descriptor> descriptor(const std::string& backend) const;
  // Part of it. Throws kState while it is not registered, kArgument for a range that is empty or ends behind it.
  Descriptor subrange(const std::string& backend, uint64_t offset, uint64_t bytes) const;

  // Idempotent: releases registrations, the last one first, then gives the memory back, whatever they throw; then
  // throws what was thrown first.
  void close();

 private:
  struct Entry {
    std::string backend;
    std::unique_ptr<Registration> registration;
  };
  const Registration* find(const std::string& backend) const;

  StorageKind kind_;
  std::unique_ptr<StorageMemory> memory_;
  std::vector<Entry> entries_;
};

// Heap memory, which no other process can map.
std::unique_ptr<RegisteredStorage> systemStorage(uint64_t bytes);
// Host memory that the device reaches; the device outlives it.
std::unique_ptr<RegisteredStorage> pinnedStorage(Device& device, uint64_t bytes);
std::unique_ptr<RegisteredStorage> deviceStorage(Device& device, uint64_t bytes);
// A file in `folder`, of that size. Its name is removed once it is registered, so that it ends with the process; from
// then on it cannot be registered again. Throws kIo with errno and path.
std::unique_ptr<RegisteredStorage> diskStorage(const std::string& folder, uint64_t bytes);
// The memory of a pool (device, or host: pinned), which outlives it.
std::unique_ptr<RegisteredStorage> poolStorage(BlockPool& pool);

// Mappings between processes of one node: a registration holds the handle that a peer maps the memory by.
class PeerBackend final : public Backend {
 public:
  static constexpr const char* kName = "peers";
  const char* name() const override { return kName; }
  bool accepts(StorageKind kind) const override {
    return kind == StorageKind::kPinned || kind == StorageKind::kDevice;
  }
  std::unique_ptr<Registration> registerMemory(RegisteredStorage& storage) override;
};

// Reads and writes of files by their descriptor.
class FileBackend final : public Backend {
 public:
  static constexpr const char* kName = "file";
  const char* name() const override { return kName; }
  bool accepts(StorageKind kind) const override { return kind == StorageKind::kDisk; }
  std::unique_ptr<Registration> registerMemory(RegisteredStorage& storage) override;
};

}  // namespace railrunner
