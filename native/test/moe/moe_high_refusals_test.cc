// usage: moe_high_refusals_test
//
// What every rank of two nodes refuses, over the network and in shared memory: rows without room, a layout of another
// routing or of another dispatch, and counts or ids of a rank that are out of range.
#include "moe/signal_word.h"
#include "test/moe/moe_high_nodes.h"

namespace railrunner::moe::test {
namespace {

constexpr uint32_t kLiar = 3;

// Every rank has some, and other ones in each call.
std::vector<Tokens> tokensOf(const NodesPoint& point, uint32_t number) {
  for (uint32_t call = 0;; ++call) {
    std::vector<Tokens> all = point.tokensOf(call);
    const bool some =
        std::all_of(all.begin(), all.end(), [](const Tokens& own) { return own.numTokens > 0; });
    if (some && number-- == 0) return all;
  }
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void runCase(const char* name, const NodesPoint& point,
             const std::function<void(NodeRank&, std::byte* own)>& body) {
  const uint32_t failed = numFailedOf(point, [&](NodeRank& rank, const SharedMemory& shared) {
    const AbortWatch watch(shared, rank.control());
    const std::string said = NodeRank::refusalOf([&] { body(rank, shared.buffer(rank.rank())); });
    CHECK(said.empty(), "%s: rank %u: %s", name, rank.rank(), said.c_str());
    if (!said.empty()) shared.failed->store(1);  // else each says for itself what it refused
    rank.hub().barrier();
    shared.failed->store(1);  // after a refusal nobody ends in order
  });
  std::printf("%s, %s: %u of %u ranks failed\n", name, point.forward ? "forwarded" : "to each rank", failed,
              kRanks);
  failures += static_cast<int>(failed);
}

void refuseRoom(NodesPoint point) {
  point.options.receive = ht::Receive::kFixed;
  point.options.fixedRows = 3;
  point.capacities[3].rows = 3;
  runCase("room", point, [&](NodeRank& rank, std::byte*) {
    const std::string said = NodeRank::refusalOf([&] { rank.dispatch(tokensOf(point, 0)); });
    CHECK(says(said, "rank 3 would receive") && says(said, "at most 3 rows") &&
              says(said, "nothing was written"),
          "rank %u said: %s", rank.rank(), said.c_str());
    CHECK(!rank.hasWritten(), "rank %u wrote", rank.rank());
  });
}

void refuseHandles(const NodesPoint& point) {
  runCase("handles", point, [&](NodeRank& rank, std::byte*) {
    const auto all = tokensOf(point, 0);
    rank.dispatch(all);
    rank.combine(all);
    const ht::Handle old = rank.mine().handle;
    const std::string other = NodeRank::refusalOf([&] { rank.dispatchAgain(tokensOf(point, 1), old); });
    CHECK(says(other, "for another routing") && says(other, "nothing was sent"), "rank %u said: %s",
          rank.rank(), other.c_str());
    // So calls go on as if it had not been asked for.
    rank.dispatch(all);
    rank.combine(all);
    const ht::Handle latest = rank.mine().handle;
    const std::string said =
        NodeRank::refusalOf([&] { rank.dispatchAgain(all, rank.rank() == kLiar ? old : latest); });
    const bool isNamed = rank.rank() == kLiar || says(said, "rank 3 uses the layout of dispatch 1");
    CHECK(says(said, "uses the layout of dispatch") && isNamed, "rank %u said: %s", rank.rank(),
          said.c_str());
  });
}

// What a broken rank would put into its block.
struct Lie {
  const char* name;
  uint32_t numTokens;
  uint32_t tokensTo;      // each rank
  uint32_t rowsOfExpert;  // each rank's first
  int32_t id;
  const char* said;
  bool beforeRows;  // refused by the counts: nothing of any rank is placed
};

const Lie kLies[] = {
    {"too many tokens", 13, 1, 1, 0, "announced 13 tokens, expected at most 12", true},
    {"too many rows", 1, 1, 0x7fffffffU, 0, "more tokens for a rank or an expert", true},
    {"ids beyond the experts", 1, 1, 1, 99, "ids name", false},
};

// The block of one token in its own memory, which its node reads, and in the inboxes of the other node.
void lie(const NodesPoint& point, NodeRank& rank, std::byte* own, const Lie& lie) {
  const ht::BufferLayout layout = point.layout();
  const ht::BlockLayout& block = layout.block;
  auto* header = reinterpret_cast<uint32_t*>(own + block.header);
  *header++ = lie.numTokens;
  for (uint32_t peer = 0; peer < kRanks; ++peer) *header++ = lie.tokensTo;
  for (uint32_t expert = 0; expert < point.shape.numExperts; ++expert) {
    *header++ = expert % point.shape.numLocalExperts() == 0 ? lie.rowsOfExpert : 0;
  }
  const std::vector<int32_t> ids(point.shape.numTopk, lie.id);
  std::memcpy(own + block.ids, ids.data(), 4 * ids.size());
  const uint64_t word = encodeSignal(1, 1);
  for (const uint64_t offset : {block.counted, block.ready}) {
    std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(own + offset)).store(word);
  }
  for (const uint32_t partner : rank.places().partners()) {
    const uint64_t inbox = layout.inbox(rank.places().inboxOf(partner, rank.rank()));
    const auto put = [&](uint32_t slot, uint64_t offset, uint64_t bytes) {
      rank.network().put({partner, slot, 1, rank.region(), inbox + offset, own + offset, bytes});
    };
    put(0, block.header, ht::BlockLayout::headerBytes(point.shape));
    put(0, block.ids, 4 * ids.size());
    put(0, block.weights, 4 * ids.size());
    rank.network().signal({partner, 0, 1, rank.region(), inbox + block.counted, word});
    put(1, block.rows, point.shape.payloadRowBytes());
    rank.network().signal({partner, 1, 1, rank.region(), inbox + block.ready, word});
  }
}

void refuseLies(const NodesPoint& point) {
  for (const Lie& told : kLies) {
    runCase(told.name, point, [&](NodeRank& rank, std::byte* own) {
      if (rank.rank() == kLiar) return lie(point, rank, own, told);
      const std::string said = NodeRank::refusalOf([&] { rank.dispatch(tokensOf(point, 0)); });
      CHECK(says(said, "rank 3") && says(said, told.said), "%s: rank %u said: %s", told.name, rank.rank(),
            said.c_str());
      CHECK(!told.beforeRows || !rank.hasWritten(), "%s: rank %u wrote", told.name, rank.rank());
    });
  }
}

}  // namespace
}  // namespace railrunner::moe::test

int main() {
  using namespace railrunner::moe::test;
  for (const bool forward : {true, false}) {
    NodesPoint point;
    point.forward = forward;
    refuseRoom(point);
    refuseHandles(point);
    refuseLies(point);
  }
  return failures == 0 ? 0 : 1;
}
