#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/clock.h"
#include "replicated/block_agreement.h"
#include "replicated/phase_clock.h"
#include "replicated/transfer.h"

namespace railrunner {

// A replicated transfer by one of several compiled paths over a board that they share. A Path offers
//   void execute(int64_t iteration, RunControl&, PhaseTimes&)   nothing is in flight when it returns or
//   throws ReplicatedFacts facts() const
// and its Path::Board
//   static constexpr DeviceKind kKind
//   const ReplicatedRequest& request()
//   void takeBlocks(sourceIds, targetIds)
//   void useGate(GateRef)           told before samples are taken
//   bool usesGateInside()           true: paths pass it too
//   void poisonTargets(const RunControl&)
//   ProbeResult probe(GateRef, RunControl&)
//   void close(Exchange*, int64_t deadlineNs)
template <class Path>
class PathTransfer : public ReplicatedTransfer {
 public:
  using Board = typename Path::Board;
  using Paths = std::vector<std::unique_ptr<Path>>;
  // Over the blocks that the board's request names now: the paths of a strategy, or all that `auto` tries.
  using Compile = std::function<Paths(Board&, ReplicatedStrategy)>;

  // Several paths: `auto`, which takes the quickest.
  PathTransfer(Exchange& exchange, std::unique_ptr<Board> board, Compile compile, Paths paths)
      : exchange_(exchange),
        board_(std::move(board)),
        compile_(std::move(compile)),
        paths_(std::move(paths)) {}

  void takeBlocks(std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds,
                  int64_t deadlineNs) override {
    if (!board_ || !board_->request().changesBlocks)
      throw Error(ErrorCode::kState,
                  "the replicated transfer is closed, or for the blocks of its request alone");
    paths_.clear();
    board_->takeBlocks(std::move(sourceIds), std::move(targetIds));
    const ReplicatedRequest& request = board_->request();
    agreeOnBlocks(exchange_, request, Board::kKind, deadlineNs, [&] {
      if (request.overwrites(static_cast<int>(exchange_.rank())))
        request.target->markUnknown(request.targetIds);
      const auto kept = quickest_.find(magnitude());
      paths_ = compile_(*board_, kept == quickest_.end() ? request.strategy : kept->second.strategy);
      isChosen_ = kept != quickest_.end();
      chosen_ = 0;
      while (isChosen_ && chosen_ + 1 < paths_.size() && !(choiceOf(*paths_[chosen_]) == kept->second))
        ++chosen_;
    });
  }

  MeasuredPhases measure(GateRef gate, const SampleProtocol& protocol, RunControl& control) override {
    requireOpen();
    board_->useGate(gate);
    if (paths_.size() > 1 && !isChosen_ && !choose(gate, control)) {
      ReplicatedSamples nothing;
      nothing.total.stopped = true;
      return std::move(nothing).phases(facts());
    }
    Operation operation(*this, *paths_[chosen_], control);
    operation.clock.reserve(static_cast<size_t>(protocol.warmup) + protocol.iterations);
    SampleSet total = sample(operation, gate, protocol, control);
    // The gate was passed inside samples too: what it says of the last one is not the entry.
    if (board_->usesGateInside()) total.entrySkewUs.clear();
    ReplicatedSamples samples = operation.clock.samplesOf(std::move(total));
    overlapPct_ = samples.overlapPct;
    return std::move(samples).phases(facts());
  }

  ProbeResult probe(GateRef gate, RunControl& control) override {
    requireOpen();
    return board_->probe(gate, control);
  }

  ReplicatedFacts facts() const override {
    ReplicatedFacts facts = paths_[chosen_]->facts();
    facts.overlapPct = overlapPct_;
    return facts;
  }

  void close(Exchange* exchange, int64_t deadlineNs) override {
    if (board_) board_->close(exchange, deadlineNs);
    board_.reset();
  }

 private:
  // The first calls of a path set up what later ones reuse; the shortest of few samples favours paths that
  // vary much.
  static constexpr SampleProtocol kTrial{2, 7, false};

