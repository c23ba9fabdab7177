#include "network/setup_record.h"

#include "core/pattern.h"

namespace railrunner {

namespace {

constexpr uint64_t kMaxTextBytes = 4096;
constexpr uint64_t kMaxPayloadBytes = 16 << 20;
constexpr uint64_t kHighestCode = static_cast<uint64_t>(ErrorCode::kNcclMissing);

}  // namespace

uint64_t digestOf(std::span<const uint8_t> data, uint64_t salt) {
  uint64_t digest = mix64(salt + data.size());
  for (const uint8_t byte : data) digest = mix64(digest ^ byte);
  return digest;
}

std::vector<std::vector<uint8_t>> Agreement::exchange(bool ok, ErrorCode code, const std::string& reason,
                                                      const std::vector<uint8_t>& payload) {
  ByteWriter writer;
  writer.number(ok ? 1 : 0);
  writer.number(static_cast<uint64_t>(code));
  writer.text(reason.substr(0, kMaxTextBytes));
  writer.bytes(payload);
  const std::vector<std::vector<uint8_t>> all = exchange_.allgather(writer.data(), deadlineNs_);
  if (all.size() != exchange_.worldSize()) {
    throw Error(ErrorCode::kNetwork, "network: " + std::to_string(all.size()) +
                                         " set-up records came, expected one of " +
                                         std::to_string(exchange_.worldSize()) + " ranks");
  }
  std::vector<std::vector<uint8_t>> payloads;
  std::string failures;
  ErrorCode firstCode = ErrorCode::kNetwork;
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
    failures += (failures.empty() ? "" : "; ") + ("rank " + std::to_string(rank) + ": " + rankReason);
  }
  if (!failures.empty()) throw Error(firstCode, std::string(step_) + " failed on " + failures);
  return payloads;
}

}  // namespace railrunner
