#include "kv/stream_copy.h"

#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace railrunner {

#if defined(__x86_64__)

bool canStreamCopy() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

__attribute__((target("avx2"))) void streamCopy(void* target, const void* source, uint64_t bytes) {
  auto* to = static_cast<std::byte*>(target);
  const auto* from = static_cast<const std::byte*>(source);
  // Streaming stores need aligned addresses, and whole cache lines to be combined.
  uint64_t head = (64 - (reinterpret_cast<uint64_t>(to) & 63)) & 63;
  if (head > bytes) head = bytes;
  std::memcpy(to, from, head);
  to += head;
  from += head;
  bytes -= head;
  for (; bytes >= 128; bytes -= 128, to += 128, from += 128) {
    _mm_prefetch(reinterpret_cast<const char*>(from + 1024), _MM_HINT_NTA);
    _mm_prefetch(reinterpret_cast<const char*>(from + 1088), _MM_HINT_NTA);
    const auto* in = reinterpret_cast<const __m256i*>(from);
    auto* out = reinterpret_cast<__m256i*>(to);
    const __m256i a = _mm256_loadu_si256(in);
    const __m256i b = _mm256_loadu_si256(in + 1);
    const __m256i c = _mm256_loadu_si256(in + 2);
    const __m256i d = _mm256_loadu_si256(in + 3);
    _mm256_stream_si256(out, a);
    _mm256_stream_si256(out + 1, b);
    _mm256_stream_si256(out + 2, c);
    _mm256_stream_si256(out + 3, d);
  }
  _mm_sfence();
  std::memcpy(to, from, bytes);
}

#else

bool canStreamCopy() { return false; }

void streamCopy(void* target, const void* source, uint64_t bytes) { std::memcpy(target, source, bytes); }

#endif

}  // namespace railrunner
