#include "moe/cuda/high_throughput/received.h"

#include <algorithm>

#include "moe/payload.h"

namespace railrunner::moe::cuda::high_throughput {

using railrunner::cuda::Buffer;
using railrunner::cuda::check;

namespace {

uint64_t scalesOf(const Shape& shape, uint64_t rows) {
  return shape.payload == DispatchDtype::kFp8E4m3 ? rows * shape.numScales() : 0;
}

}  // namespace

Buffer zeroed(uint64_t bytes) {
  Buffer buffer(Buffer::Place::kDevice, std::max<uint64_t>(bytes, 16));
  check(cudaMemset(buffer.as(), 0, buffer.bytes()), "cudaMemset");
  return buffer;
}

template <class T>
T* CudaReceived::place(uint64_t count) {
  buffers_.push_back(zeroed(count * sizeof(T)));
  return buffers_.back().as<T>();
}

CudaReceived::CudaReceived(const Shape& s, const Capacity& capacity, bool hasRows)
    : rows_(hasRows ? rowsOfX(s, capacity) + 1 : 0) {
  view_.x = place<uint8_t>(rows_ * s.payloadRowBytes());
  view_.scales = place<float>(scalesOf(s, rows_));
  view_.count = place<int32_t>(s.numLocalExperts());
  view_.expertBegin = place<int32_t>(s.numLocalExperts() + 1);
  view_.sourceBegin = place<int32_t>(s.worldSize + 1);
  view_.rowToken = place<int32_t>(capacity.rows);
  view_.sourceToken = place<int32_t>(capacity.tokens);
  view_.tokenRow = place<int32_t>(capacity.tokens * s.numTopk);
  view_.tokenExpert = place<int32_t>(capacity.tokens * s.numTopk);
  view_.tokenWeight = place<float>(capacity.tokens * s.numTopk);
}

void CudaReceived::poison(const Shape& s, const Capacity& capacity, uint64_t used, bool withLayout,
                          cudaStream_t stream) const {
  const auto set = [stream](void* data, uint64_t bytes) {
    if (bytes != 0) check(cudaMemsetAsync(data, kPoisonByte, bytes, stream), "cudaMemsetAsync");
  };
  const uint64_t rows = std::min(used + 1, rows_);
  set(view_.x, rows * s.payloadRowBytes());
  set(view_.scales, scalesOf(s, rows) * sizeof(float));
  if (!withLayout) return;
  const uint64_t choices = capacity.tokens * s.numTopk * sizeof(int32_t);
  set(view_.count, s.numLocalExperts() * sizeof(int32_t));
  set(view_.rowToken, capacity.rows * sizeof(int32_t));
  set(view_.sourceToken, capacity.tokens * sizeof(int32_t));
  set(view_.tokenRow, choices);
  set(view_.tokenExpert, choices);
  set(view_.tokenWeight, choices);
}

}  // namespace railrunner::moe::cuda::high_throughput
