#pragma once

#include <cstdint>

namespace railrunner {

// A part of a transfer that this rank carries out: started once per iteration, and polled until it has ended. Of one
// thread at a time; most are carried out by others.
class CopyTask {
 public:
  virtual ~CopyTask() = default;
  // Hands over one of the task's chunks and returns; the last start has ended. Most tasks have chunk 0 alone.
  virtual void start(uint32_t chunk = 0) = 0;
  // True once every byte of it has been written. Throws what the copy threw; nothing of it is running then.
  virtual bool poll() = 0;
  // Whether the last poll() itself moved bytes: of tasks that the thread which polls them carries out.
  virtual bool cameFurther() const { return false; }
  // Returns when nothing of it is running: call it after giving up, before touching the memory again.
  virtual void drain() noexcept = 0;
};

// Tasks of one thread that start together, where starting one by one costs time. Between hold() and send() starts are
// gathered; send() hands them over as one.
class StartGroup {
 public:
  virtual ~StartGroup() = default;
  virtual void hold() = 0;
  virtual void send() = 0;
  virtual void forget() noexcept = 0;  // what was gathered and not sent
};

}  // namespace railrunner
