#pragma once

#include "device/cuda/cuda_handles.h"

namespace railrunner::cuda {

// Times work of one stream by events, each sample cold: the L2 cache is flushed and the stream held directly
// before the start event, so that nothing of the work is in a cache and, where it was queued meanwhile, none
// of its launch cost is in the time. A sample is hold(), the gate of all ranks, release(), the work,
// finish(); work that is short (DeviceCopy::fitsBehindHold) goes before release().
class ColdTimer {
 public:
  ColdTimer();
  ~ColdTimer() { releaseForEver(); }
  ColdTimer(const ColdTimer&) = delete;
  ColdTimer& operator=(const ColdTimer&) = delete;

  cudaStream_t stream() const { return stream_; }
  // Flush, hold, start event. Returns at once.
  void hold();
  void release();
  // A kernel that no release() ends, only an abort (or the limit of a hold that was forgotten): for tests.
  void holdUntilAborted();
  // Puts the stop event on the stream; call it after the last piece of work.
  void markEnd() const { stop_.record(stream_); }
  // Waits for the stop event; microseconds between both. On kAborted the hold ends by itself.
  double finishUs(const RunControl& control);
  // Microseconds from the start event to another timed event, once finishUs() has returned.
  double elapsedUs(const Event& end) const;

 private:
  struct Words {
    uint32_t released;
    uint32_t aborted;
  };
  void releaseForEver();

  Stream stream_;
  Event start_{Event::Use::kTime};
  Event stop_{Event::Use::kTime};
  Buffer flush_;
  Buffer words_;  // Words, which the hold kernel polls
  uint32_t epoch_ = 0;
};

}  // namespace railrunner::cuda
