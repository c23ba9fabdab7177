#pragma once

#include "device/cuda/cuda_handles.h"
#include "replicated/cuda/cuda_board.h"
#include "replicated/phase_clock.h"

namespace railrunner::cuda {

// One strategy on a cuda device, compiled; virtual once per iteration.
class StrategyPath {
 public:
  using Board = CudaBoard;

  virtual ~StrategyPath() = default;
  // Nothing is in flight when it returns or throws.
  virtual void execute(int64_t iteration, RunControl& control, PhaseTimes& times) = 0;
  virtual ReplicatedFacts facts() const = 0;
};

// Where the phases of an iteration begin and end, on the GPU.
struct PhaseEvents {
  Event started{Event::Use::kTime};
  Event loadEnd{Event::Use::kTime};
  Event moveBegin{Event::Use::kTime};
  Event moveEnd{Event::Use::kTime};

  // Once all have passed.
  PhaseTimes times(bool loads) const {
    const auto sinceStart = [&](const Event& event) {
      float ms = 0;
      check(cudaEventElapsedTime(&ms, started, event), "cudaEventElapsedTime");
      return static_cast<double>(ms) * 1e3;
    };
    PhaseTimes times;
    if (loads) {
      times.loadBegin = 0;
      times.loadEnd = sinceStart(loadEnd);
    }
    times.moveBegin = sinceStart(moveBegin);
    times.moveEnd = sinceStart(moveEnd);
    return times;
  }
};

}  // namespace railrunner::cuda
