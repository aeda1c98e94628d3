#ifndef TESTS_E2E_PROCESS_H_
#define TESTS_E2E_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace qvg::e2e {

struct Finished {
  int exit_code = -1;  // -1: ended by `signal`
  int signal = 0;
  std::string out;
  std::string err;
};

// A child process with its standard output and error in files. Killed, if it
// still runs, when the object goes.
class Process {
 public:
  // argv[0] is looked up in PATH; `environment` is added to ours.
  explicit Process(const std::vector<std::string>& argv,
                   const std::vector<std::string>& environment = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool started() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  void Signal(int signal);

  // Waits for the end; nothing if it does not come in time.
  std::optional<Finished> Wait(absl::Duration timeout);

  // What it wrote so far.
  std::string Out() const;
  std::string Err() const;

 private:
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  bool reaped_ = false;
  std::string out_path_;
  std::string err_path_;
};

// Runs a program to its end. Fails the test if that takes over two minutes.
Finished RunProgram(const std::vector<std::string>& argv,
                    const std::vector<std::string>& environment = {});

// The path of a program of this build ("qvg").
std::string Built(const std::string& name);

// Whether a program of that name is in PATH.
bool Installed(const std::string& name);

// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);

}  // namespace qvg::e2e

#endif  // TESTS_E2E_PROCESS_H_
