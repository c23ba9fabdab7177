#pragma once

#include <cstdint>

#include "moe/cuda/low_latency/kernels.h"

// Loads, stores and copies of the kernels, with their ordering. Scope is always .sys: peers are other GPUs.
namespace railrunner::moe::cuda {

constexpr uint32_t kAll = 0xffffffffU;  // lanes of a warp

__device__ inline uint64_t loadRelaxed(const uint64_t* word) {
  uint64_t value;
  asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
}
__device__ inline uint64_t loadAcquire(const uint64_t* word) {
  uint64_t value;
  asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
}
__device__ inline void storeRelaxed(uint64_t* word, uint64_t value) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}
__device__ inline void storeRelease(uint64_t* word, uint64_t value) {
  asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}
__device__ inline uint64_t wordOf(uint32_t epoch, uint32_t value) {
  return (static_cast<uint64_t>(epoch) << 32) | value;
}

// Streams of bytes that are read or written once: kept out of the first-level cache.
__device__ inline uint4 loadOnce(const void* from) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}
__device__ inline void storeOnce(void* to, uint4 v) {
  asm volatile("st.global.L1::no_allocate.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(v.x), "r"(v.y),
               "r"(v.z), "r"(v.w)
               : "memory");
}

// The first thing that a kernel of launchOverlapped() does. Lets the next kernel's blocks take their places
// too.
__device__ inline void awaitPredecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ inline uint64_t globalTimerNs() {
  uint64_t ns;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns));
  return ns;
}

// Copies of whole rows between shared memory and anywhere, called by all lanes of a warp with the same
// arguments. From sm_90 on the bulk copy engine does them and lane 0 alone owns their completion; before, the
// lanes do.
#if __CUDA_ARCH__ >= 900
constexpr bool kBulk = true;
#else
constexpr bool kBulk = false;
#endif

struct RowCopies {
  uint32_t lane;
  uint32_t parity = 0;
  uint64_t* barrier;  // shared memory, one a warp

  __device__ RowCopies(uint64_t* theBarrier, uint32_t theLane) : lane(theLane), barrier(theBarrier) {}

  __device__ static uint32_t sharedAddress(const void* p) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(p));
  }
  // Once per block, before __syncthreads, by the lane that will use it.
  __device__ void prepare() const {
    if (kBulk && lane == 0) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(sharedAddress(barrier)) : "memory");
      asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
  }
  // What generic loads and stores did before is ordered before bulk copies that this thread starts later.
  __device__ static void fenceProxy() {
#if __CUDA_ARCH__ >= 900
    asm volatile("fence.proxy.async;" ::: "memory");
#endif
  }

  // Loads of one or two runs that finishLoad() waits for together: first how many bytes, then the runs.
  __device__ void expectLoads(uint32_t bytes) const {
#if __CUDA_ARCH__ >= 900
    if (lane == 0) {
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(barrier)),
                   "r"(bytes)
                   : "memory");
    }
#endif
  }
  __device__ void addLoad(void* shared, const void* global, uint32_t bytes) const {
#if __CUDA_ARCH__ >= 900
    if (lane == 0) {
      asm volatile(
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
              sharedAddress(shared)),
          "l"(global), "r"(bytes), "r"(sharedAddress(barrier))
          : "memory");
    }
#else
    for (uint32_t i = lane; i < bytes / 16; i += 32) {
      static_cast<uint4*>(shared)[i] = loadOnce(static_cast<const uint4*>(global) + i);
    }
#endif
  }
  __device__ void startLoad(void* shared, const void* global, uint32_t bytes) const {
    expectLoads(bytes);
    addLoad(shared, global, bytes);
  }
  __device__ void finishLoad() {
#if __CUDA_ARCH__ >= 900
    uint32_t done = 0;
    while (done == 0) {
      asm volatile(
          "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
          : "=r"(done)
          : "r"(sharedAddress(barrier)), "r"(parity)
          : "memory");
    }
    parity ^= 1U;
#endif
    __syncwarp();
  }

  __device__ void startStore(void* global, const void* shared, uint32_t bytes) const {
#if __CUDA_ARCH__ >= 900
    if (lane == 0) {
      asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(global),
                   "r"(sharedAddress(shared)), "r"(bytes)
                   : "memory");
    }
#else
    for (uint32_t i = lane; i < bytes / 16; i += 32) {
      storeOnce(static_cast<uint4*>(global) + i, static_cast<const uint4*>(shared)[i]);
    }
