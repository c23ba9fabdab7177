#pragma once

#include "test/moe/moe_high_check.h"

// High throughput with ranks as threads.
namespace railrunner::moe::test {

class HighRanks {
 public:
  HighRanks(const Shape& shape, const ht::Options& options, const std::vector<ht::Capacity>& capacities,
            const std::vector<TestSeam>& seams = {})
      : shape_(shape), options_(options), capacities_(capacities) {
    const ht::NetworkRelation near(shape.worldSize, std::vector<uint8_t>(shape.worldSize));
    uint64_t tokens = 1;
    for (const ht::Capacity& capacity : capacities) tokens = std::max(tokens, capacity.tokens);
    std::vector<std::byte*> bases;
    for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
      buffers_.push_back(std::make_unique<Memory>(ht::BufferLayout(shape, tokens, 0).totalBytes));
      bases.push_back(buffers_.back()->data);
    }
    for (uint32_t rank = 0; rank < shape.worldSize; ++rank) {
      controls_.push_back(std::make_unique<RunControl>());
      const ht::Places places({rank, bases, {}}, near);
      exchanges_.push_back(std::make_unique<ht::HostExchange>(
          ht::ExchangeSetup{shape, options, places, capacities, {}, seams.empty() ? TestSeam{} : seams[rank]},
          *controls_.back()));
    }
  }

  const Shape& shape() const { return shape_; }
  const ht::Options& options() const { return options_; }
  const ht::Capacity& capacity(uint32_t rank) const { return capacities_[rank]; }
  ht::HostExchange& exchange(uint32_t rank) { return *exchanges_[rank]; }
  RunControl& control(uint32_t rank) { return *controls_[rank]; }
  std::byte* buffer(uint32_t rank) { return buffers_[rank]->data; }

  // As Ranks::run, but a rank that failed leaves the others to find out for themselves.
  std::vector<std::string> run(const std::function<void(uint32_t)>& body) {
    std::vector<std::string> faults(shape_.worldSize);
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < shape_.worldSize; ++rank) {
      threads.emplace_back([&, rank] {
        try {
          body(rank);
        } catch (const std::exception& error) {
          faults[rank] = error.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return faults;
  }

 private:
  const Shape shape_;
  const ht::Options options_;
  const std::vector<ht::Capacity> capacities_;
  std::vector<std::unique_ptr<Memory>> buffers_;
  std::vector<std::unique_ptr<RunControl>> controls_;
  std::vector<std::unique_ptr<ht::HostExchange>> exchanges_;
};

}  // namespace railrunner::moe::test
