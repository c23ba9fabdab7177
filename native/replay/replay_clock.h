#pragma once

#include "core/clock.h"

namespace railrunner {

// The clock by which requests arrive and are served. It is stopped while blocks are filled and compared, which an
// engine does not do, so that neither makes a request late.
class ReplayClock {
 public:
  double elapsedUs() const { return running_ ? elapsedUs_ + (nowUs() - resumedUs_) : elapsedUs_; }
  void resume() {
    resumedUs_ = nowUs();
    running_ = true;
  }
  void pause() {
    elapsedUs_ = elapsedUs();
    running_ = false;
  }
  // What the ranks have agreed on.
  void set(double us) {
    elapsedUs_ = us;
    resumedUs_ = nowUs();
  }
  // Time that has passed and is not to count.
  void exclude(double us) { elapsedUs_ -= us; }

 private:
  double elapsedUs_ = 0;
  double resumedUs_ = 0;
  bool running_ = false;
};

}  // namespace railrunner
