#pragma once

#include <cstdint>

namespace railrunner {

// A part of a transfer that this rank carries out: started once per iteration, and polled until it has ended. Of one
// thread, which is not the one that copies.
class CopyTask {
 public:
  virtual ~CopyTask() = default;
  // Hands it over and returns; the last start has ended.
  virtual void start() = 0;
  // True once every byte has been written. Throws what the copy threw; nothing of it is running then.
  virtual bool poll() = 0;
  // Returns when nothing of it is running: whoever gives up calls it before memory is touched again.
  virtual void drain() noexcept = 0;
};

}  // namespace railrunner
