#include "peers/abandoned_memory.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "core/agreement.h"
#include "core/attempt.h"

namespace railrunner {

namespace {

std::atomic<uint64_t> imports{0};

struct Kept {
  std::mutex mutex;
  std::vector<std::unique_ptr<DeviceMemory>> memory;
};

// Never destroyed: at the end of the process the device may be gone before it.
Kept& kept() {
  static auto* instance = new Kept();
  return *instance;
}

}  // namespace

void AbandonedMemory::keep(std::unique_ptr<DeviceMemory> memory) {
  std::lock_guard lock(kept().mutex);
  kept().memory.push_back(std::move(memory));
}

void AbandonedMemory::countImport() { imports.fetch_add(1, std::memory_order_relaxed); }

void AbandonedMemory::uncountImport() { imports.fetch_sub(1, std::memory_order_relaxed); }

void AbandonedMemory::freeWhereAllLetGo(Exchange& exchange, int64_t deadlineNs) {
  // Taken before anybody is asked: what is kept later may be mapped by a rank that has answered already.
  std::vector<std::unique_ptr<DeviceMemory>> taken;
  {
    std::lock_guard lock(kept().mutex);
    taken.swap(kept().memory);
  }
  bool allLetGo = false;
  const std::exception_ptr failure = attempt([&] {
    const uint64_t mine = imports.load(std::memory_order_relaxed);
    const auto all = exchange.allgather(bytesOfValue(mine), deadlineNs);
    allLetGo = std::all_of(all.begin(), all.end(),
                           [](const auto& bytes) { return bytes == bytesOfValue(uint64_t{0}); });
  });
  for (std::unique_ptr<DeviceMemory>& memory : taken) {
    if (allLetGo) {
      static_cast<void>(attempt([&] { memory->close(); }));  // throws where the device is lost
    } else {
      keep(std::move(memory));
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner
