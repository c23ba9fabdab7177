// links: transfer/metadata.cc kv/block_layout.cc kv/page_runs.cc core/error.cc
#include <cstring>
#include <random>

#include "core/clock.h"
#include "test/support/named_cases.h"
#include "test/transfer/transfer_layouts.h"

// The metadata blob: what it says, what it may cost, and that nothing else is taken for it. Argument: mutations per
// kind of blob.
using namespace railrunner;
using namespace railrunner::test;

namespace {

uint64_t mutations = 20'000;

void sign(std::vector<uint8_t>& blob) {
  if (blob.size() < kMetadataHeaderBytes) return;
  for (uint32_t i = 0; i < 4; ++i) blob[8 + i] = static_cast<uint8_t>(blob.size() >> (8 * i));
  const uint64_t sum = metadataChecksum(blob);
  for (uint32_t i = 0; i < 8; ++i) blob[12 + i] = static_cast<uint8_t>(sum >> (8 * i));
}

void mutate(std::vector<uint8_t>& blob, std::mt19937_64& random) {
  const auto at = [&] { return random() % blob.size(); };
  switch (random() % 6) {
    case 0:
      blob[at()] ^= static_cast<uint8_t>(1U << (random() % 8));
      break;
    case 1:
      blob[at()] = static_cast<uint8_t>(random());
      break;
    case 2:
      blob.resize(random() % blob.size() + 1);
      break;
    case 3:
      blob.insert(blob.begin() + static_cast<std::ptrdiff_t>(at()), static_cast<uint8_t>(random()));
      break;
    case 4:
      blob.erase(blob.begin() + static_cast<std::ptrdiff_t>(at()));
      if (blob.empty()) blob.push_back(0);
      break;
    default: {
      // A number replaced by one at an edge.
      const uint64_t edge[] = {0, 1, 0x7f, 0x80, UINT16_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
      const uint64_t value = edge[random() % 8];
      const size_t from = at();
      std::memcpy(blob.data() + from, &value, std::min<size_t>(8, blob.size() - from));
    }
  }
}

bool sameShare(const std::optional<ShareHandle>& a, const std::optional<ShareHandle>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->kind == b->kind && a->bytes == b->bytes && a->offset == b->offset &&
                a->rangeBytes == b->rangeBytes && a->processId == b->processId &&
                a->descriptor == b->descriptor && a->nonce == b->nonce && a->ipc == b->ipc);
}

bool sameLayout(const PhysicalLayout& a, const PhysicalLayout& b) {
  bool same = a.handle == b.handle && a.location == b.location && a.sectionBlocks == b.sectionBlocks &&
              a.address == b.address && a.deviceId == b.deviceId && sameShare(a.share, b.share) &&
              a.shape.kind == b.shape.kind && a.shape.blockDim == b.shape.blockDim &&
              a.shape.alignment == b.shape.alignment && a.shape.pages == b.shape.pages &&
              a.shape.groups.size() == b.shape.groups.size() && a.blocks.totalBytes == b.blocks.totalBytes;
  for (size_t i = 0; same && i < a.shape.groups.size(); ++i) {
    const GroupShape& x = a.shape.groups[i];
    const GroupShape& y = b.shape.groups[i];
    same = x.layers == y.layers && x.regionBytes == y.regionBytes && x.section == y.section &&
           x.heads == y.heads;
  }
  return same;
}

}  // namespace

TEST("a blob says what it was made of, for host and cuda") {
  for (const DeviceKind kind : {DeviceKind::kHost, DeviceKind::kCuda}) {
    const Metadata made = sampleMetadata(kind);
    const Metadata read = decodeMetadata(encodeMetadata(made));
    ok(read.worker == made.worker, "worker");
    expectEqual(read.layouts.size(), made.layouts.size(), "layouts");
    for (size_t i = 0; i < made.layouts.size(); ++i)
      ok(sameLayout(*read.layouts[i], *made.layouts[i]), "layout " + std::to_string(i));
  }
  const Metadata none{{UINT64_MAX, "worker-without-memory"}, {}};
  ok(decodeMetadata(encodeMetadata(none)).layouts.empty(), "no layouts");
}