#endif
  }
  __device__ void commit() const {
#if __CUDA_ARCH__ >= 900
    if (lane == 0) asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#endif
  }
  // Until every byte that was committed has been written.
  __device__ void finishStores() const {
#if __CUDA_ARCH__ >= 900
    if (lane == 0) asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
#endif
    __syncwarp();
  }
  // Until shared memory that stores read may be used again.
  __device__ void finishReading() const {
#if __CUDA_ARCH__ >= 900
    if (lane == 0) asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
#endif
    __syncwarp();
  }
};

// Threads of one group of warps; a group's number and size are its own.
__device__ inline void groupBarrier(uint32_t group, uint32_t threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "r"(threads) : "memory");
}

// Of a wait that has become long: tells the host for whom it is, and returns whether the host has ended it.
// The first that ends so leaves what was missing.
__device__ inline bool isWaitOver(WaitControl& control, Missing missing, uint32_t rank, uint32_t index,
                                  uint32_t epoch) {
  if (*reinterpret_cast<volatile uint32_t*>(&control.abort) == 0) {
    *reinterpret_cast<volatile uint32_t*>(&control.awaited) = rank + 1;
    return false;
  }
  // Waits of this device alone compete, and the host reads when they have ended: no atomic across the link,
  // which many machines do not have.
  if (atomicCAS(&control.failed, 0U, 1U) == 0U) {
    control.rank = rank;
    control.missing = static_cast<uint32_t>(missing);
    control.index = index;
    control.epoch = epoch;
    __threadfence_system();
  }
  return true;
}

// One call as its kernel sees it. Without kNetwork every peer shares memory, and nothing is asked about it.
template <bool kNetwork>
struct Call {
  const KernelArguments& a;
  uint32_t epoch;
  uint64_t half;  // offset of the half in use, in each block

  __device__ explicit Call(const KernelArguments& arguments) : a(arguments) {
    epoch = a.epoch + (a.epochBase != nullptr ? *a.epochBase : 0);
    half = (epoch & 1U) * a.map.blockBytes;
  }

  // In this rank's block at `peer`, and in the block of `source` here.
  __device__ std::byte* to(uint32_t peer, uint64_t offset) const { return a.to[peer] + half + offset; }
  __device__ const std::byte* from(uint32_t source, uint64_t offset) const {
    return a.from[source] + half + offset;
  }
  __device__ uint64_t* wordsTo(uint32_t peer, uint64_t offset) const {
    return reinterpret_cast<uint64_t*>(to(peer, offset));
  }
  __device__ const uint64_t* wordsFrom(uint32_t source, uint64_t offset) const {
    return reinterpret_cast<const uint64_t*>(from(source, offset));
  }
  __device__ bool isOverNetwork(uint32_t peer) const { return kNetwork && (a.overNetwork >> peer & 1U) != 0; }

  // Words of the plan for `peer`, and of this rank's plan by `source`.
  __device__ uint64_t* planTo(uint32_t peer, uint64_t offset) const {
    if (!kNetwork) return wordsTo(peer, offset);
    return wordsTo(via(peer), offset + a.network->routes.planTo[peer]);
  }
  __device__ const uint64_t* planFrom(uint32_t source, uint64_t offset) const {
    return wordsFrom(source, offset + (kNetwork ? a.network->routes.planFrom[source] : 0));
  }
  // The rank that this one writes to for `peer`.
  __device__ uint32_t via(uint32_t peer) const { return kNetwork ? a.network->routes.via[peer] : peer; }
  __device__ bool forwards() const { return kNetwork && a.network->routes.forwards != 0; }
  // The block where rows for the tokens of `source` go.
  __device__ std::byte* backTo(uint32_t source) const {
    return kNetwork ? a.network->routes.backTo[source] + half : to(source, 0);
  }
  // The block of `source` at a rank of this node, this one included.
  __device__ std::byte* blockAt(uint32_t near, uint32_t source) const {
    return a.to[near] + (static_cast<int64_t>(source) - a.rank) * 2 * static_cast<int64_t>(a.map.blockBytes) +
           half;
  }

  // Index of (token, slice) among a block's flags.
  __device__ uint64_t flag(uint32_t token, uint32_t slice) const {
    return static_cast<uint64_t>(token) * a.slices + slice;
  }
  // Where a token's first dispatch row lies in a block.
  __device__ uint64_t rowOffset(uint32_t token) const {
    return a.map.rows + static_cast<uint64_t>(token) * a.map.copies * a.map.messageBytes;
  }

