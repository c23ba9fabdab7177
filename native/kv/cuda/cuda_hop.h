#pragma once

#include <memory>
#include <vector>

#include "device/cuda/cuda_handles.h"
#include "device/device.h"
#include "kv/cuda/copy_calls.h"
#include "kv/disk_plan.h"
#include "kv/transfer.h"
#include "storage/disk_queue.h"

namespace railrunner::cuda {

// The hop of a DiskLane between device memory and the disk queue's buffers: while some slots are read or written by the disk, others are filled or drained by the GPU.
class CudaHop {
 public:
  static constexpr bool kCrossesHostLink = true;
  static constexpr bool kCopiesAtOnce = false;
  // Whether the hop registers the queue's buffers while it lives, or finds them registered.
  enum class Buffers : uint8_t { kRegister, kRegistered };
  // The plan's pieces must stay where they are while the hop lives. Strategies: one DMA per piece (memcpy,
  // memcpyBatch in one call), a kernel on the pinned buffer, or a kernel into device memory and one DMA
  // (staged).
  CudaHop(Device& device, std::byte* memory, DiskQueue& queue, const std::vector<DiskPiece>& pieces,
          bool toDisk, const TransferOptions& options, Buffers buffers = Buffers::kRegister);
  ~CudaHop();
  CudaHop(CudaHop&&) noexcept;

  void gather(uint32_t slot, std::byte* buffer, const DiskPiece* pieces, uint32_t count);
  void scatter(uint32_t slot, const std::byte* buffer, const DiskPiece* pieces, uint32_t count);
  bool finished(uint32_t slot) const;
  void waitAll() noexcept;

  static Strategy strategyUsed(Strategy requested);

 private:
  struct State;
  void move(uint32_t slot, std::byte* buffer, const DiskPiece* pieces, uint32_t count);
  std::unique_ptr<State> state_;
};

}  // namespace railrunner::cuda
