#include "moe/host/high_throughput/exchange.h"

#include "moe/signal_word.h"

namespace railrunner::moe::host::high_throughput {

namespace {

uint64_t mostTokens(const std::vector<Capacity>& capacities) {
  uint64_t most = 1;
  for (const Capacity& capacity : capacities) most = std::max(most, capacity.tokens);
  return most;
}

}  // namespace

HostExchange::HostExchange(const ExchangeSetup& setup, RunControl& control)
    : shape_(setup.shape),
      options_(setup.options),
      places_(setup.places),
      capacities_(setup.capacities),
      link_(setup.link),
      seam_(setup.seam),
      layout_(setup.shape, mostTokens(setup.capacities), setup.places.numInboxes()),
      firstExpert_(setup.places.rank() * setup.shape.numLocalExperts()),
      control_(control),
      nextRow_(setup.shape.numLocalExperts()),
      rowLimit_(setup.shape.numLocalExperts()),
      ordinal_(setup.shape.worldSize),
      partial_(setup.shape.worldSize),
      sum_(setup.shape.paddedHidden()) {
  requireLegal(shape_, options_);
  if (places_.worldSize() != shape_.worldSize || capacities_.size() != shape_.worldSize) {
    throw Error(ErrorCode::kArgument,
                "MoE exchange: expected one buffer base and one capacity for each rank");
  }
  if (!places_.partners().empty() && link_.network == nullptr) {
    throw Error(ErrorCode::kArgument, "MoE exchange: rank " + std::to_string(places_.partners().front()) +
                                          " shares no memory and there is no network to reach it");
  }
  for (uint32_t step = 1; step < shape_.worldSize; ++step) {
    everyone_.push_back((places_.rank() + step) % shape_.worldSize);
  }
  pending_.reserve(shape_.worldSize);
  tokensOf_.resize(shape_.worldSize);
  if (options_.strategy == Strategy::kAllGather) {
    const uint64_t rowBytes = std::max(shape_.payloadRowBytes(), shape_.bf16RowBytes());
    gathered_ = std::make_unique<LazyMemory<std::byte>>(
        static_cast<uint64_t>(shape_.worldSize) * shape_.maxDispatchTokensPerRank * rowBytes,
        "gathered rows");
  }
}

void HostExchange::begin(Call call) {
  if (call_ == call) {
    throw Error(ErrorCode::kState, call == Call::kDispatch
                                       ? "cannot dispatch again: combine what was dispatched first"
                                       : "cannot combine again: dispatch first");
  }
  if (epoch_ == UINT32_MAX) {
    throw Error(ErrorCode::kState, "the epochs of this exchange are used up. Close it and open another.");
  }
  call_ = call;
  ++epoch_;
  bytes_ = {};
}

const std::byte* HostExchange::block(uint32_t source) const {
  const Places::Home home = places_.homeOf(source);
  return home.base + (home.inbox < 0 ? 0 : layout_.inbox(static_cast<uint32_t>(home.inbox)));
}

bool HostExchange::hasCome(const std::byte* word, uint32_t peer, uint32_t handleEpoch) const {
  std::atomic_ref<uint64_t> signal(*reinterpret_cast<uint64_t*>(const_cast<std::byte*>(word)));
  const uint64_t value = signal.load(std::memory_order_acquire);
  if (signalEpoch(value) < epoch_) return false;
  if (signalEpoch(value) > epoch_) {
    throw Error(ErrorCode::kState, "MoE exchange: rank " + std::to_string(peer) + " is at epoch " +
                                       std::to_string(signalEpoch(value)) + " while rank " +
                                       std::to_string(places_.rank()) + " is at epoch " +
                                       std::to_string(epoch_) +
                                       ". All ranks must make the same calls in the same order.");
  }
  if (signalCount(value) != handleEpoch) {
    throw Error(ErrorCode::kArgument,
                "MoE exchange: rank " + std::to_string(peer) + " uses the layout of dispatch " +
                    std::to_string(signalCount(value)) + ", rank " + std::to_string(places_.rank()) +
                    " that of dispatch " + std::to_string(handleEpoch) +
                    ". All ranks must pass the handle of the same dispatch.");
  }
  return true;
}

void HostExchange::throwAborted(uint32_t peer, const char* missing) const {
  throw Error(ErrorCode::kAborted, std::string(call_ == Call::kDispatch ? "dispatch" : "combine") +
                                       " (epoch " + std::to_string(epoch_) + "): rank " +
                                       std::to_string(places_.rank()) + " stopped waiting for rank " +
                                       std::to_string(peer) + ": " + missing + " did not arrive");
}

}  // namespace railrunner::moe::host::high_throughput
