#pragma once

#include <vector>

#include "device/cuda/cuda_handles.h"
#include "moe/cuda/high_throughput/arguments.h"

namespace railrunner::moe::cuda::high_throughput {

// Device memory of this process, zero.
railrunner::cuda::Buffer zeroed(uint64_t bytes);

// What a dispatch leaves, in device memory of its own, and one row behind x that nobody may write. Without `hasRows`
// (gathered tokens that stay where they came) there is no x.
class CudaReceived {
 public:
  CudaReceived(const Shape& shape, const Capacity& capacity, bool hasRows);
  const ReceivedRows& view() const { return view_; }
  // Rows of x: those that may be filled, and the one behind them.
  uint64_t rows() const { return rows_; }
  // Poisons `used` rows of x and the one behind them; and, where that is to be made again, all of the layout.
  void poison(const Shape& shape, const Capacity& capacity, uint64_t used, bool withLayout,
              cudaStream_t stream) const;

 private:
  template <class T>
  T* place(uint64_t count);

  std::vector<railrunner::cuda::Buffer> buffers_;
  uint64_t rows_;
  ReceivedRows view_;
};

}  // namespace railrunner::moe::cuda::high_throughput