TEST("a blob stays within 512 bytes and 100 per allocation, whatever the blocks") {
  for (const uint32_t count : {1U, 4U, 1'000U, 65'535U}) {
    // Blobs of many layouts: the limit of layers allows 16 of each.
    Metadata metadata{{UINT64_MAX, std::string(kMaxAgentName, 'w')}, {}};
    const LayoutShape shape = count > 4 ? shapeOf({.numLayers = 16}) : threeGroups(128);
    const std::vector<uint32_t> blocks =
        count > 4 ? std::vector<uint32_t>{UINT32_MAX} : std::vector<uint32_t>{2'000'000, 1'000'000};
    const auto first = layoutOf({UINT64_MAX, 0}, shape, blocks);
    for (uint32_t id = 0; id < count; ++id) {
      auto layout = std::make_shared<PhysicalLayout>(*first);
      layout->handle.layoutId = static_cast<uint16_t>(id);
      layout->deviceId = 7;
      layout->share = shareOf(layout->blocks, DeviceKind::kCuda, id);
      metadata.layouts.push_back(layout);
    }
    const size_t bytes = encodeMetadata(metadata).size();
    ok(bytes <= metadataLimit(count),
       std::to_string(count) + " layouts take " + std::to_string(bytes) + " bytes");
    auto few = std::make_shared<PhysicalLayout>(*first);
    few->sectionBlocks.assign(first->sectionBlocks.size(), 1);
    few->blocks = makeLayout(few->shape, few->sectionBlocks, 1);
    const auto sizeOf = [](std::shared_ptr<const PhysicalLayout> layout) {
      return encodeMetadata({{1, "a"}, {std::move(layout)}}).size();
    };
    ok(sizeOf(first) - sizeOf(few) <= 8, "more blocks cost only longer numbers");
  }
}

TEST("what is not a blob of this version is refused by name") {
  const std::vector<uint8_t> good = encodeMetadata(sampleMetadata(DeviceKind::kHost));
  const auto refused = [&](const char* part, const std::function<void(std::vector<uint8_t>&)>& change) {
    std::vector<uint8_t> blob = good;
    change(blob);
    throws(ErrorCode::kWrongData, part, [&] { decodeMetadata(blob); });
  };
  refused("magic is cut off", [](auto& blob) { blob.clear(); });
  refused("its magic is wrong", [](auto& blob) { blob[0] = 'X'; });
  refused("written in another byte order", [](auto& blob) { std::reverse(blob.begin(), blob.begin() + 4); });
  refused("format version 2, this build reads 1", [](auto& blob) { blob[4] = 2, sign(blob); });
  refused("reserved bytes", [](auto& blob) { blob[6] = 1, sign(blob); });
  refused("it says that it has", [](auto& blob) { blob.pop_back(); });
  refused("it says that it has", [](auto& blob) { blob.push_back(0); });
  refused("1 bytes follow its end", [](auto& blob) { blob.push_back(0), sign(blob); });
  refused("checksum does not match", [](auto& blob) { blob[25] ^= 1; });
  refused("a name that is not printable", [](auto& blob) { blob[29] = '\n', sign(blob); });
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    refused("", [&](auto& blob) { blob.resize(bytes), sign(blob); });
  }
}

TEST("no mutated blob is accepted; none that is signed again is accepted for what it does not say") {
  std::mt19937_64 random(20261128);
  uint64_t accepted = 0;
  const int64_t startNs = nowNs();
  for (const DeviceKind kind : {DeviceKind::kHost, DeviceKind::kCuda}) {
    const std::vector<uint8_t> good = encodeMetadata(sampleMetadata(kind));
    for (uint64_t i = 0; i < mutations; ++i) {
      std::vector<uint8_t> blob = good;
      for (uint64_t left = 1 + random() % 3; left > 0; --left) mutate(blob, random);
      const bool isSigned = i % 2 == 1;
      if (isSigned) sign(blob);
      if (blob == good) continue;
      try {
        const Metadata read = decodeMetadata(blob);
        ++accepted;
        ok(isSigned, "a blob whose checksum does not match was accepted");
        ok(encodeMetadata(read) == blob, "two blobs say the same");
      } catch (const Error& error) {
        ok(error.code() == ErrorCode::kWrongData, error.what());
      }
    }
  }
  ok(accepted > 0, "signed mutations reach what lies behind the checksum");
  std::printf("# %llu mutations, %llu of them signed and valid, %.1f s\n",
              static_cast<unsigned long long>(2 * mutations), static_cast<unsigned long long>(accepted),
              static_cast<double>(nowNs() - startNs) / 1e9);
}

int main(int argc, char** argv) {
  if (argc > 1) mutations = std::strtoull(argv[1], nullptr, 10);
  return runAll();
}
