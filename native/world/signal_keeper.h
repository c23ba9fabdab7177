#pragma once

#include <csignal>
#include <map>

namespace railrunner {

// Puts signal handlers back as they were before an MPI library was loaded: MPICH takes SIGUSR1, which
// schedulers send and Node must see, and Open MPI and UCX take SIGSEGV and others, which V8 uses.
class SignalKeeper {
 public:
  SignalKeeper() {
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
      struct sigaction action {};
      if (signal != SIGKILL && signal != SIGSTOP && sigaction(signal, nullptr, &action) == 0)
        kept_[signal] = action;
    }
  }
  ~SignalKeeper() {
    for (const auto& [signal, action] : kept_) {
      struct sigaction current {};
      sigaction(signal, nullptr, &current);
      if (current.sa_handler != action.sa_handler) sigaction(signal, &action, nullptr);
    }
  }
  SignalKeeper(const SignalKeeper&) = delete;
  SignalKeeper& operator=(const SignalKeeper&) = delete;

 private:
  std::map<int, struct sigaction> kept_;
};

}  // namespace railrunner
