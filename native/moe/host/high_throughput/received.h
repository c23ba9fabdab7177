#pragma once

#include "moe/high_throughput/received_rows.h"
#include "moe/host/lazy_memory.h"

namespace railrunner::moe::host::high_throughput {

using namespace railrunner::moe::high_throughput;

// What a dispatch leaves, in memory of its own, and one row behind x that nobody may write.
class HostReceived {
 public:
  HostReceived(const Shape& shape, const Capacity& capacity);
  const ReceivedRows& view() const { return view_; }
  ReceivedRows& view() { return view_; }

 private:
  LazyMemory<uint8_t> x_;
  LazyMemory<float> scales_;
  LazyMemory<int32_t> count_;
  LazyMemory<int32_t> expertBegin_;
  LazyMemory<int32_t> sourceBegin_;
  LazyMemory<int32_t> rowToken_;
  LazyMemory<int32_t> sourceToken_;
  LazyMemory<int32_t> tokenRow_;
  LazyMemory<int32_t> tokenExpert_;
  LazyMemory<float> tokenWeight_;
  ReceivedRows view_;
};

}  // namespace railrunner::moe::host::high_throughput
