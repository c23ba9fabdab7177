#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "device/device.h"
#include "moe/host/lazy_memory.h"
#include "moe/host/low_latency/bench.h"
#include "moe/host/rows.h"
#include "moe/payload.h"
#include "mpi_ranks.h"
#include "peers/symmetric_buffer.h"
#include "times.h"

// usage: mpirun -n 4 moe_alltoallv_bench PLUGIN [--zero-copy] [iterations [tokens ...]]
//
// The same exchange twice in one run, interleaved: over shared memory, and by MPI (Ialltoallv and Test, polled
// from this thread). Both de-duplicate, pack by the same code, expand and reduce in the same order; MPI also
// tells counts first. Results must be the same bits. Rank 0 prints CSV: medians over iterations of the
// slowest rank, in us; `ratio` is the median of each iteration's MPI time over its shared memory time, both
// operations together. --zero-copy: experts write their rows where peers read them (MPI is given its own, as ever).
namespace railrunner::moe::host {
namespace {

using bench::ExchangeTimes;
using bench::medianOf;
using bench::MpiRanks;
using bench::slowestOf;

constexpr uint64_t kMaxOutboxBytes = INT32_MAX;

// The exchange whose messages MPI carries: HostExchange packs into outboxes and unpacks from the inbox.
class ByMpi {
 public:
  ByMpi(const Shape& shape, MpiRanks& ranks)
      : shape_(shape),
        layout_(bufferLayout(shape)),
        ranks_(ranks),
        outboxes_(layout_.totalBytes * shape.worldSize, "outboxes"),
        inbox_(layout_.totalBytes, "inbox"),
        rows_(uint64_t{2} * shape.maxReceivedTokens() * shape.paddedHidden(), "combine rows"),
        packer_(shape, bases(), ranks.control(), {}) {}

  void dispatch(const TokenBatch& batch, DispatchResult& result) {
    const uint32_t size = shape_.worldSize, rank = ranks_.rank();
    const uint32_t half = ++epoch_ & 1U;
    packer_.dispatchSend(batch);
    sent_.assign(size, 0);
    std::vector<int> counts(size), eight(size, 8), places(size), bytes(size), sentAt(size), got(size),
        gotAt(size);
    std::vector<uint64_t> mine(size), theirs(size);
    const uint64_t group = shape_.maxDispatchTokensPerRank * layout_.message.strideBytes;
    for (uint32_t peer = 0; peer < size; ++peer) {
      places[peer] = static_cast<int>(8 * peer);
      if (peer == rank) continue;
      uint64_t word = 0;
      std::memcpy(&word, outbox(peer) + layout_.signalOffset(half, rank), 8);
      mine[peer] = sent_[peer] = signalCount(word);
      bytes[peer] = static_cast<int>(mine[peer] * layout_.message.strideBytes);
      sentAt[peer] =
          static_cast<int>(outbox(peer) - outboxes_.data() + layout_.receiveOffset(half) + rank * group);
    }
    ranks_.alltoallv(mine.data(), eight, places, theirs.data(), eight, places);
    for (uint32_t peer = 0; peer < size; ++peer) {
      if (peer == rank) continue;
      got[peer] = static_cast<int>(theirs[peer] * layout_.message.strideBytes);
      gotAt[peer] = static_cast<int>(layout_.receiveOffset(half) + peer * group);
    }
    ranks_.alltoallv(outboxes_.data(), bytes, sentAt, inbox_.data(), got, gotAt);
    for (uint32_t peer = 0; peer < size; ++peer) {
      const uint64_t word = encodeSignal(epoch_, static_cast<uint32_t>(theirs[peer]));
      if (peer != rank) std::memcpy(inbox_.data() + layout_.signalOffset(half, peer), &word, 8);
    }
    packer_.dispatchReceive(result);
  }

