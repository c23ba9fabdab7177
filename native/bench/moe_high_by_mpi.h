#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "moe/high_throughput/layout.h"
#include "moe/high_throughput/received_rows.h"
#include "moe/host/lazy_memory.h"
#include "moe/host/rows.h"
#include "mpi_ranks.h"

// The rival of moe_high_alltoallv_bench: bf16, expert-major, one row for each token and destination rank.
namespace railrunner::moe::host::high_throughput {

using bench::MpiRanks;
using namespace railrunner::moe::high_throughput;

class ByMpi {
 public:
  ByMpi(const Shape& shape, MpiRanks& ranks, const Capacity& capacity, uint32_t numTokens)
      : shape_(shape),
        ranks_(ranks),
        outRows_(static_cast<uint64_t>(numTokens) * std::min(shape.worldSize, shape.numTopk) *
                     shape.paddedHidden(),
                 "packed rows"),
        inRows_(capacity.tokens * shape.paddedHidden(), "arrived rows"),
        sentTo_(shape.worldSize),
        tokensOf_(shape.worldSize) {}

  void dispatch(const TokenRows& tokens, ReceivedRows& rows) {
    pack(tokens);
    const uint32_t size = shape_.worldSize;
    std::vector<uint32_t> sent(size), got(size);
    for (uint32_t peer = 0; peer < size; ++peer) sent[peer] = static_cast<uint32_t>(tokensOf_[peer].size());
    exchange(sent.data(), std::vector<uint32_t>(size, 1), got.data(), std::vector<uint32_t>(size, 1), 4);
    std::vector<uint32_t> outMeta;
    for (uint32_t peer = 0; peer < size; ++peer) {
      for (const uint32_t token : tokensOf_[peer]) appendMeta(outMeta, tokens, token);
    }
    rows.sourceBegin[0] = 0;
    for (uint32_t peer = 0; peer < size; ++peer) {
      rows.sourceBegin[peer + 1] = rows.sourceBegin[peer] + static_cast<int32_t>(got[peer]);
    }
    inMeta_.resize(static_cast<size_t>(rows.sourceBegin[size]) * metaWords());
    exchange(outMeta.data(), sent, inMeta_.data(), got, 4 * metaWords());
    exchange(outRows_.data(), sent, inRows_.data(), got, shape_.bf16RowBytes());
    sentTo_ = sent;
    place(rows);
  }

