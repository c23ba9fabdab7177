#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "transfer/rank_transfer.h"
#include "transfer/task_threads.h"
#include "transfer/transfer_part.h"

namespace railrunner {

// A transfer of one rank, open. The measured loop is in rank_session_run.cc.
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
  void requireStrategy(const TransferPart& part);
  void makeTasks();
  std::unique_ptr<CopyTask> makeTask(TransferPart& part, PartPlan which);
  std::unique_ptr<CopyTask> copyTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                     PartPlan which);
  std::unique_ptr<CopyTask> sendTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                     PartPlan which);
  CopyPlan probePlan(const TransferPart& part) const;
  void countFacts();
  void afterCopy(const TransferPart& part);

  void begin(PartPlan plan);
  void start(TransferPart& part);
  void holdBack(TransferPart& part);
  bool isFaulty(const TransferPart& part) const {
    return plan_ == PartPlan::kFaulty && part.tasks[1] != nullptr;
  }
  bool advance(TransferPart& part);
  void noteArrival(TransferPart& part);
  std::string earlyPlace(const TransferPart& part) const;
  double iterate(PartPlan plan);
  void run(double startUs);
  void drain() noexcept;
  std::vector<uint32_t> arrivalBlocks() const;

  RunControl& control_;
  Device& device_;
  const uint32_t rank_;
  RankTransferOptions options_;
  RankTransferFacts facts_;
  TransferDirectory directory_;
  std::unique_ptr<NoticeBoard> board_;
  uint32_t targetRegion_ = 0;
  std::vector<uint64_t> dummyTarget_;  // what network peers may write into where this rank has no target
  std::map<LayoutHandle, std::unique_ptr<BlockPool>> mapped_;
  std::unique_ptr<TaskThreads> threads_;
  std::vector<TransferPart> parts_;  // behind what their tasks use
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
