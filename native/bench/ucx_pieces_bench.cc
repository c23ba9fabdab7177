// How scattered pieces are best sent over UCX, with nothing of railrunner around: `ucx_pieces_bench [ROUNDS] [PIECE_BYTES...]` (3; 4096,
// 16384 and 65536). Two processes of one host over tcp/lo, new ones for each variant, which has settings of UCX of its own.
// Prints CSV, a line per round, size and variant; of a busy machine, the columns of CPU time mean something all the same.
//   contiguous        256 KiB after 256 KiB as they lie, by UCX's own choice (a rendezvous): ucx_perftest, of much memory
//   contiguous-eager  the same by messages that the receiver copies into place
//   gather            the sender copies pieces into a message, which UCX copies into its own buffer
//   pack, -stream     UCX copies the pieces into its buffer, by its generic datatype; the receiver copies past its caches
//   iov               the kernel takes them out of the memory, by UCX's datatype of several buffers: up to 14 of a message
//   rendezvous        a message per piece, which UCX receives where it belongs
#include <cstdio>
#include <cstdlib>

#include "bench/ucx_pieces.h"

#ifdef RAILRUNNER_HAVE_UCX

namespace railrunner::bench {
namespace {

constexpr unsigned kLimitSeconds = 120;

std::vector<PieceVariant> variants() {
  auto iov = eagerSettings();
  iov.back() = {"ZCOPY_THRESH", "0"};
  iov.emplace_back("TCP_MAX_IOV", "20");  // 6; UCX takes 16 at most
  return {{"contiguous", PieceSend::kContiguous, PieceReceive::kPost, 1, {}},
          {"contiguous-eager", PieceSend::kContiguous, PieceReceive::kCopy, 1, eagerSettings()},
          {"gather", PieceSend::kGather, PieceReceive::kCopy, 64, eagerSettings()},
          {"pack", PieceSend::kPack, PieceReceive::kCopy, 64, eagerSettings()},
          {"pack-stream", PieceSend::kPack, PieceReceive::kStream, 64, eagerSettings()},
          {"iov", PieceSend::kIov, PieceReceive::kCopy, 14, std::move(iov)},
          {"rendezvous", PieceSend::kIov, PieceReceive::kPost, 1, {{"RNDV_THRESH", "0"}}}};
}

int measure(int round, uint64_t pieceBytes, const PieceVariant& variant) {
  const auto body = [&](test::HubExchange& exchange) {
    const PieceResult result = PieceStream(exchange, variant, pieceBytes).run();
    if (exchange.rank() == 0) {
      std::printf("%d,%llu,%s,%.3f,%.3f,%.3f\n", round, static_cast<unsigned long long>(pieceBytes),
                  variant.name, result.GBps, result.senderGBps, result.receiverGBps);
    }
    return 0;
  };
  for (const test::RankOutcome& outcome : test::runRanks(2, body, kLimitSeconds)) {
    if (outcome.exitStatus != 0) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace railrunner::bench

int main(int argc, char** argv) {
  using namespace railrunner::bench;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
  std::vector<uint64_t> sizes;
  for (int i = 2; i < argc; ++i) sizes.push_back(std::strtoull(argv[i], nullptr, 10));
  if (sizes.empty()) sizes = {4096, 16384, 65536};
  std::printf("round,piece_bytes,variant,GBps,sender_cpu_GBps,receiver_cpu_GBps\n");
  for (int round = 0; round < rounds; ++round) {
    for (const uint64_t size : sizes) {
      for (const PieceVariant& variant : variants()) {
        if (measure(round, size, variant) != 0) return 1;
      }
    }
  }
  return 0;
}

#else
int main() { return 0; }
#endif
