#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "transfer/arrival_watch.h"
#include "transfer/rank_transfer.h"
#include "transfer/task_threads.h"
#include "transfer/transfer_part.h"

namespace railrunner {

// What a thread copies before it looks for the next piece, and between two looks at the abort word.
inline constexpr uint64_t kSpanBytes = 1U << 20;

// A transfer of one rank, open. Its copies are made in rank_session_tasks.cc, the measured loop is in rank_session_run.cc.
class RankSession final : public RankTransfer {
 public:
  RankSession(Exchange& exchange, RunControl& control, Device& device, RankTransferOptions options,
              int64_t deadlineNs);
  ~RankSession() override;

  const RankTransferFacts& facts() const override { return facts_; }
  RankTransferSamples measure(GateRef gate, const SampleProtocol& protocol) override;
  ProbeResult probe(GateRef gate) override;
  void close(Exchange* exchange, int64_t deadlineNs) override;

 private:
  class Iteration;
  class Samples;

  // Own memory, or a peer's pool, which is mapped once.
  std::byte* memoryOf(const PhysicalLayout& layout);

  void connect(Exchange& exchange, int64_t deadlineNs);
  void addPart(const PlannedMove& move);
  PartRole roleOf(const PlannedMove& move) const;
  bool needsBounce(const PhysicalLayout& layout) const;
  void noteStrategy(TransferPart& part);
  void registerTarget(Exchange& exchange, int64_t deadlineNs);
  void shareLandings(Exchange& exchange, int64_t deadlineNs);
  void requireTransport() const;
  void countFacts();

  // rank_session_tasks.cc
  void makeTasks();
  void makeThreads();
  void makeDrains(TransferPart& part, uint64_t landingOffset);
  void plantEarly(TransferPart& part);
  BouncePlan bounceOf(const CopyPlan& plan) const;
  std::shared_ptr<const CopyPlan> planOf(const TransferPart& part, PartPlan which) const;
  std::unique_ptr<CopyTask> makeTask(TransferPart& part, PartPlan which);
  std::unique_ptr<CopyTask> copyTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                     PartPlan which);
  std::unique_ptr<CopyTask> sendTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                     PartPlan which);
  std::unique_ptr<CopyTask> tellTask(uint64_t* word);
  std::unique_ptr<Bounce> makeBounce(BouncePlan plan, std::vector<std::vector<CopySpan>> chunks,
                                     const std::byte* source, std::byte* target, uint64_t* arrivalWord);
  CopyPlan probePlan(const TransferPart& part) const;
  uint64_t* arrivalWordOf(const TransferPart& part) const;
  void afterCopy(const TransferPart& part);

  void begin(PartPlan plan);
  void start(TransferPart& part);
  void holdBack(TransferPart& part);
  void tellDevice(TransferPart& part);
  void awaitDevice(const TransferPart& part);
  bool isWatched(const TransferPart& part) const {
    return watch_ && part.arrivesHere && (part.lands || !board_->isOverNetwork(part.peer));
  }
  bool isFaulty(const TransferPart& part) const {
    return plan_ == PartPlan::kFaulty && part.tasks[1] != nullptr;
  }
  bool plantsEarly() const {
    return fault_ == FaultKind::kEarlyNotification || fault_ == FaultKind::kEarlyDeviceNotification;
  }
  bool advance(TransferPart& part);
  void beginDrain(TransferPart& part);
  bool advanceDrain(TransferPart& part);
  void sayDeviceHasSeen(TransferPart& part);
  void noteArrival(TransferPart& part, bool byDevice);
  void watchArrivals();
  void poisonBounceBuffers();
  std::vector<uint64_t> lookedAt(const TransferPart& part, size_t places) const;
  std::string earlyPlace(const TransferPart& part) const;
  double iterate(PartPlan plan);
  void run(double startUs);
  void drain() noexcept;
  std::vector<uint32_t> arrivalBlocks() const;

  RunControl& control_;
  Device& device_;
  const uint32_t rank_;
  RankTransferOptions options_;
  const std::optional<FaultKind> fault_;
  RankTransferFacts facts_;
  TransferDirectory directory_;
  std::unique_ptr<NoticeBoard> board_;
  uint32_t targetRegion_ = 0;
  std::vector<uint64_t> dummyTarget_;  // what network peers may write into where this rank has no target
  // Bounce buffers of what arrives here, one behind the other; and, by rank, where this rank's part lands at the target's.
  std::unique_ptr<RegisteredStorage> landing_;
  std::map<uint32_t, uint64_t> landingAt_;
  std::vector<std::unique_ptr<RegisteredStorage>> fillBuffers_;  // of what leaves, by part
  std::map<LayoutHandle, std::unique_ptr<BlockPool>> mapped_;
  std::unique_ptr<ArrivalWatch> watch_;  // null on the host device
  std::unique_ptr<TaskThreads> threads_;
  std::shared_ptr<SendTurns> turns_;
  std::unique_ptr<TaskThreads>
      bounceThreads_;                   // host device: copies of bounce buffers, which wait for nobody
  std::shared_ptr<StartGroup> starts_;  // of copies in memory that this rank reaches; null on the host device
  std::vector<TransferPart> parts_;     // behind what their tasks use
  bool isOpen_ = true;
  bool isProbed_ = false;

  uint64_t epoch_ = 0;
  PartPlan plan_ = PartPlan::kMove;
  bool looksForEarly_ = false;
  std::string early_;
  // Of the iteration that ran last; negative where this rank has no such phase.
  double postUs_ = -1, wireUs_ = -1, visibleUs_ = -1;
};

}  // namespace railrunner
