#include "world/collective_operation.h"

#include <climits>
#include <cstring>

namespace railrunner {

namespace {

// Sizes come over the wire: every rank computes the same sum and refuses alike.
struct Span {
  std::vector<int> counts;
  std::vector<int> displacements;
  int total = 0;
};

Span spanOf(const std::vector<uint64_t>& sizes, const char* what) {
  Span span;
  uint64_t total = 0;
  for (const uint64_t size : sizes) {
    if (size > INT_MAX || total + size > INT_MAX) {
      throw Error(ErrorCode::kArgument,
                  std::string(what) +
                      " of more than 2^31-1 bytes: expected the sum over ranks below that, "
                      "received " +
                      std::to_string(total + size) + ". Send it in parts.");
    }
    span.counts.push_back(static_cast<int>(size));
    span.displacements.push_back(static_cast<int>(total));
    total += size;
  }
  span.total = static_cast<int>(total);
  return span;
}

std::vector<Bytes> cut(const Bytes& all, const Span& span) {
  std::vector<Bytes> parts;
  for (size_t i = 0; i < span.counts.size(); ++i) {
    const auto first = all.begin() + span.displacements[i];
    parts.emplace_back(first, first + span.counts[i]);
  }
  return parts;
}

// The first call carries the size and, where it fits, the data: agreements cost one round.
class Broadcast : public CollectiveOperation {
 public:
  Broadcast(Bytes data, int root, int rank, int64_t deadlineNs, Completion done)
      : CollectiveOperation("broadcast", deadlineNs, std::move(done)),
        data_(std::move(data)),
        root_(root),
        rank_(rank) {}

  int next(const Mpi& mpi, int comm) override {
    int request = kOver;
    if (step_++ == 0) {
      if (rank_ == root_) {
        spanOf({data_.size()}, "broadcast");
        cell_.size = data_.size();
        if (data_.size() <= kInlineBytes && !data_.empty())
          std::memcpy(cell_.data, data_.data(), data_.size());
      }
      mpi.check(mpi.calls.ibcast(comm, &cell_, sizeof cell_, root_, &request), "MPI_Ibcast");
      return request;
    }
    if (step_ == 2) {
      const Span span = spanOf({cell_.size}, "broadcast");
      if (rank_ != root_) data_.resize(cell_.size);
      if (cell_.size > kInlineBytes) {
        mpi.check(mpi.calls.ibcast(comm, data_.data(), span.total, root_, &request), "MPI_Ibcast");
        return request;
      }
      if (rank_ != root_ && cell_.size > 0) std::memcpy(data_.data(), cell_.data, cell_.size);
    }
    result_.push_back(std::move(data_));
    return kOver;
  }

 private:
  static constexpr size_t kInlineBytes = 1016;
  struct Cell {
    uint64_t size = 0;
    uint8_t data[kInlineBytes] = {};
  };
  Cell cell_;
  Bytes data_;
  int root_;
  int rank_;
};

class Allgather : public CollectiveOperation {
 public:
  Allgather(Bytes data, int worldSize, int64_t deadlineNs, Completion done)
      : CollectiveOperation("allgather", deadlineNs, std::move(done)),
        data_(std::move(data)),
        cells_(static_cast<size_t>(worldSize)) {}

  int next(const Mpi& mpi, int comm) override {
    int request = kOver;
    if (step_++ == 0) {
      own_.size = data_.size();
      if (data_.size() <= kInlineBytes && !data_.empty()) std::memcpy(own_.data, data_.data(), data_.size());
      mpi.check(mpi.calls.iallgather(comm, &own_, sizeof own_, cells_.data(), &request), "MPI_Iallgather");
      return request;
    }
    if (step_ == 2) {
      std::vector<uint64_t> sizes;
      bool allInline = true;
      for (const Cell& cell : cells_) {
        sizes.push_back(cell.size);
        allInline = allInline && cell.size <= kInlineBytes;
      }
      if (allInline) {
        for (const Cell& cell : cells_) result_.emplace_back(cell.data, cell.data + cell.size);
        return kOver;
      }
      span_ = spanOf(sizes, "allgather");
      all_.resize(static_cast<size_t>(span_.total));
      mpi.check(mpi.calls.iallgatherv(comm, data_.data(), static_cast<int>(data_.size()), all_.data(),
                                      span_.counts.data(), span_.displacements.data(), &request),
                "MPI_Iallgatherv");
      return request;
    }
    result_ = cut(all_, span_);
    return kOver;
  }

 private:
  static constexpr size_t kInlineBytes = 248;
  struct Cell {
    uint64_t size = 0;
    uint8_t data[kInlineBytes] = {};
  };
  Bytes data_;
  Cell own_;
  std::vector<Cell> cells_;
  Span span_;
  Bytes all_;
};

class Gather : public CollectiveOperation {
 public:
  Gather(Bytes data, int root, bool isRoot, int worldSize, int64_t deadlineNs, Completion done)
      : CollectiveOperation("gather", deadlineNs, std::move(done)),
        data_(std::move(data)),
        root_(root),
        isRoot_(isRoot),
        size_(data_.size()),
        sizes_(static_cast<size_t>(isRoot ? worldSize : 0)) {}

