#include "moe/host/rows.h"
#include "moe/numerics.h"
#include "test/moe/moe_reference.h"

// Golden sizes and offsets: a change here is a change of the format between ranks.
namespace railrunner::moe::test {
namespace {

void checkSeedSizes() {
  struct Golden {
    uint64_t tokens, hidden, experts, hint;
  };
  const Golden table[] = {{128, 7168, 256, 1'880'100'992},
                          {128, 7168, 288, 2'115'113'600},
                          {128, 7168, 64, 470'025'344},
                          {64, 7168, 32, 117'506'688},
                          {128, 4096, 128, 537'397'376}};
  for (const Golden& g : table) {
    CHECK(mscclppHintBytes(g.tokens, g.hidden, g.experts) == g.hint, "T %lu H %lu E %lu: %lu", g.tokens,
          g.hidden, g.experts, mscclppHintBytes(g.tokens, g.hidden, g.experts));
  }
}

// worldSize, experts, top-k, hidden, tokens, fp8, dedup | stride, payload at, total bytes of the buffer.
void checkOwnSizes() {
  struct Golden {
    uint32_t ranks, experts, topk, hidden, tokens;
    bool fp8, dedup;
    uint64_t payloadOffset, stride, total;
  };
  const Golden table[] = {
      {8, 256, 8, 7168, 128, false, false, 16, 14'352, 944'250'880},
      {8, 256, 8, 7168, 128, true, false, 16, 7'408, 941'424'640},
      {4, 256, 8, 7168, 128, false, true, 80, 14'416, 18'456'576},
      {4, 256, 8, 7168, 128, true, true, 80, 7'472, 16'596'992},
      {4, 128, 4, 2880, 128, false, true, 48, 5'936, 7'600'128},
  };
  for (const Golden& g : table) {
    Shape s;
    s.worldSize = g.ranks, s.numExperts = g.experts, s.numTopk = g.topk, s.hidden = g.hidden,
    s.maxDispatchTokensPerRank = g.tokens;
    s.payload = g.fp8 ? DispatchDtype::kFp8E4m3 : DispatchDtype::kBf16;
    s.dedup = g.dedup;
    const BufferLayout layout = bufferLayout(s);
    CHECK(layout.message.payloadOffset == g.payloadOffset, "payload at %lu", layout.message.payloadOffset);
    CHECK(layout.message.strideBytes == g.stride, "stride %lu", layout.message.strideBytes);
    CHECK(layout.totalBytes == g.total, "hidden %u dedup %d fp8 %d: total %lu", g.hidden, g.dedup, g.fp8,
          layout.totalBytes);
  }
}

// Signals stay where they are when tokens or hidden change; no two slots overlap.
void checkPlaces() {
  Shape s;
  s.worldSize = 4, s.numExperts = 8, s.numTopk = 2, s.hidden = 128, s.maxDispatchTokensPerRank = 4;
  const BufferLayout small = bufferLayout(s);
  Shape wide = s;
  wide.hidden = 7168, wide.maxDispatchTokensPerRank = 128;
  for (uint32_t half = 0; half < 2; ++half) {
    CHECK(small.signalOffset(half, 3) == bufferLayout(wide).signalOffset(half, 3), "half %u", half);
  }
  for (const bool dedup : {false, true}) {
    s.dedup = dedup;
    const BufferLayout layout = bufferLayout(s);
    std::vector<uint64_t> begins;
    for (uint32_t expert = 0; expert < (dedup ? 1 : s.numLocalExperts()); ++expert) {
      for (uint32_t source = 0; source < s.worldSize; ++source) {
        for (uint32_t copy = 0; copy < s.maxDispatchTokensPerRank; ++copy)
          begins.push_back(dispatchSlotOffset(s, layout, expert, source, copy));
      }
    }
    std::sort(begins.begin(), begins.end());
    for (size_t i = 1; i < begins.size(); ++i)
      CHECK(begins[i] - begins[i - 1] >= layout.message.strideBytes, "slot %zu", i);
    CHECK(begins.back() + layout.message.strideBytes <= layout.receiveBytes, "last slot ends at %lu",
          begins.back());
    const uint32_t origins = dedup ? s.worldSize : s.numExperts;
    CHECK(combineSlotOffset(s, layout, origins - 1, s.maxDispatchTokensPerRank - 1) + layout.combineBytes <=
              layout.receiveBytes,
          "combine");
    CHECK(layout.receiveOffset(1) + layout.receiveBytes == layout.totalBytes, "end");
  }
}

// Every e4m3 value and the midpoints between neighbours, against the definition.
void checkE4m3() {
  for (uint32_t code = 0; code < 0x7f; ++code) {
    const float value = valueOfCode(static_cast<uint8_t>(code));
    CHECK(e4m3ToFloat(static_cast<uint8_t>(code)) == value, "code %u", code);
    CHECK(floatToE4m3(value) == code, "code %u encodes to %u", code, floatToE4m3(value));
    CHECK(floatToE4m3(-value) == (code | 0x80), "-code %u", code);
    if (code == 0x7e) break;
    const float next = valueOfCode(static_cast<uint8_t>(code + 1));
    const float middle = (value + next) / 2;
    const uint32_t even = (code & 1) == 0 ? code : code + 1;
    CHECK(floatToE4m3(middle) == even, "between %u and %u: %u", code, code + 1, floatToE4m3(middle));
    CHECK(floatToE4m3(std::nextafter(middle, 1e9F)) == code + 1, "above the middle of %u", code);
    CHECK(floatToE4m3(std::nextafter(middle, 0.0F)) == code, "below the middle of %u", code);
  }
  CHECK(floatToE4m3(1e6F) == 0x7e && floatToE4m3(-465.0F) == 0xfe, "saturation");
  const BlockScale plain = blockScale(3.0F, false);
  CHECK(plain.scale == 3.0F / 448.0F && plain.multiplier == 448.0F / 3.0F, "scale");
  const BlockScale rounded = blockScale(3.0F, true);
  CHECK(rounded.scale == 0.0078125F && rounded.multiplier == 128.0F, "rounded scale %g", rounded.scale);
  CHECK(blockScale(448.0F, true).scale == 1.0F, "an exact power stays");
  CHECK(blockScale(0.0F, false).scale == 1e-4F / 448.0F, "zeros");
}

void checkBf16() {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto narrow = static_cast<uint16_t>(bits);
    if ((bits & 0x7fff) > 0x7f80) continue;
    CHECK(floatToBf16(bf16ToFloat(narrow)) == narrow, "bits %x", bits);
  }
  uint64_t state = 5;
  for (int i = 0; i < 100'000; ++i) {
    const float value = floatFromBits(static_cast<uint32_t>(randomWord(state)) & 0xbfffffffU);
    CHECK(floatToBf16(value) == roundToBf16(value), "%g", value);
  }
}

// The vector loops against the same arithmetic a column at a time, for every bit pattern that a row can hold.
void checkSumRows() {
  constexpr uint32_t kColumns = 1280, kRows = 5;
  uint64_t state = 11;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::vector<uint16_t>> held(kRows, std::vector<uint16_t>(kColumns));
    const uint16_t* rows[kRows];
    float weights[kRows];
    for (uint32_t r = 0; r < kRows; ++r) {
      for (uint16_t& column : held[r]) column = static_cast<uint16_t>(randomWord(state));
      rows[r] = held[r].data();
      weights[r] = bf16ToFloat(static_cast<uint16_t>(randomWord(state) & 0xbfff));
    }
    const uint32_t count = round % (kRows + 1);
    const float* scaledBy = round % 2 == 0 ? weights : nullptr;
    std::vector<uint16_t> out(kColumns, 0x7f7f);
    host::sumRows(out.data(), rows, scaledBy, count, kColumns);
    for (uint32_t c = 0; c < kColumns; ++c) {
      float sum = 0;
      for (uint32_t r = 0; r < count; ++r)
        sum += multiplyRounded(bf16ToFloat(rows[r][c]), scaledBy == nullptr ? 1.0F : weights[r]);
      const uint16_t expected = floatToBf16(sum);
      const bool bothNan = (expected & 0x7fff) > 0x7f80 && (out[c] & 0x7fff) > 0x7f80;
      CHECK(out[c] == expected || bothNan, "%u rows, column %u: %x, expected %x", count, c, out[c], expected);
    }
  }
}

void checkShapes() {
  Shape good;
  good.worldSize = 4, good.numExperts = 8, good.numTopk = 2, good.hidden = 128,
  good.maxDispatchTokensPerRank = 4;
  requireLegal(good);
  const auto refused = [](const Shape& s, const char* words) {
    try {
      requireLegal(s);
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(words) != std::string::npos, "%s", error.what());
      return;
    }
    CHECK(false, "not refused: %s", words);
  };
  Shape s = good;
  s.numExperts = 9;
  refused(s, "divisible");
  s = good, s.numTopk = 33, s.numExperts = 64;
  refused(s, "1..32");
  s = good, s.numTopk = 9;
  refused(s, "at most numExperts");
  s = good, s.dedup = false, s.outputLayout = OutputLayout::kRankMajor;
  refused(s, "rankMajor");
}

}  // namespace
}  // namespace railrunner::moe::test

int main() {
  using namespace railrunner::moe::test;
  checkSeedSizes();
  checkOwnSizes();
  checkPlaces();
  checkE4m3();
  checkBf16();
  checkSumRows();
  checkShapes();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
