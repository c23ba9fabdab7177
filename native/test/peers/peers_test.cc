#include <cstring>

#include "core/agreement.h"
#include "peers/symmetric_buffer.h"
#include "test/support/check.h"
#include "test/support/rank_processes.h"

// The symmetric buffer between processes: mapped both ways, zero at first, refused together, closed in order.
namespace railrunner::test {
namespace {

constexpr uint64_t kBytes = 1 << 20;

int exchangeWords(HubExchange& exchange) {
  const auto device = openDevice(DeviceKind::kHost, 0);
  // Rank 0 shares memory with 1 and not with 2.
  std::vector<uint8_t> shares(3, 0);
  if (exchange.rank() != 2) shares[0] = shares[1] = 1;
  const auto buffer = SymmetricBuffer::open(exchange, *device, kBytes, shares, 0);
  for (uint64_t i = 0; i < kBytes; ++i) CHECK(buffer->local()[i] == std::byte{0});
  exchange.barrier();  // a peer that writes before this rank has looked would be taken for dirt
  CHECK(buffer->bases()[exchange.rank()] == buffer->local());
  CHECK_EQUAL(buffer->bases()[2] == nullptr, exchange.rank() != 2);
  if (exchange.rank() == 0) std::memcpy(buffer->bases()[1] + 64, "from 0", 7);
  exchange.barrier();
  if (exchange.rank() == 1) CHECK(std::memcmp(buffer->local() + 64, "from 0", 7) == 0);
  buffer->close(&exchange, 0);
  buffer->close(&exchange, 0);  // idempotent: no second collective call
  return failures == 0 ? 0 : 1;
}

// One rank asks for another size: nobody gets a buffer, and everybody is told who was wrong.
int differentSizes(HubExchange& exchange) {
  const auto device = openDevice(DeviceKind::kHost, 0);
  try {
    SymmetricBuffer::open(exchange, *device, exchange.rank() == 1 ? 2 * kBytes : kBytes, {1, 1, 1}, 0);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("expected 1048576") != std::string::npos ||
          std::string(error.what()).find("expected 2097152") != std::string::npos);
    return failures == 0 ? 0 : 1;
  }
  return 2;
}

int oneCannot(HubExchange& exchange) {
  try {
    Agreement(exchange, "trying", 0).run([&] {
      if (exchange.rank() == 2) throw Error(ErrorCode::kAllocation, "no memory left");
    });
  } catch (const AgreedError& error) {
    CHECK_EQUAL(std::string(error.what()), std::string("trying failed on rank 2: no memory left"));
    CHECK(error.code() == ErrorCode::kAllocation);
    return failures == 0 ? 0 : 1;
  }
  return 2;
}

// What is too long to be told is a failure of who has to tell it, not a record that is not valid.
int oneTellsTooMuch(HubExchange& exchange) {
  try {
    Agreement(exchange, "telling", 0).run([&] {
      return std::vector<uint8_t>((16ULL << 20) + (exchange.rank() == 1 ? 1 : 0));
    });
  } catch (const AgreedError& error) {
    const std::string text = error.what();
    CHECK(text.find("telling failed on rank 1: ") == 0 &&
          text.find("takes 16777217 bytes") != std::string::npos);
    CHECK(error.code() == ErrorCode::kArgument);
    return failures == 0 ? 0 : 1;
  }
  return 2;
}

void checkHostileHandles() {
  ShareHandle good;
  good.magic = ShareHandle::kMagic;
  good.bytes = 4096, good.offset = 1024, good.rangeBytes = 3072;
  CHECK_EQUAL(faultOf(good, DeviceKind::kHost, 3072), std::string());
  ShareHandle bad = good;
  bad.magic = 1;
  CHECK_EQUAL(faultOf(bad, DeviceKind::kHost, 3072), std::string("its magic is wrong"));
  CHECK_EQUAL(faultOf(good, DeviceKind::kCuda, 3072), std::string("it is of another kind of device"));
  CHECK(faultOf(good, DeviceKind::kHost, 4096).find("expected 4096") != std::string::npos);
  bad = good, bad.offset = 1025;
  CHECK(faultOf(bad, DeviceKind::kHost, 3072).find("behind its allocation") != std::string::npos);
  bad = good, bad.offset = UINT64_MAX - 100;
  CHECK(faultOf(bad, DeviceKind::kHost, 3072).find("behind its allocation") != std::string::npos);
}

void checkRanks(const char* name, int (*body)(HubExchange&)) {
  for (const RankOutcome& outcome : runRanks(3, body)) CHECK_EQUAL(outcome.exitStatus, 0);
  std::printf("%s: done\n", name);
}

}  // namespace
}  // namespace railrunner::test

int main() {
  using namespace railrunner::test;
  checkHostileHandles();
  checkRanks("words cross", exchangeWords);
  checkRanks("different sizes", differentSizes);
  checkRanks("one rank cannot", oneCannot);
  checkRanks("one rank tells too much", oneTellsTooMuch);
  std::printf("failures: %d\n", failures.load());
  return failures == 0 ? 0 : 1;
}