  int next(const Mpi& mpi, int comm) override {
    int request = kOver;
    if (step_++ == 0) {
      mpi.check(mpi.calls.igather(comm, &size_, sizeof size_, sizes_.data(), root_, &request), "MPI_Igather");
      return request;
    }
    if (step_ == 2) {
      // Refused only by the root, the sum would be too large: the others learn of it at their deadline.
      span_ = spanOf(sizes_, "gather");
      all_.resize(static_cast<size_t>(span_.total));
      mpi.check(mpi.calls.igatherv(comm, data_.data(), static_cast<int>(size_), all_.data(),
                                   span_.counts.data(), span_.displacements.data(), root_, &request),
                "MPI_Igatherv");
      return request;
    }
    if (isRoot_) result_ = cut(all_, span_);
    return kOver;
  }

 private:
  Bytes data_;
  int root_;
  bool isRoot_;
  uint64_t size_;
  std::vector<uint64_t> sizes_;
  Span span_;
  Bytes all_;
};

class Alltoall : public CollectiveOperation {
 public:
  Alltoall(std::vector<Bytes> data, int64_t deadlineNs, Completion done)
      : CollectiveOperation("alltoall", deadlineNs, std::move(done)), receivedSizes_(data.size()) {
    for (const Bytes& part : data) {
      sentSizes_.push_back(part.size());
      sent_.insert(sent_.end(), part.begin(), part.end());
    }
  }

  int next(const Mpi& mpi, int comm) override {
    if (step_++ == 0) {
      const Span words = spanOf(std::vector<uint64_t>(sentSizes_.size(), sizeof(uint64_t)), "alltoall");
      sendSpan_ = words;
      receiveSpan_ = words;
      return issue(mpi, comm, sentSizes_.data(), receivedSizes_.data());
    }
    if (step_ == 2) {
      sendSpan_ = spanOf(sentSizes_, "alltoall");
      receiveSpan_ = spanOf(receivedSizes_, "alltoall");
      received_.resize(static_cast<size_t>(receiveSpan_.total));
      return issue(mpi, comm, sent_.data(), received_.data());
    }
    result_ = cut(received_, receiveSpan_);
    return kOver;
  }

 private:
  int issue(const Mpi& mpi, int comm, const void* from, void* to) {
    int request = kOver;
    mpi.check(mpi.calls.ialltoallv(comm, from, sendSpan_.counts.data(), sendSpan_.displacements.data(), to,
                                   receiveSpan_.counts.data(), receiveSpan_.displacements.data(), &request),
              "MPI_Ialltoallv");
    return request;
  }

  std::vector<uint64_t> sentSizes_;
  std::vector<uint64_t> receivedSizes_;
  Bytes sent_;
  Bytes received_;
  Span sendSpan_;
  Span receiveSpan_;
};

class Barrier : public CollectiveOperation {
 public:
  Barrier(int64_t deadlineNs, Completion done)
      : CollectiveOperation("barrier", deadlineNs, std::move(done)) {}

  int next(const Mpi& mpi, int comm) override {
    if (step_++ > 0) return kOver;
    int request = kOver;
    mpi.check(mpi.calls.ibarrier(comm, &request), "MPI_Ibarrier");
    return request;
  }
};

class ReduceMax : public CollectiveOperation {
 public:
  ReduceMax(uint64_t value, int64_t deadlineNs, Completion done)
      : CollectiveOperation("maximum", deadlineNs, std::move(done)), value_(value) {}

  int next(const Mpi& mpi, int comm) override {
    if (step_++ == 0) {
      int request = kOver;
      mpi.check(mpi.calls.iallreduceMax(comm, &value_, &maximum_, 1, &request), "MPI_Iallreduce");
      return request;
    }
    const auto* first = reinterpret_cast<const uint8_t*>(&maximum_);
    result_.emplace_back(first, first + sizeof maximum_);
    return kOver;
  }

 private:
  uint64_t value_;
  uint64_t maximum_ = 0;
};

}  // namespace

OperationPointer makeBroadcast(Bytes data, int root, int rank, int64_t deadlineNs, Completion done) {
  return std::make_unique<Broadcast>(std::move(data), root, rank, deadlineNs, std::move(done));
}

OperationPointer makeAllgather(Bytes data, int worldSize, int64_t deadlineNs, Completion done) {
  return std::make_unique<Allgather>(std::move(data), worldSize, deadlineNs, std::move(done));
}

OperationPointer makeGather(Bytes data, int root, int rank, int worldSize, int64_t deadlineNs,
                            Completion done) {
  return std::make_unique<Gather>(std::move(data), root, rank == root, worldSize, deadlineNs,
                                  std::move(done));
}

OperationPointer makeAlltoall(std::vector<Bytes> data, int64_t deadlineNs, Completion done) {
  return std::make_unique<Alltoall>(std::move(data), deadlineNs, std::move(done));
}

OperationPointer makeBarrier(int64_t deadlineNs, Completion done) {
  return std::make_unique<Barrier>(deadlineNs, std::move(done));
}

OperationPointer makeReduceMax(uint64_t value, int64_t deadlineNs, Completion done) {
  return std::make_unique<ReduceMax>(value, deadlineNs, std::move(done));
}

}  // namespace railrunner
