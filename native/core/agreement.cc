#include "core/agreement.h"

#include <new>

#include "core/byte_record.h"

namespace railrunner {

namespace {

constexpr uint64_t kMaxTextBytes = 4096;
constexpr uint64_t kMaxPayloadBytes = 16 << 20;
constexpr uint64_t kHighestCode = static_cast<uint64_t>(ErrorCode::kNcclMissing);

}  // namespace

void Agreement::requireTellable(const Bytes& payload) {
  if (payload.size() <= kMaxPayloadBytes) return;
  throw Error(ErrorCode::kArgument, "what it has to tell the others takes " + std::to_string(payload.size()) +
                                        " bytes, expected at most " + std::to_string(kMaxPayloadBytes) +
                                        ". Use fewer blocks or pages per point");
}

std::vector<Agreement::Bytes> Agreement::fail(const std::exception_ptr& failure) {
  Failure own{true, ErrorCode::kState, "unknown failure"};
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    own.code = error.code();
    own.reason = error.what();
  } catch (const std::bad_alloc&) {
    own.code = ErrorCode::kAllocation;
    own.reason = "out of memory";
  } catch (const std::exception& error) {
    own.reason = error.what();
  } catch (...) {
  }
  try {
    return exchange(own, {});
  } catch (const AgreedError&) {
    throw;
  } catch (const Error&) {
    // The others could not be told; why this rank failed matters more than that.
    std::rethrow_exception(failure);
  }
}

std::vector<Agreement::Bytes> Agreement::exchange(const Failure& own, const Bytes& payload) {
  ByteWriter writer;
  writer.number(own.happened ? 0 : 1);
  writer.number(static_cast<uint64_t>(own.code));
  writer.text(own.reason.substr(0, kMaxTextBytes));
  writer.bytes(payload);
  return read(exchange_.allgather(writer.data(), deadlineNs_));
}

std::vector<Agreement::Bytes> Agreement::read(const std::vector<Bytes>& all) const {
  if (all.size() != exchange_.worldSize()) {
    throw Error(ErrorCode::kWrongData, std::string(step_) + ": " + std::to_string(all.size()) +
                                           " records came, expected one from each of " +
                                           std::to_string(exchange_.worldSize()) + " ranks");
  }
  std::vector<Bytes> payloads;
  std::string failures;
  ErrorCode firstCode = ErrorCode::kState;
  for (uint32_t rank = 0; rank < all.size(); ++rank) {
    ByteReader reader(all[rank], rank);
    const bool rankOk = reader.number() == 1;
    const uint64_t rankCode = reader.number();
    const std::string rankReason = reader.text(kMaxTextBytes);
    payloads.push_back(reader.bytes(kMaxPayloadBytes));
    reader.end();
    if (rankOk) continue;
    if (rankCode > kHighestCode) throw reader.fault("error code " + std::to_string(rankCode));
    if (failures.empty()) firstCode = static_cast<ErrorCode>(rankCode);
    failures += (failures.empty() ? "rank " : "; rank ") + std::to_string(rank) + ": " + rankReason;
  }
  if (!failures.empty()) throw AgreedError(firstCode, std::string(step_) + " failed on " + failures);
  return payloads;
}

}  // namespace railrunner