  void combine(const uint16_t* y, const TokenBatch& batch, DispatchResult& result, uint16_t* out) {
    const uint32_t size = shape_.worldSize, columns = shape_.paddedHidden();
    const uint64_t half = static_cast<uint64_t>(shape_.maxReceivedTokens()) * columns;
    std::vector<int> bytes(size), at(size), got(size), gotAt(size);
    uint64_t row = 0, expected = 0;
    for (uint32_t peer = 0; peer < size; ++peer) {
      const auto count = static_cast<uint32_t>(result.messageCount[peer]);
      at[peer] = static_cast<int>(2 * row * columns), bytes[peer] = static_cast<int>(2 * count * columns);
      for (uint32_t copy = 0; copy < count; ++copy)
        reduce(y, result, peer, copy, rows_.data() + row++ * columns);
      const uint32_t back = peer == ranks_.rank() ? count : sent_[peer];
      gotAt[peer] = static_cast<int>(2 * expected * columns),
      got[peer] = static_cast<int>(2 * back * columns);
      expected += back;
    }
    ranks_.alltoallv(rows_.data(), bytes, at, rows_.data() + half, got, gotAt);
    std::vector<uint32_t> next(size);
    for (uint32_t token = 0; token < batch.numTokens; ++token) {
      const uint16_t* partials[kMaxTopk];
      uint32_t count = 0;
      for (uint32_t peer = 0; peer < size; ++peer) {
        const int32_t* ids = batch.topkIdx + static_cast<uint64_t>(token) * shape_.numTopk;
        const bool chosen = std::any_of(ids, ids + shape_.numTopk, [&](int32_t id) {
          return id >= 0 && shape_.rankOfExpert(static_cast<uint32_t>(id)) == peer;
        });
        if (chosen)
          partials[count++] =
              rows_.data() + half + gotAt[peer] / 2 + static_cast<uint64_t>(next[peer]++) * columns;
      }
      sumRows(out + static_cast<uint64_t>(token) * columns, partials, nullptr, count, columns);
    }
    packer_.discard(result);
  }

 private:
  std::byte* outbox(uint32_t peer) { return outboxes_.data() + peer * layout_.totalBytes; }
  PeerBases bases() {
    PeerBases peers{ranks_.rank(), {}};
    for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
      peers.base.push_back(peer == ranks_.rank() ? inbox_.data() : outbox(peer));
    }
    peers.outboxes = true;
    return peers;
  }
  void reduce(const uint16_t* y, const DispatchResult& result, uint32_t peer, uint32_t copy,
              uint16_t* out) const {
    const uint64_t message = static_cast<uint64_t>(peer) * shape_.maxDispatchTokensPerRank + copy;
    const uint16_t* rows[kMaxTopk];
    float weights[kMaxTopk];
    uint32_t count = 0;
    for (uint32_t k = 0; k < shape_.numTopk; ++k) {
      const int32_t row = result.messageRow[message * shape_.numTopk + k];
      if (row < 0) continue;
      rows[count] = y + static_cast<uint64_t>(row) * shape_.paddedHidden();
      weights[count++] = result.messageWeight[message * shape_.numTopk + k];
    }
    sumRows(out, rows, weights, count, shape_.paddedHidden());
  }

