#include "kv/disk_lane.h"

namespace railrunner {

Error diskError(const DiskQueue& queue, bool write, const DiskRequest& request, int error) {
  return errnoError(ErrorCode::kIo,
                    std::string(write ? "write of " : "read of ") + std::to_string(request.bytes) +
                        " bytes at " + std::to_string(request.fileOffset) + " of " + queue.file().path(),
                    error);
}

DiskProbe::DiskProbe(DiskQueue& queue, const DiskPlan& plan, const iovec* vectors, bool write)
    : queue_(queue), plan_(plan), vectors_(vectors), write_(write), completions_(queue.depth()) {
  for (const DiskRequest& request : plan.requests) bytes_ += request.bytes;
  freeSlots_.reserve(queue.depth());
}

double DiskProbe::run() {
  const double startUs = nowUs();
  try {
    loop();
  } catch (...) {
    queue_.drain();
    throw;
  }
  return nowUs() - startUs;
}

void DiskProbe::loop() {
  freeSlots_.clear();
  for (uint32_t slot = queue_.depth(); slot-- > 0;) freeSlots_.push_back(slot);
  size_t next = 0;
  int firstError = 0;
  while ((next < plan_.requests.size() && firstError == 0) || queue_.inFlight() > 0) {
    while (next < plan_.requests.size() && !freeSlots_.empty() && firstError == 0) {
      const DiskRequest& request = plan_.requests[next++];
      queue_.start(freeSlots_.back(), diskOperation(request, vectors_, write_));
      freeSlots_.pop_back();
    }
    const uint32_t done = queue_.collect(completions_.data());
    for (uint32_t i = 0; i < done; ++i) {
      if (completions_[i].error != 0 && firstError == 0) firstError = completions_[i].error;
      freeSlots_.push_back(completions_[i].slot);
    }
  }
  if (firstError != 0) throw diskError(queue_, write_, plan_.requests.front(), firstError);
}

}  // namespace railrunner
