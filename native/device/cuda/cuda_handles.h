#pragma once

#include <utility>

#include "core/run_control.h"
#include "core/wait.h"
#include "device/cuda/cuda_call.h"

namespace railrunner::cuda {

// Streams never wait for the legacy default stream: a spinning kernel there would stop everything.
class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
  ~Stream() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  Stream(Stream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  Stream& operator=(Stream&&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  enum class Use { kOrder, kTime };
  explicit Event(Use use = Use::kOrder) {
    check(cudaEventCreateWithFlags(&event_, use == Use::kTime ? cudaEventDefault : cudaEventDisableTiming),
          "cudaEventCreateWithFlags");
  }
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;
  operator cudaEvent_t() const { return event_; }

  void record(cudaStream_t stream) const { check(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  // Work put on `stream` from here on waits for the event.
  void gate(cudaStream_t stream) const {
    check(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
  }
  // Whether the GPU is past it. Legal while kernels spin.
  bool isPast() const {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) return false;
    check(status, "cudaEventQuery");
    return true;
  }
  // Bounded: throws kAborted when the rank is told to stop waiting.
  void wait(const RunControl& control) const {
    waitUntil([this] { return isPast(); }, control, 0, "the GPU");
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// Device or pinned host memory of this process alone: tables, staging buffers, words that kernels poll.
class Buffer {
 public:
  enum class Place { kDevice, kPinned };
  Buffer() = default;
  Buffer(Place place, uint64_t bytes) : place_(place), bytes_(bytes) {
    if (place == Place::kDevice) {
      check(cudaMalloc(&data_, bytes), "cudaMalloc");
    } else {
      check(cudaHostAlloc(&data_, bytes, cudaHostAllocPortable | cudaHostAllocMapped), "cudaHostAlloc");
    }
  }
  ~Buffer() { reset(); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        place_(other.place_),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      data_ = std::exchange(other.data_, nullptr);
      place_ = other.place_;
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  template <class T = void>
  T* as() const {
    return static_cast<T*>(data_);
  }
  uint64_t bytes() const { return bytes_; }

 private:
  void reset() {
    if (data_ == nullptr) return;
    if (place_ == Place::kDevice) {
      cudaFree(data_);
    } else {
      cudaFreeHost(data_);
    }
    data_ = nullptr;
  }
  void* data_ = nullptr;
  Place place_ = Place::kDevice;
  uint64_t bytes_ = 0;
};

}  // namespace railrunner::cuda
