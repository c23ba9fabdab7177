#include "transfer/cuda/cuda_arrival_watch.h"

#include <algorithm>
#include <atomic>
#include <map>

#include "core/attempt.h"
#include "device/cuda/cuda_handles.h"
#include "peers/symmetric_buffer.h"
#include "transfer/cuda/watch_kernel.h"

namespace railrunner::cuda {

namespace {

constexpr uint64_t kWordBytes = 64;  // a line each

class CudaArrivalWatch final : public ArrivalWatch {
 public:
  CudaArrivalWatch(Exchange& exchange, Device& device, const std::vector<uint8_t>& sharesMemory,
                   int64_t deadlineNs)
      : rank_(exchange.rank()), ordinal_(device.ordinal()) {
    words_ =
        SymmetricBuffer::open(exchange, device, exchange.worldSize() * kWordBytes, sharesMemory, deadlineNs);
  }
  ~CudaArrivalWatch() override {
    stop();
    static_cast<void>(attempt([this] { close(nullptr, 0); }));
  }

  uint64_t* wordTo(uint32_t peer) const override { return wordAt(words_->bases()[peer], rank_); }
  uint64_t* wordFrom(uint32_t peer) const override { return wordAt(words_->local(), peer); }

  void look(const std::vector<WatchedArrival>& arrivals, uint64_t epoch, uint64_t poison) override {
    stop();
    if (arrivals.empty()) return;
    makeCurrent(ordinal_);
    prepare(arrivals);
    for (uint32_t i = 0; i < arrivals.size(); ++i)
      outcomes()[i] = {WatchOutcome::kWaits, WatchOutcome::kNoPlace};
    std::atomic_ref(*stop_.as<uint32_t>()).store(0);
    check(launchWatch({tasks_.as<WatchTask>(), places_.as<uint64_t>(), outcomes(), stop_.as<uint32_t>(),
                       epoch, poison},
                      static_cast<uint32_t>(arrivals.size()), *stream_),
          "launching the kernel that watches arrivals");
    isLooking_ = true;
  }
  bool hasSeen(uint32_t peer) const override {
    const uint32_t state =
        std::atomic_ref(outcomes()[taskOf_.at(peer)].state).load(std::memory_order_acquire);
    return state == WatchOutcome::kSeen;
  }
  std::optional<uint64_t> early(uint32_t peer) const override {
    const uint32_t task = taskOf_.at(peer);
    const uint32_t place = outcomes()[task].firstEarly;
    if (place == WatchOutcome::kNoPlace) return std::nullopt;
    return addresses_[firstPlaces_[task] + place];
  }
  void stop() noexcept override {
    if (!isLooking_) return;
    std::atomic_ref(*stop_.as<uint32_t>()).store(1);
    static_cast<void>(cudaStreamSynchronize(*stream_));
    isLooking_ = false;
  }
  void close(Exchange* exchange, int64_t deadlineNs) override {
    stop();
    if (words_) words_->close(exchange, deadlineNs);
    words_.reset();
  }

 private:
  static uint64_t* wordAt(std::byte* base, uint32_t source) {
    return base == nullptr ? nullptr : reinterpret_cast<uint64_t*>(base + source * kWordBytes);
  }
  WatchOutcome* outcomes() const { return outcomes_.as<WatchOutcome>(); }

  // Tables are made once: a session watches the same places each time.
  void prepare(const std::vector<WatchedArrival>& arrivals) {
    std::vector<WatchTask> tasks;
    std::vector<uint64_t> addresses;
    taskOf_.clear();
    firstPlaces_.clear();
    for (const WatchedArrival& arrival : arrivals) {
      taskOf_[arrival.peer] = static_cast<uint32_t>(tasks.size());
      firstPlaces_.push_back(addresses.size());
      tasks.push_back({wordFrom(arrival.peer), static_cast<uint32_t>(addresses.size()),
                       static_cast<uint32_t>(arrival.wordAddresses.size())});
      addresses.insert(addresses.end(), arrival.wordAddresses.begin(), arrival.wordAddresses.end());
    }
    if (!stream_) {
      check(preloadWatchKernel(), "loading the kernel that watches arrivals");
      stream_ = std::make_unique<Stream>();
      stop_ = Buffer(Buffer::Place::kPinned, sizeof(uint32_t));
    }
    addresses_ = std::move(addresses);
    tasks_ = Buffer(Buffer::Place::kDevice, tasks.size() * sizeof(WatchTask));
    outcomes_ = Buffer(Buffer::Place::kPinned, tasks.size() * sizeof(WatchOutcome));
    places_ = Buffer(Buffer::Place::kDevice, std::max<size_t>(1, addresses_.size()) * sizeof(uint64_t));
    check(cudaMemcpyAsync(tasks_.as(), tasks.data(), tasks.size() * sizeof(WatchTask), cudaMemcpyHostToDevice,
                          *stream_),
          "cudaMemcpyAsync of what is watched");
    check(cudaMemcpyAsync(places_.as(), addresses_.data(), addresses_.size() * sizeof(uint64_t),
                          cudaMemcpyHostToDevice, *stream_),
          "cudaMemcpyAsync of the places that are looked at");
  }

  const uint32_t rank_;
  const int ordinal_;
  std::unique_ptr<SymmetricBuffer> words_;
  std::unique_ptr<Stream> stream_;
  Buffer tasks_, places_, outcomes_, stop_;
  std::map<uint32_t, uint32_t> taskOf_;  // by peer
  std::vector<size_t> firstPlaces_;      // by task
  std::vector<uint64_t> addresses_;
  bool isLooking_ = false;
};

}  // namespace

std::unique_ptr<ArrivalWatch> openArrivalWatch(Exchange& exchange, Device& device,
                                               const std::vector<uint8_t>& sharesMemory, int64_t deadlineNs) {
  return std::make_unique<CudaArrivalWatch>(exchange, device, sharesMemory, deadlineNs);
}

}  // namespace railrunner::cuda