  struct Operation {
    Operation(PathTransfer& owner, Path& measured, RunControl& runControl)
        : transfer(owner), path(measured), control(runControl) {}
    void beforeSample(uint32_t index, bool isLast) {
      iteration = index;
      if (isLast) transfer.board_->poisonTargets(control);
    }
    double run() {
      PhaseTimes times;
      const double startUs = nowUs();
      path.execute(iteration, control, times);
      times.total = nowUs() - startUs;
      clock.add(times);
      return times.total;
    }
    PathTransfer& transfer;
    Path& path;
    RunControl& control;
    PhaseClock clock;
    int64_t iteration = 0;
  };

  // A strategy may have several paths.
  struct Choice {
    ReplicatedStrategy strategy;
    std::string handedOnBy;
    bool operator==(const Choice&) const = default;
  };
  static Choice choiceOf(const Path& path) {
    const ReplicatedFacts facts = path.facts();
    return {facts.strategyUsed, facts.handedOnBy};
  }
  // Payloads of one are alike enough for one strategy: from a power of 4 to the next.
  uint32_t magnitude() const {
    return static_cast<uint32_t>(std::bit_width(payloadBytesOf(board_->request()))) / 2;
  }

  void requireOpen() const {
    if (!board_ || paths_.empty()) throw Error(ErrorCode::kState, "the replicated transfer is closed");
  }

  // Every rank finds the same path: by the slowest rank's median of its trials. False when told to stop.
  bool choose(GateRef gate, RunControl& control) {
    std::vector<double> medians;
    for (auto& path : paths_) {
      Operation trial(*this, *path, control);
      SampleSet set = sample(trial, gate, kTrial, control);
      if (set.stopped || set.timesUs.empty()) return false;
      const auto middle = set.timesUs.begin() + static_cast<std::ptrdiff_t>(set.timesUs.size() / 2);
      std::nth_element(set.timesUs.begin(), middle, set.timesUs.end());
      medians.push_back(*middle);
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(medians.data());
    const auto all = exchange_.allgather({bytes, medians.size() * sizeof(double)}, 0);
    for (const auto& theirs : all) {
      std::vector<double> times(medians.size());
      if (theirs.size() != times.size() * sizeof(double)) {
        throw Error(ErrorCode::kState, "choosing a strategy: another rank tried a different number of them");
      }
      std::memcpy(times.data(), theirs.data(), theirs.size());
      for (size_t i = 0; i < times.size(); ++i) medians[i] = std::max(medians[i], times[i]);
    }
    const auto best = std::min_element(medians.begin(), medians.end());
    chosen_ = static_cast<size_t>(best - medians.begin());
    quickest_.insert_or_assign(magnitude(), choiceOf(*paths_[chosen_]));
    // A further measure() of the same blocks continues with it. On cuda each call chooses again.
    if constexpr (Board::kKind == DeviceKind::kHost) isChosen_ = true;
    return true;
  }

  Exchange& exchange_;
  std::unique_ptr<Board> board_;
  Compile compile_;
  Paths paths_;
  size_t chosen_ = 0;
  bool isChosen_ = false;                // by an earlier trial
  std::map<uint32_t, Choice> quickest_;  // by magnitude
  double overlapPct_ = -1;
};

// Compiles the paths over a board, on all ranks or on none: where a rank cannot, the board is closed on each.
template <class Path>
std::unique_ptr<ReplicatedTransfer> openPaths(Exchange& exchange, std::unique_ptr<typename Path::Board> board,
                                              typename PathTransfer<Path>::Compile compile,
                                              int64_t deadlineNs) {
  typename PathTransfer<Path>::Paths paths;
  try {
    Agreement(exchange, "compiling the replicated transfer", deadlineNs).run([&] {
      paths = compile(*board, board->request().strategy);
    });
  } catch (const AgreedError&) {
    static_cast<void>(attempt([&] { board->close(&exchange, deadlineNs); }));
    throw;
  } catch (...) {
    static_cast<void>(attempt([&] { board->close(nullptr, 0); }));
    throw;
  }
  return std::make_unique<PathTransfer<Path>>(exchange, std::move(board), std::move(compile),
                                              std::move(paths));
}

}  // namespace railrunner
