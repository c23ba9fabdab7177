#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>

#include "core/run_control.h"
#include "device/cuda/cuda_handles.h"
#include "moe/cuda/waits.h"

namespace railrunner::moe::cuda {

// The waits of one rank's kernels, as the host follows and ends them.
class KernelWaits {
 public:
  // What a kernel refused, as an error to throw; its fields hold.
  using Refusal = std::function<Error(const WaitControl&, const std::string& call)>;

  KernelWaits(RunControl& control, const Shape& shape, uint32_t rank, Refusal refusal);

  // For the kernels' arguments.
  WaitControl* onDevice() const;
  // Until `isDone`, while kernels run on the stream. Throws kAborted with what the first wait was for when the rank is
  // told to stop, and what was refused; the kernels' waits have ended then.
  void await(const char* call, cudaStream_t stream, const std::function<bool()>& isDone);
  // Until the stream is empty.
  void finish(const char* call, cudaStream_t stream);
  // Ends the kernels' waits and returns when they have.
  void end(cudaStream_t stream);
  // Likewise, without waiting.
  void abandon();

 private:
  WaitControl& words() const { return *memory_.as<WaitControl>(); }
  bool hasFailed() const;
  void tellAwaited();
  [[noreturn]] void throwAborted(const char* call, cudaStream_t stream);

  RunControl& control_;
  const Shape shape_;
  const uint32_t rank_;
  const Refusal refusal_;
  railrunner::cuda::Buffer memory_;  // WaitControl, pinned
  railrunner::cuda::Event done_;
  bool hasTold_ = false;
};

}  // namespace railrunner::moe::cuda
