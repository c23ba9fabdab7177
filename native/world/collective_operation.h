#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "world/mail_plan.h"
#include "world/mpi.h"

namespace railrunner {

// Called on the control thread when an operation is over: failure, or one entry per rank (broadcast, reduceMax:
// one entry; gather off the root and barrier: none).
using Completion = std::function<void(std::exception_ptr failure, std::vector<Bytes> result)>;

// One collective of the control plane, made of one or two MPI calls. The control thread runs them one at a
// time in the order in which they were asked for, so the MPI calls of two never interleave differently on two
// ranks.
class CollectiveOperation {
 public:
  static constexpr int kOver = -1;

  CollectiveOperation(const char* name, int64_t deadlineNs, Completion done)
      : name_(name), deadlineNs_(deadlineNs), done_(std::move(done)) {}
  virtual ~CollectiveOperation() = default;

  // Issues the next MPI call on `comm` and returns its request, or kOver when the result is whole.
  virtual int next(const Mpi& mpi, int comm) = 0;

  void finish(std::exception_ptr failure) {
    done_(failure, failure ? std::vector<Bytes>{} : std::move(result_));
  }
  const char* name() const { return name_; }
  int64_t deadlineNs() const { return deadlineNs_; }

 protected:
  std::vector<Bytes> result_;
  int step_ = 0;

 private:
  const char* name_;
  int64_t deadlineNs_;
  Completion done_;
};

using OperationPointer = std::unique_ptr<CollectiveOperation>;

// Sizes may differ between ranks in all of these. More than 2^31-1 bytes in one call are refused with
// kArgument.
OperationPointer makeBroadcast(Bytes data, int root, int rank, int64_t deadlineNs, Completion done);
OperationPointer makeAllgather(Bytes data, int worldSize, int64_t deadlineNs, Completion done);
OperationPointer makeGather(Bytes data, int root, int rank, int worldSize, int64_t deadlineNs,
                            Completion done);
// data[peer] goes to peer; result[peer] came from it.
OperationPointer makeAlltoall(std::vector<Bytes> data, int64_t deadlineNs, Completion done);
OperationPointer makeBarrier(int64_t deadlineNs, Completion done);
OperationPointer makeReduceMax(uint64_t value, int64_t deadlineNs, Completion done);

}  // namespace railrunner
