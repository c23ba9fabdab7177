#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace railrunner {

// A fixed team of threads that run one piece of work together, again and again. Starting it costs no
// allocation and no lock: helpers spin for a moment after each run, then sleep on a futex.
class CopyTeam {
 public:
  // `size` counts the caller of run(): a team of 1 has no thread of its own.
  explicit CopyTeam(uint32_t size);
  ~CopyTeam();
  CopyTeam(const CopyTeam&) = delete;
  CopyTeam& operator=(const CopyTeam&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(helpers_.size()) + 1; }

  // Calls work(worker) once for each worker below `active` (at most size()), the caller being worker 0;
  // returns when all have ended. `work` must not throw.
  template <class Work>
  void run(Work& work, uint32_t active) {
    call_ = [](void* context, uint32_t worker) { (*static_cast<Work*>(context))(worker); };
    context_ = &work;
    start(active);
    work(0);
    finish();
  }

 private:
  void start(uint32_t active);
  void finish();
  void helperLoop(uint32_t worker);

  std::vector<std::thread> helpers_;
  void (*call_)(void*, uint32_t) = nullptr;
  void* context_ = nullptr;
  uint32_t active_ = 1;
  alignas(64) std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<uint32_t> pending_{0};
  std::atomic<bool> ending_{false};
};

}  // namespace railrunner
