#pragma once

#include <cstdint>

#if !defined(__CUDA_ARCH__)
#include <sched.h>
#endif

#include "core/pattern.h"  // RAILRUNNER_HOST_DEVICE

// The path from a kernel to the proxy thread of a network worker: a ring of entries in host memory that the
// GPU maps. The same code runs on host threads, where the tests check its ordering.
namespace railrunner {

enum class TriggerKind : uint32_t { kPut = 1, kSignal = 2 };

// One request. Fields of NetworkPut and NetworkSignal; the source of a put is a place in a region of this
// rank, since proxies must be able to read it.
struct Trigger {
  TriggerKind kind = TriggerKind::kPut;
  uint32_t peer = 0;
  uint32_t slot = 0;
  uint32_t region = 0;
  uint64_t epoch = 0;
  uint64_t offset = 0;         // in the peer's region
  uint64_t sourceOrValue = 0;  // put: offset in this rank's region; signal: the word
  uint64_t bytes = 0;          // put
};

namespace trigger_memory {

// Loads and stores that a GPU, its peers and host threads order alike (.sys scope).
RAILRUNNER_HOST_DEVICE inline uint64_t loadAcquire(const uint64_t* word) {
#if defined(__CUDA_ARCH__)
  uint64_t value;
  asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
#else
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
#endif
}

RAILRUNNER_HOST_DEVICE inline void storeRelease(uint64_t* word, uint64_t value) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
#else
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
#endif
}

RAILRUNNER_HOST_DEVICE inline uint64_t takeTicket(uint64_t* head) {
#if defined(__CUDA_ARCH__)
  return atomicAdd(reinterpret_cast<unsigned long long*>(head), 1ULL);
#else
  return __atomic_fetch_add(head, 1, __ATOMIC_RELAXED);
#endif
}

}  // namespace trigger_memory

// One cache line, so that a GPU's stores to it can leave as one PCIe write and no two entries share a line.
struct alignas(64) TriggerEntry {
  uint64_t ticketPlusOne;  // validity: the entry of ticket t is whole when this reads t + 1. Never cleared,
                           // never reused
  uint64_t kindAndPeer;
  uint64_t slotAndRegion;
  uint64_t epoch;
  uint64_t offset;
  uint64_t sourceOrValue;
  uint64_t bytes;
  uint64_t unused;
};
static_assert(sizeof(TriggerEntry) == 64);

// Views of one ring. All memory is the owner's, zeroed before first use: `entries` and `tail` in (mapped)
// host memory, `head` and `seenTail` where the producers are. capacity is a power of two.
struct TriggerFifo {
  TriggerEntry* entries = nullptr;
  uint64_t* head = nullptr;  // tickets taken
  uint64_t* tail = nullptr;  // tickets consumed
  uint64_t* seenTail =
      nullptr;  // what a producer last read there: a GPU asks the host only when this says full
  uint32_t capacity = 0;

  // Producers, any number. isStopped() is asked while the ring is full; where it is true returns false: the
  // ticket is lost then, so the ring must not be used again.
  template <class IsStopped>
  RAILRUNNER_HOST_DEVICE bool push(const Trigger& trigger, IsStopped&& isStopped) const {
    const uint64_t ticket = trigger_memory::takeTicket(head);
    uint64_t seen = trigger_memory::loadAcquire(seenTail);
    while (ticket - seen >= capacity) {
      seen = trigger_memory::loadAcquire(tail);
      // The tail only grows, so an older value that another producer writes last costs it one more look.
      trigger_memory::storeRelease(seenTail, seen);
      if (ticket - seen < capacity) break;
      if (isStopped()) return false;
#if defined(__CUDA_ARCH__)
      __nanosleep(100);
#else
      sched_yield();
#endif
    }
    TriggerEntry& entry = entries[ticket & (capacity - 1)];
    entry.kindAndPeer = (static_cast<uint64_t>(trigger.kind) << 32) | trigger.peer;
    entry.slotAndRegion = (static_cast<uint64_t>(trigger.slot) << 32) | trigger.region;
    entry.epoch = trigger.epoch;
    entry.offset = trigger.offset;
    entry.sourceOrValue = trigger.sourceOrValue;
    entry.bytes = trigger.bytes;
    trigger_memory::storeRelease(&entry.ticketPlusOne, ticket + 1);
    return true;
  }

  // The one consumer. `next` is its own count of consumed tickets, kept by it between calls. Frees the entry.
  bool pop(Trigger& trigger, uint64_t& next) const {
    const TriggerEntry& entry = entries[next & (capacity - 1)];
    if (trigger_memory::loadAcquire(&entry.ticketPlusOne) != next + 1) return false;
    trigger.kind = static_cast<TriggerKind>(entry.kindAndPeer >> 32);
    trigger.peer = static_cast<uint32_t>(entry.kindAndPeer);
    trigger.slot = static_cast<uint32_t>(entry.slotAndRegion >> 32);
    trigger.region = static_cast<uint32_t>(entry.slotAndRegion);
    trigger.epoch = entry.epoch;
    trigger.offset = entry.offset;
    trigger.sourceOrValue = entry.sourceOrValue;
    trigger.bytes = entry.bytes;
    trigger_memory::storeRelease(tail, ++next);
    return true;
  }
};

}  // namespace railrunner