  // Tells a peer that shares memory that this rank has begun the call. To the others the word goes last.
  __device__ void begin(uint32_t peer, uint32_t value) const {
    if (via(peer) == peer && !isOverNetwork(peer))
      storeRelaxed(wordsTo(peer, a.map.begun), wordOf(epoch, value));
  }
  // At a peer that shares memory.
  __device__ void publish(uint64_t* flag) const {
    if (a.seam.relaxedFlags != 0) return;  // it went out before its row
    storeRelease(flag, wordOf(epoch, 1));
  }
  // In a block (with its half).
  __device__ void publish(std::byte* block, uint64_t flagIndex) const {
    publish(reinterpret_cast<uint64_t*>(block + a.map.flags) + flagIndex);
  }

  // Of a wait that has become long: whether the host has ended it. Says for whom it is: who passes it on.
  __device__ __noinline__ bool stopped(Missing missing, uint32_t rank, uint32_t index) const {
    return isWaitOver(*a.control, missing, kNetwork ? a.network->routes.hears[rank] : rank, index, epoch);
  }

  // Spins until the word carries this call's epoch.
  template <bool kIsFlag>
  __device__ bool await(const uint64_t* word, uint32_t* value, Missing missing, uint32_t rank,
                        uint32_t index) const {
    for (uint32_t polls = 1;; ++polls) {
      const uint64_t read = kIsFlag ? loadAcquire(word) : loadRelaxed(word);
      if (static_cast<uint32_t>(read >> 32) == epoch) {
        *value = static_cast<uint32_t>(read);
        return true;
      }
      if ((polls & 1023U) == 0 && stopped(missing, rank, index)) return false;
    }
  }

  // Words are valid by themselves; flags publish what was stored before them.
  __device__ bool awaitWord(const uint64_t* word, uint32_t* value, Missing missing, uint32_t rank,
                            uint32_t index) const {
    return await<false>(word, value, missing, rank, index);
  }
  __device__ bool awaitFlag(const uint64_t* word, uint32_t* value, Missing missing, uint32_t rank,
                            uint32_t index) const {
    return await<true>(word, value, missing, rank, index);
  }
  // What came and would be an index out of bounds: is not followed, and the call ends on this rank. The first
  // that is refused is told. False, for the caller to return.
  __device__ bool refuse(Missing wrong, uint32_t rank, uint32_t index, uint32_t value) const {
    if (atomicCAS(&a.control->failed, 0U, 1U) == 0U) {
      a.control->rank = rank;
      a.control->missing = static_cast<uint32_t>(wrong);
      a.control->index = index;
      a.control->epoch = epoch;
      a.control->value = value;
      __threadfence_system();
    }
    return false;
  }
  // A word of this rank's plans as it goes out: as it is, unless a test plants a fault.
  __device__ uint32_t outgoing(WrongWord which, uint32_t value) const {
    return a.seam.wrongWord == static_cast<uint32_t>(which) ? kWrongWordValue : value;
  }

  // Until the source has begun this call; over the network: until all that it sends in it is here.
  __device__ bool awaitBegun(uint32_t source, uint32_t* value) const {
    const bool ok = isOverNetwork(source)
                        ? awaitFlag(&a.network->arrived[source], value, Missing::kBegun, source, 0)
                        : awaitWord(wordsFrom(source, a.map.begun), value, Missing::kBegun, source, 0);
    if (!ok || *value <= a.shape.maxDispatchTokensPerRank) return ok;
    return refuse(Missing::kWrongTokens, source, 0, *value);
  }
  // Until a slice of the source's row for the token is whole.
  __device__ bool awaitRow(uint32_t source, uint32_t token, uint32_t slice, Missing missing) const {
    uint32_t unused = 0;
    const uint64_t* word = isOverNetwork(source) ? &a.network->arrived[source]
                                                 : wordsFrom(source, a.map.flags) + flag(token, slice);
    return awaitFlag(word, &unused, missing, source, token);
  }

  __device__ void stamp(uint32_t which) const {
    if (a.stamps != nullptr) a.stamps[blockIdx.x * kStamps + which] = globalTimerNs();
  }

  __device__ void delay(uint32_t salt) const {
    if (a.seam.delaySeed == 0) return;
    uint32_t h = (a.seam.delaySeed ^ (salt * 0x9e3779b9U)) + blockIdx.x * 0x85ebca6bU + epoch * 0xc2b2ae35U;
    h ^= h >> 15;
    h *= 0x2c1b3c6dU;
    h ^= h >> 12;
    __nanosleep(h & 4095U);
  }
};

}  // namespace railrunner::moe::cuda