  const Shape shape_;
  const BufferLayout layout_;
  MpiRanks& ranks_;
  LazyMemory<std::byte> outboxes_;
  LazyMemory<std::byte> inbox_;
  LazyMemory<uint16_t> rows_;  // sent, then received
  HostExchange packer_;
  uint32_t epoch_ = 0;
  std::vector<uint32_t> sent_;  // messages to each rank
};

// MPI sends what it is given from wherever it lies.
Shape byMpi(Shape shape) {
  shape.zeroCopy = false;
  return shape;
}

struct Tokens {
  Tokens(const Shape& shape, uint32_t rank, uint32_t count)
      : x(static_cast<size_t>(shape.maxDispatchTokensPerRank) * shape.paddedHidden()), numTokens(count) {
    for (uint32_t token = 0; token < count; ++token) {
      const uint32_t base = tokenBase(1, 0, rank, token);
      for (uint32_t c = 0; c < shape.hidden; ++c) {
        x[static_cast<size_t>(token) * shape.paddedHidden() + c] =
            static_cast<uint16_t>(payloadPair(base, c));
      }
      for (uint32_t k = 0; k < shape.numTopk; ++k) {
        uint32_t expert = mix32(base + 77 * k) % shape.numExperts;
        const auto from = ids.end() - k;
        while (std::find(from, ids.end(), static_cast<int32_t>(expert)) != ids.end())
          expert = (expert + 1) % shape.numExperts;
        ids.push_back(static_cast<int32_t>(expert));
        weights.push_back(0.125F);
      }
    }
  }
  TokenBatch view() const { return {x.data(), ids.data(), weights.data(), numTokens}; }
  std::vector<uint16_t> x;
  std::vector<int32_t> ids;
  std::vector<float> weights;
  uint32_t numTokens;
};

void compare(MpiRanks& ranks, const Shape& shape, uint32_t numTokens, uint32_t iterations) {
  const uint32_t rank = ranks.rank();
  const Tokens tokens(shape, rank, numTokens);
  const auto device = openDevice(DeviceKind::kHost, 0);
  const std::vector<uint8_t> shares(shape.worldSize, 1);
  auto buffer = SymmetricBuffer::open(ranks, *device, bufferLayout(shape).totalBytes, shares, 0);
  HostExchange ours(shape, {rank, buffer->bases()}, ranks.control(), {});
  ByMpi theirs(byMpi(shape), ranks);
  HostResult result(shape);
  LazyMemory<uint16_t> y(shape.resultRows() * shape.paddedHidden(), "expert outputs");
  std::vector<uint16_t> out(tokens.x.size()), mpiOut(tokens.x.size());
  ExchangeTimes shared, mpi;
  const auto experts = [&](uint16_t* outputs) {
    for (uint32_t expert = 0; expert < shape.numLocalExperts(); ++expert) {
      const uint64_t first = static_cast<uint64_t>(expert) * shape.maxReceivedTokens() * shape.paddedHidden();
      const uint64_t bytes = static_cast<uint64_t>(result.view().count[expert]) * shape.bf16RowBytes();
      std::memcpy(outputs + first, reinterpret_cast<uint16_t*>(result.view().x) + first, bytes);
    }
  };
  // With zeroCopy the experts write where peers can read.
  const auto oursIn = [&] { return shape.zeroCopy ? ours.combineInput() : y.data(); };
  const auto once = [&](ExchangeTimes* timed, bool isOurs, auto&& dispatch, auto&& combine) {
    ranks.barrier();
    const double begin = nowUs();
    dispatch();
    const double dispatched = nowUs();
    uint16_t* outputs = isOurs ? oursIn() : y.data();
    experts(outputs);
    ranks.barrier();
    const double back = nowUs();
    combine(outputs);
    if (timed == nullptr) return;
    timed->combineUs.push_back(nowUs() - back);
    timed->dispatchUs.push_back(dispatched - begin);
  };
  for (uint32_t i = 0; i < iterations + 3; ++i) {
    once(
        i < 3 ? nullptr : &shared, true,
        [&] {
          ours.dispatchSend(tokens.view());
          ours.dispatchReceive(result.view());
        },
        [&](const uint16_t* outputs) {
          ours.combineSend(outputs, tokens.view(), result.view());
          ours.combineReceive(out.data());
        });
    once(
        i < 3 ? nullptr : &mpi, false, [&] { theirs.dispatch(tokens.view(), result.view()); },
        [&](const uint16_t* outputs) {
          theirs.combine(outputs, tokens.view(), result.view(), mpiOut.data());
        });
    if (std::memcmp(out.data(), mpiOut.data(), numTokens * shape.bf16RowBytes()) != 0) {
      throw Error(ErrorCode::kWrongData, "the two exchanges differ in iteration " + std::to_string(i));
    }
  }
  const std::vector<double> d = slowestOf(ranks, shared.dispatchUs), c = slowestOf(ranks, shared.combineUs);
  const std::vector<double> md = slowestOf(ranks, mpi.dispatchUs), mc = slowestOf(ranks, mpi.combineUs);
  std::vector<double> ratios;
  for (size_t i = 0; i < d.size(); ++i) ratios.push_back((md[i] + mc[i]) / (d[i] + c[i]));
  if (rank == 0) {
    std::printf("%u,%.1f,%.1f,%.1f,%.1f,%.2f\n", numTokens, medianOf(d), medianOf(c), medianOf(md),
                medianOf(mc), medianOf(ratios));
    std::fflush(stdout);
  }
  buffer->close(&ranks, 0);
}

}  // namespace
}  // namespace railrunner::moe::host

int main(int argc, char** argv) {
  using namespace railrunner::moe;
  using namespace railrunner::moe::host;
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: mpirun -n 4 moe_alltoallv_bench PLUGIN [--zero-copy] [iterations [tokens ...]]\n");
    return 2;
  }
  MpiRanks ranks(argv[1]);
  const bool zeroCopy = argc > 2 && std::strcmp(argv[2], "--zero-copy") == 0;
  if (zeroCopy) ++argv, --argc;
  const uint32_t iterations = argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 100;
  Shape shape;
  shape.worldSize = ranks.worldSize(), shape.numExperts = 256, shape.numTopk = 8, shape.hidden = 7168;
  shape.maxDispatchTokensPerRank = 128, shape.zeroCopy = zeroCopy;
  std::vector<uint32_t> tokens = {1, 8, 32, 128};
  if (argc > 3) tokens.clear();
  for (int i = 3; i < argc; ++i) {
    tokens.push_back(std::min(static_cast<uint32_t>(std::atoi(argv[i])), shape.maxDispatchTokensPerRank));
  }
  try {
    if (bufferLayout(byMpi(shape)).totalBytes * shape.worldSize > kMaxOutboxBytes) {
      throw railrunner::Error(railrunner::ErrorCode::kArgument,
                              "too many ranks for MPI's 32-bit displacements");
    }
    if (ranks.rank() == 0) {
      std::printf("tokens,dispatch us,combine us,MPI dispatch us,MPI combine us,ratio\n");
    }
    for (const uint32_t numTokens : tokens) compare(ranks, shape, numTokens, iterations);
    ranks.finalize();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %u: %s\n", ranks.rank(), error.what());
    return 1;
  }
  return 0;
}
