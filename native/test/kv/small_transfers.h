#pragma once

#include "kv/transfer.h"

// Options by which a test's few blocks still make several batches, requests and hops.
namespace railrunner::test {

inline TransferOptions smallTransfers(Strategy strategy, uint32_t threads = 1) {
  TransferOptions options;
  options.strategy = strategy;
  options.threads = threads;
  options.maxTransferBatchSize = 3;
  options.maxConcurrentTransfers = 2;
  options.requestBytes = 8192;
  options.queueDepth = 4;
  return options;
}

}  // namespace railrunner::test
