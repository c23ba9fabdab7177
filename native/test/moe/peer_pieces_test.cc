// links: core/error.cc moe/shape.cc
// What the probe of dispatch and combine on GPUs stores where, carried out by memcpy: no GPU is needed.
#include <cstring>
#include <set>

#include "moe/cuda/probe_pieces.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::moe::cuda;
using namespace railrunner::test;

namespace {

constexpr uint32_t kSalt = 9;
constexpr uint32_t kRank = 2;
constexpr uint8_t kUntouched = 0x7f;

struct Order {
  uint64_t sourceBytes;
  uint64_t shareBytes;
  uint32_t wantedPieceBytes;
  std::vector<uint64_t> bytes;  // by target
};

std::string named(const Order& o) {
  std::string text = "source " + std::to_string(o.sourceBytes) + " share " + std::to_string(o.shareBytes) +
                     " pieces of " + std::to_string(o.wantedPieceBytes) + " to";
  for (const uint64_t bytes : o.bytes) text += " " + std::to_string(bytes);
  return text;
}

std::vector<uint32_t> filledSource(uint64_t bytes) {
  std::vector<uint32_t> words(pieceSourceBytes(bytes) / sizeof(uint32_t));
  for (size_t i = 0; i < words.size(); ++i) words[i] = pieceWord(kSalt, kRank, i);
  return words;
}

std::vector<ShareBytes> targetsOf(std::vector<std::vector<std::byte>>& shares, const Order& o) {
  std::vector<ShareBytes> targets;
  for (const uint64_t bytes : o.bytes) {
    shares.emplace_back(o.shareBytes, std::byte{kUntouched});
    targets.push_back({shares.back().data(), bytes});
  }
  return targets;
}

// Every unit once: the bytes are those asked for, up to a multiple of 16, a share holds what its receiver
// expects, and nothing behind it is touched. The sanitizers see what leaves source or share.
void carryOut(const Order& o) {
  const std::vector<uint32_t> source = filledSource(o.sourceBytes);
  std::vector<std::vector<std::byte>> shares;
  shares.reserve(o.bytes.size());
  const std::vector<ShareBytes> targets = targetsOf(shares, o);
  const PeerPieces p =
      peerPieces(reinterpret_cast<const std::byte*>(source.data()), source.size() * sizeof(uint32_t),
                 o.shareBytes, o.wantedPieceBytes, targets);
  uint64_t moved = 0;
  for (uint32_t unit = 0; unit < p.numUnits; ++unit) {
    const Piece piece = pieceOf(p, unit);
    if (piece.bytes == 0) continue;
    if (piece.bytes % kPieceAlignment != 0) throw Failure(named(o) + ": a piece that no bulk copy can move");
    std::memcpy(piece.to, piece.from, piece.bytes);
    moved += piece.bytes;
  }
  uint64_t asked = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    asked += alignPiece(o.bytes[i]);
    const uint64_t arrived = arrivedBytes(o.bytes[i], o.shareBytes, p.pieceBytes);
    for (uint64_t at = 0; at < o.shareBytes; at += sizeof(uint32_t)) {
      uint32_t word = 0;
      std::memcpy(&word, shares[i].data() + at, sizeof(word));
      const uint32_t expected =
          at < arrived ? pieceWord(kSalt, kRank, at / sizeof(uint32_t)) : 0x01010101U * kUntouched;
      if (word == expected) continue;
      throw Failure(named(o) + ", target " + std::to_string(i) + ": wrong word at " + std::to_string(at));
    }
  }
  expectEqual(moved, asked, named(o) + ": bytes moved");
}

}  // namespace

TEST("pieces carry every byte, and nothing else") {
  for (const uint32_t pieceBytes : {1024U, 4096U, kMostPieceBytes}) {
    carryOut({1'835'008, 1'900'544, pieceBytes, {1'654'000, 1'640'016, 1'670'001}});
    carryOut({14'336, 1'900'544, pieceBytes, {14'344, 14'344, 14'344}});
    carryOut({64, 65'536, pieceBytes, {1, 15, 16, 17, 60'000, 0, 4096}});
    carryOut({100'000, 256, pieceBytes, {256, 128, 24}});
    carryOut({40'000, 20'096, pieceBytes, {90'000}});  // a share is gone round, and so is the source
    carryOut({40'000, 20'096, pieceBytes, {0, 0}});
    carryOut({40'000, 20'096, pieceBytes, {}});
  }
}

TEST("every block serves every target, also where one gets more") {
  for (const uint32_t numTargets : {1U, 2U, 3U, 7U, 12U}) {
    for (const uint32_t processors : {66U, 132U, 144U}) {
      std::vector<std::byte> share(1 << 20);
      std::vector<ShareBytes> targets(numTargets, {share.data(), 1 << 20});
      targets[0].bytes = 3 << 20;
      const PeerPieces p = peerPieces(share.data(), 1 << 20, 1 << 20, 1024, targets);
      const uint32_t blocks = pieceBlocks(p, processors);
      ok(blocks + 2 >= processors && blocks <= processors, "blocks: " + std::to_string(blocks));
      for (uint32_t block = 0; block < blocks; ++block) {
        std::set<uint32_t> served;
        for (uint32_t unit = block; unit < p.numUnits; unit += blocks) served.insert(unit % numTargets);
        expectEqual(served.size(), size_t{numTargets}, "targets of block " + std::to_string(block));
      }
    }
  }
}

TEST("a source tells its rank and its probe") {
  std::set<uint32_t> words;
  for (const uint32_t salt : {1U, 2U}) {
    for (const uint32_t rank : {0U, 1U, 2U}) {
      for (uint32_t i = 0; i < kPieceGrain / 4; ++i) words.insert(pieceWord(salt, rank, i));
    }
  }
  expectEqual(words.size(), size_t{2 * 3 * kPieceGrain / 4}, "different words");
  expectEqual(pieceWord(1, 0, 5), pieceWord(1, 0, 5 + 7 * kPieceGrain / 4), "one period later");
}

int main() { return runAll(); }
