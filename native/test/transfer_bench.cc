#include "test/transfer_scene.h"

// Writes and reads between two processes on the host device, by size of the pieces, against one contiguous copy of the
// same bytes between the same pools in the same run. Arguments: iterations, megabytes per pool.
using namespace railrunner;
using namespace railrunner::test;

int main(int argc, char** argv) {
  const auto iterations = static_cast<uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10);
  const uint64_t poolBytes = (argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 128) << 20;
  for (const bool network : {false, true}) {
    for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
      for (const uint64_t headBytes : {32U, 128U, 512U}) {
        Scene scene{.op = op, .network = network, .numLayers = 16, .pageTokens = 16, .headBytes = headBytes};
        scene.iterations = iterations;
        const uint64_t regionBytes = headBytes * scene.pageTokens * kHeads;
        scene.numPages = static_cast<uint32_t>(poolBytes / (regionBytes * scene.numLayers * 2));
        std::printf("%s %s, regions of %llu bytes\n", network ? "network" : "mapped",
                    op == TransferOp::kWrite ? "write" : "read",
                    static_cast<unsigned long long>(regionBytes));
        std::fflush(stdout);
        if (allEnded(runRanks(2, [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); })) !=
            0)
          return 1;
      }
    }
  }
  return 0;
}
