#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/exchange.h"
#include "device/device.h"

// Ranks as threads of one process, for ThreadSanitizer: it follows addresses, so what ranks map of each other must be one
// mapping.
namespace railrunner::test {

// Collective calls among threads; a rank that fails ends those of the others.
class ThreadHub {
 public:
  explicit ThreadHub(uint32_t worldSize) : worldSize_(worldSize), parts_(worldSize) {}

  std::vector<std::vector<uint8_t>> allgather(uint32_t rank, std::span<const uint8_t> mine) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failed_ || numLeaving_ == 0; });
    parts_[rank].assign(mine.begin(), mine.end());
    if (++numArrived_ == worldSize_) {
      numLeaving_ = worldSize_;
      numArrived_ = 0;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return failed_ || numLeaving_ > 0; });
    if (failed_) throw Error(ErrorCode::kAborted, "another rank of the test failed");
    std::vector<std::vector<uint8_t>> all = parts_;
    if (--numLeaving_ == 0) changed_.notify_all();
    return all;
  }

  void fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
  }

 private:
  uint32_t worldSize_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<uint8_t>> parts_;
  uint32_t numArrived_ = 0;
  uint32_t numLeaving_ = 0;  // that have not taken what all have brought
  bool failed_ = false;
};

class ThreadExchange : public Exchange {
 public:
  ThreadExchange(ThreadHub& hub, uint32_t rank, uint32_t worldSize)
      : hub_(hub), rank_(rank), worldSize_(worldSize) {}
  uint32_t rank() const override { return rank_; }
  uint32_t worldSize() const override { return worldSize_; }
  std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> mine, int64_t) override {
    return hub_.allgather(rank_, mine);
  }

 private:
  ThreadHub& hub_;
  uint32_t rank_;
  uint32_t worldSize_;
};

// Where the memory is that a handle of this process names.
class Allocations {
 public:
  void add(const ShareHandle& handle, std::byte* data) {
    const std::lock_guard lock(mutex_);
    of_[handle.descriptor] = data;
  }
  std::byte* find(const ShareHandle& handle) {
    const std::lock_guard lock(mutex_);
    return of_.at(handle.descriptor) + handle.offset;
  }

 private:
  std::mutex mutex_;
  std::map<int32_t, std::byte*> of_;
};

class SameMemory : public DeviceMemory {
 public:
  SameMemory(std::byte* data, uint64_t bytes) : data_(data), bytes_(bytes) {}
  void* data() const override { return data_; }
  uint64_t bytes() const override { return bytes_; }
  ShareHandle share(uint64_t, uint64_t) const override {
    throw Error(ErrorCode::kState, "memory of another rank is not shared on");
  }
  void close() override {}

 private:
  std::byte* data_;
  uint64_t bytes_;
};

// The host device, except that opening a rank's memory gives that memory and no second mapping of it. Memory of up to
// `apartBytes` is mapped apart after all, which hides from ThreadSanitizer whatever order its words make.
class ThreadDevice : public Device {
 public:
  ThreadDevice(Allocations& allocations, uint64_t apartBytes)
      : real_(openDevice(DeviceKind::kHost, 0)), allocations_(allocations), apartBytes_(apartBytes) {}
  DeviceKind kind() const override { return DeviceKind::kHost; }
  int ordinal() const override { return 0; }
  int numaNode() const override { return real_->numaNode(); }
  DeviceProperties properties() const override { return real_->properties(); }
  std::unique_ptr<DeviceMemory> allocate(uint64_t bytes, Sharing) override {
    std::unique_ptr<DeviceMemory> memory = real_->allocate(bytes, Sharing::kNode);
    allocations_.add(memory->share(0, bytes), static_cast<std::byte*>(memory->data()));
    return memory;
  }
  std::unique_ptr<DeviceMemory> open(const ShareHandle& handle) override {
    if (handle.rangeBytes <= apartBytes_) return real_->open(handle);
    return std::make_unique<SameMemory>(allocations_.find(handle), handle.rangeBytes);
  }
  void registerHost(void*, uint64_t) override {}
  void unregisterHost(void*) override {}

 private:
  std::unique_ptr<Device> real_;
  Allocations& allocations_;
  uint64_t apartBytes_;
};

// Runs `body` as `worldSize` threads. What each threw, or ''.
inline std::vector<std::string> runThreads(uint32_t worldSize,
                                           const std::function<void(ThreadExchange&)>& body) {
  ThreadHub hub(worldSize);
  std::vector<std::string> faults(worldSize);
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < worldSize; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadExchange exchange(hub, rank, worldSize);
      try {
        body(exchange);
      } catch (const std::exception& error) {
        faults[rank] = error.what();
        hub.fail();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return faults;
}

}  // namespace railrunner::test