  void combine(const TokenRows& tokens, const uint16_t* y, const ReceivedRows& rows, uint16_t* out) {
    const uint64_t columns = shape_.paddedHidden();
    const auto received = static_cast<uint64_t>(rows.sourceBegin[shape_.worldSize]);
    std::vector<uint32_t> back(shape_.worldSize);
    for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
      back[peer] = static_cast<uint32_t>(rows.sourceBegin[peer + 1] - rows.sourceBegin[peer]);
    }
    for (uint64_t token = 0; token < received; ++token) {
      const uint16_t* terms[kMaxTopk];
      float weights[kMaxTopk];
      uint32_t count = 0;
      for (uint64_t choice = token * shape_.numTopk; choice < (token + 1) * shape_.numTopk; ++choice) {
        if (rows.tokenRow[choice] < 0) continue;
        terms[count] = y + static_cast<uint64_t>(rows.tokenRow[choice]) * columns;
        weights[count++] = rows.tokenWeight[choice];
      }
      sumRows(inRows_.data() + token * columns, terms, weights, count, shape_.paddedHidden());
    }
    exchange(inRows_.data(), back, outRows_.data(), sentTo_, shape_.bf16RowBytes());
    std::vector<uint64_t> next(shape_.worldSize);
    for (uint32_t peer = 1; peer < shape_.worldSize; ++peer) next[peer] = next[peer - 1] + sentTo_[peer - 1];
    std::vector<size_t> taken(shape_.worldSize);
    for (uint32_t token = 0; token < tokens.numTokens; ++token) {
      const uint16_t* terms[kMaxTopk];
      uint32_t count = 0;
      for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
        if (taken[peer] == tokensOf_[peer].size() || tokensOf_[peer][taken[peer]] != token) continue;
        ++taken[peer];
        terms[count++] = outRows_.data() + next[peer]++ * columns;
      }
      sumRows(out + static_cast<uint64_t>(token) * columns, terms, nullptr, count, shape_.paddedHidden());
    }
  }

 private:
  uint64_t metaWords() const { return 1 + 2ULL * shape_.numTopk; }

  void appendMeta(std::vector<uint32_t>& meta, const TokenRows& tokens, uint32_t token) const {
    const uint64_t choice = static_cast<uint64_t>(token) * shape_.numTopk;
    const size_t at = meta.size();
    meta.resize(at + metaWords());
    meta[at] = token;
    std::memcpy(meta.data() + at + 1, tokens.topkIdx + choice, 4ULL * shape_.numTopk);
    std::memcpy(meta.data() + at + 1 + shape_.numTopk, tokens.topkWeights + choice, 4ULL * shape_.numTopk);
  }

  void pack(const TokenRows& tokens) {
    for (auto& list : tokensOf_) list.clear();
    for (uint32_t token = 0; token < tokens.numTokens; ++token) {
      for (uint32_t k = 0; k < shape_.numTopk; ++k) {
        const int32_t id = tokens.topkIdx[static_cast<uint64_t>(token) * shape_.numTopk + k];
        if (id < 0) continue;
        auto& list = tokensOf_[shape_.rankOfExpert(static_cast<uint32_t>(id))];
        if (list.empty() || list.back() != token) list.push_back(token);
      }
    }
    uint16_t* target = outRows_.data();
    for (const auto& list : tokensOf_) {
      for (const uint32_t token : list) {
        std::memcpy(target, tokens.x + token * shape_.bf16RowBytes(), shape_.bf16RowBytes());
        target += shape_.paddedHidden();
      }
    }
  }

  // Units of `unitBytes`, packed by rank.
  void exchange(const void* from, const std::vector<uint32_t>& sent, void* to,
                const std::vector<uint32_t>& got, uint64_t unitBytes) {
    std::vector<int> sentBytes, sentAt, gotBytes, gotAt;
    uint64_t out = 0, in = 0;
    for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
      sentAt.push_back(static_cast<int>(out)), gotAt.push_back(static_cast<int>(in));
      sentBytes.push_back(static_cast<int>(sent[peer] * unitBytes));
      gotBytes.push_back(static_cast<int>(got[peer] * unitBytes));
      out += sent[peer] * unitBytes, in += got[peer] * unitBytes;
    }
    if (out > INT32_MAX || in > INT32_MAX) {
      throw Error(ErrorCode::kArgument, "too many tokens for MPI's 32-bit displacements");
    }
    ranks_.alltoallv(from, sentBytes, sentAt, to, gotBytes, gotAt);
  }

  void place(ReceivedRows& rows) {
    const uint32_t local = shape_.numLocalExperts(), first = ranks_.rank() * local;
    const auto received = static_cast<uint32_t>(rows.sourceBegin[shape_.worldSize]);
    std::fill_n(rows.count, local, 0);
    const auto expertOf = [&](uint32_t token, uint32_t k) {
      return inMeta_[token * metaWords() + 1 + k] - first;  // -1 and others wrap to large
    };
    for (uint32_t token = 0; token < received; ++token) {
      for (uint32_t k = 0; k < shape_.numTopk; ++k) {
        if (expertOf(token, k) < local) ++rows.count[expertOf(token, k)];
      }
    }
    rows.expertBegin[0] = 0;
    for (uint32_t e = 0; e < local; ++e) rows.expertBegin[e + 1] = rows.expertBegin[e] + rows.count[e];
    std::vector<int32_t> next(rows.expertBegin, rows.expertBegin + local);
    for (uint32_t token = 0; token < received; ++token) {
      rows.sourceToken[token] = static_cast<int32_t>(inMeta_[token * metaWords()]);
      std::memcpy(rows.tokenWeight + static_cast<uint64_t>(token) * shape_.numTopk,
                  inMeta_.data() + token * metaWords() + 1 + shape_.numTopk, 4ULL * shape_.numTopk);
      const uint16_t* row = inRows_.data() + static_cast<uint64_t>(token) * shape_.paddedHidden();
      for (uint32_t k = 0; k < shape_.numTopk; ++k) {
        int32_t& target = rows.tokenRow[static_cast<uint64_t>(token) * shape_.numTopk + k];
        target = expertOf(token, k) < local ? next[expertOf(token, k)]++ : -1;
        if (target < 0) continue;
        rows.rowToken[target] = static_cast<int32_t>(token);
        copyStreaming(rows.x + static_cast<uint64_t>(target) * shape_.bf16RowBytes(), row,
                      shape_.bf16RowBytes());
      }
    }
    finishStreaming();
  }

  const Shape shape_;
  MpiRanks& ranks_;
  LazyMemory<uint16_t> outRows_;
  LazyMemory<uint16_t> inRows_;
  std::vector<uint32_t> sentTo_;
  std::vector<std::vector<uint32_t>> tokensOf_;  // that go to each rank
  std::vector<uint32_t> inMeta_;
};

}  // namespace railrunner::moe::host::high_throughput
