#include "moe/cuda/high_throughput/staged_peers.h"

#include <atomic>
#include <cstring>
#include <string>

#include "moe/signal_word.h"

namespace railrunner::moe::cuda::high_throughput {

using railrunner::cuda::Buffer;
using railrunner::cuda::check;

namespace {

// Copied out at once: small enough that the network begins early, large enough for a copy engine.
constexpr uint64_t kPieceBytes = 2ULL << 20;

Buffer zeroedPinned(uint64_t bytes) {
  Buffer buffer(Buffer::Place::kPinned, bytes);
  std::memset(buffer.as(), 0, bytes);
  return buffer;
}

// Asynchronous, between pinned and device memory.
void copy(void* to, const void* from, uint64_t bytes, cudaStream_t stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync");
}

uint64_t rowsOfPiece(uint64_t rowBytes) { return std::max<uint64_t>(1, kPieceBytes / rowBytes); }

}  // namespace

StagedPeers::StagedPeers(const Shape& shape, const SymmetricMap& map, NetworkRelation relation, uint32_t rank,
                         uint32_t numSlots)
    : shape_(shape),
      map_(map),
      relation_(std::move(relation)),
      rank_(rank),
      numSlots_(numSlots),
      mirrors_(zeroedPinned(mostNetworkPeers(relation_) * map.totalBytes)),
      outgoing_(zeroedPinned(map.totalBytes)),
      words_(zeroedPinned(kMostBlocks * sizeof(uint64_t))),
      runs_(shape.worldSize) {
  for (uint32_t step = 1; step < shape.worldSize; ++step) {
    const uint32_t peer = (rank + step) % shape.worldSize;
    if (reaches(peer)) peers_.push_back(peer);
  }
}

void StagedPeers::connect(Network& network, uint32_t region, RunControl& control, const Routing& routing,
                          CallArguments& arguments) {
  network_ = &network;
  region_ = region;
  control_ = &control;
  for (const uint32_t peer : peers_) {
    arguments.base[peer] = pinnedOnDevice(mirror(peer));
    arguments.staged |= 1U << peer;
    runs_[peer] = runsFor(peer, routing, arguments.gathered != 0);
  }
}

// Neighbouring tokens go together.
std::vector<StagedPeers::Rows> StagedPeers::runsFor(uint32_t peer, const Routing& routing, bool all) const {
  std::vector<Rows> runs;
  for (uint32_t token = 0; token < routing.numTokens; ++token) {
    const int32_t* ids = routing.topkIdx.data() + static_cast<size_t>(token) * shape_.numTopk;
    const bool goes = all || std::any_of(ids, ids + shape_.numTopk, [&](int32_t id) {
                        return id >= 0 && shape_.rankOfExpert(static_cast<uint32_t>(id)) == peer;
                      });
    if (!goes) continue;
    if (!runs.empty() && runs.back().first + runs.back().count == token) {
      ++runs.back().count;
    } else {
      runs.push_back({token, 1});
    }
  }
  return runs;
}

void StagedPeers::copyOut(const CallArguments& arguments, uint64_t from, uint64_t to, uint64_t bytes,
                          cudaStream_t stream) const {
  copy(outgoingAt(to), arguments.base[rank_] + from, bytes, stream);
}

void StagedPeers::recordPiece(uint32_t piece, cudaStream_t stream) {
  if (piece >= pieces_.size()) pieces_.emplace_back();
  pieces_[piece].record(stream);
}

// From the places of this rank's buffer to the same places of its mirror at the peer.
void StagedPeers::put(uint32_t peer, uint32_t slot, uint32_t epoch, uint64_t offset, uint64_t bytes) {
  if (bytes == 0) return;
  network_->put({peer, slot, epoch, region_, incoming(peer) + offset, outgoingAt(offset), bytes, true});
  issued_ += bytes;
}

// Tokens and scales of a piece, for each peer those that go there.
void StagedPeers::putTokens(const CallArguments& arguments, uint32_t epoch, const Rows& piece,
                            uint32_t slot) {
  const uint32_t from = arguments.gathered != 0 ? rank_ : 0;
  const uint64_t rowBytes = shape_.payloadRowBytes();
  for (const uint32_t peer : peers_) {
    for (const Rows& run : runs_[peer]) {
      const uint32_t first = std::max(run.first, piece.first);
      const uint32_t end = std::min(run.first + run.count, piece.first + piece.count);
      if (first >= end) continue;
      put(peer, slot, epoch, map_.xOffset(shape_, from) + first * rowBytes, (end - first) * rowBytes);
      put(peer, slot, epoch, map_.scalesOffset(shape_, from) + static_cast<uint64_t>(first) * map_.scaleBytes,
          static_cast<uint64_t>(end - first) * map_.scaleBytes);
    }
    network_->push(peer);
  }
}

void StagedPeers::exchangeTokens(const CallArguments& a, const Dispatch& call, cudaStream_t stream) {
  issued_ = 0;
  if (!call.isSilent) {
    const uint32_t from = a.gathered != 0 ? rank_ : 0;
    const uint64_t x = map_.xOffset(shape_, from);
    const uint64_t choiceBytes = call.withChoices ? 4ULL * a.numTokens * shape_.numTopk : 0;
    copyOut(a, map_.ids, map_.ids, choiceBytes, stream);
    copyOut(a, map_.weights, map_.weights, choiceBytes, stream);
    const uint64_t scales = map_.scalesOffset(shape_, from);
    copyOut(a, scales, scales, static_cast<uint64_t>(a.numTokens) * map_.scaleBytes, stream);
    const auto most = static_cast<uint32_t>(rowsOfPiece(shape_.payloadRowBytes()));
    std::vector<Rows> pieces;
    for (uint32_t first = 0; first < a.numTokens || pieces.empty(); first += most) {
      pieces.push_back({first, std::min(most, a.numTokens - first)});
      const uint64_t at = x + first * shape_.payloadRowBytes();
      copyOut(a, at, at, pieces.back().count * shape_.payloadRowBytes(), stream);
      recordPiece(static_cast<uint32_t>(pieces.size() - 1), stream);
    }
    for (uint32_t i = 0; i < pieces.size(); ++i) {
      pieces_[i].wait(*control_);
      for (const uint32_t peer : peers_) {
        if (i != 0) break;
        put(peer, 0, call.epoch, map_.ids, choiceBytes);
        put(peer, 0, call.epoch, map_.weights, choiceBytes);
      }
      putTokens(a, call.epoch, pieces[i], i % numSlots_);
    }
    signalAll(call, a.numTokens);
  }
  dispatchBytes_ = issued_;
  if (call.withChoices && !call.countsChoices && !call.isSilent) {
    dispatchBytes_ -= peers_.size() * 8ULL * a.numTokens * shape_.numTopk;
  }
  awaitAll(call, "dispatch", "its tokens");
  tellKernels(a, stream);
  if (a.gathered == 0) return;
  auto* words = words_.as<uint64_t>();
  const uint32_t numWords = std::max(1U, a.gatherPieces);
  for (uint32_t piece = 0; piece < numWords; ++piece) words[piece] = encodeSignal(call.epoch, 0);
  std::byte* own = a.base[rank_];
  for (const uint32_t peer : peers_) {
    const uint64_t x = map_.xOffset(shape_, peer);
    const uint64_t scales = map_.scalesOffset(shape_, peer);
    const uint64_t word = *reinterpret_cast<const uint64_t*>(mirror(peer) + signalOffset(peer, 0));
    // One that is none is refused by the kernels.
    const uint64_t rows = std::min(signalCount(word), shape_.maxDispatchTokensPerRank);
    copy(own + x, mirror(peer) + x, rows * shape_.payloadRowBytes(), stream);
    copy(own + scales, mirror(peer) + scales, rows * map_.scaleBytes, stream);
    const uint64_t pushed = map_.pushed + 8ULL * peer * kMostBlocks;
    copy(own + (a.gatherPieces != 0 ? pushed : map_.gathered + 8ULL * peer), words, 8ULL * numWords, stream);
  }
}

// Sums for one owner lie together. Pieces of all owners are copied out first, then put as they come.
void StagedPeers::putSums(const std::vector<int32_t>& begin, uint32_t epoch, uint64_t most,
                          cudaStream_t stream, const CallArguments& a) {
  struct Piece {
    uint32_t owner;
    uint64_t at;
    uint64_t bytes;
  };
  std::vector<Piece> pieces;
  for (const uint32_t owner : peers_) {
    const auto end = static_cast<uint64_t>(begin[owner + 1]);
    for (auto row = static_cast<uint64_t>(begin[owner]); row < end; row += most) {
      const uint64_t bytes = std::min(most, end - row) * shape_.bf16RowBytes();
      pieces.push_back({owner, map_.y + row * shape_.bf16RowBytes(), bytes});
      copyOut(a, pieces.back().at, pieces.back().at, bytes, stream);
      recordPiece(static_cast<uint32_t>(pieces.size() - 1), stream);
    }
  }
  for (uint32_t i = 0; i < pieces.size(); ++i) {
    pieces_[i].wait(*control_);
    put(pieces[i].owner, i % numSlots_, epoch, pieces[i].at, pieces[i].bytes);
    network_->push(pieces[i].owner);
  }
}

void StagedPeers::exchangeSums(const CallArguments& a, const Dispatch& call, uint32_t numBlocks,
                               cudaStream_t stream) {
  issued_ = 0;
  if (!call.isSilent) {
    // Pinned, next to the words of the kernels, which are not on their way now.
    auto* begin = words_.as<int32_t>();
    copy(begin, a.result.sourceBegin, (shape_.worldSize + 1) * sizeof(int32_t), stream);
    recordPiece(0, stream);
    pieces_[0].wait(*control_);
    putSums({begin, begin + shape_.worldSize + 1}, call.epoch, rowsOfPiece(shape_.bf16RowBytes()), stream, a);
    signalAll(call, a.numTokens);
  }
  combineBytes_ = issued_;
  awaitAll(call, "combine", "its sums");
  auto* words = words_.as<uint64_t>();
  for (uint32_t block = 0; block < numBlocks; ++block) words[block] = encodeSignal(call.epoch, 0);
  for (const uint32_t host : peers_) {
    copy(a.base[rank_] + map_.partials + 8ULL * host * kMostBlocks, words, 8ULL * numBlocks, stream);
  }
  tellKernels(a, stream);
}

// With the layout that this rank uses; a slot's signal comes when all of the slot has come.
void StagedPeers::signalAll(const Dispatch& call, uint32_t numTokens) {
  const uint64_t layout = map_.layouts + 8ULL * rank_;
  const uint64_t word = call.layoutEpoch;
  std::memcpy(outgoingAt(layout), &word, sizeof(word));
  for (const uint32_t peer : peers_) {
    put(peer, 0, call.epoch, layout, sizeof(word));
    for (uint32_t slot = 0; slot < numSlots_; ++slot) {
      network_->signal({peer, slot, call.epoch, region_, incoming(peer) + signalOffset(rank_, slot),
                        encodeSignal(call.epoch, numTokens)},
                       false);
      issued_ += 8;
    }
    network_->push(peer);
  }
}

void StagedPeers::awaitAll(const Dispatch& call, const char* name, const char* missing) {
  for (const uint32_t peer : peers_) {
    const auto hasCome = [&] {
      for (uint32_t slot = 0; slot < numSlots_; ++slot) {
        auto* word = reinterpret_cast<uint64_t*>(mirror(peer) + signalOffset(peer, slot));
        if (signalEpoch(std::atomic_ref<uint64_t>(*word).load(std::memory_order_acquire)) != call.epoch) {
          return false;
        }
      }
      return true;
    };
    try {
      network_->await(hasCome, peer, 0, "the network");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kAborted) throw;
      throw Error(ErrorCode::kAborted, std::string(name) + " (epoch " + std::to_string(call.epoch) +
                                           "): rank " + std::to_string(rank_) + " stopped waiting for rank " +
                                           std::to_string(peer) + ": " + missing +
                                           " did not arrive over the network");
    }
  }
}

// Words that peers which share memory store themselves.
void StagedPeers::tellKernels(const CallArguments& a, cudaStream_t stream) const {
  for (const uint32_t peer : peers_) {
    std::byte* own = a.base[rank_];
    copy(own + map_.layouts + 8ULL * peer, mirror(peer) + map_.layouts + 8ULL * peer, 8, stream);
    copy(own + map_.ready + 8ULL * peer, mirror(peer) + signalOffset(peer, 0), 8, stream);
  }
}

}  // namespace railrunner::moe::cuda::high_throughput
