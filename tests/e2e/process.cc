#include "tests/e2e/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

namespace qvg::e2e {
namespace {

std::string TempPath() {
  std::string path = testing::TempDir() + "/qvg_e2e_XXXXXX";
  close(mkstemp(path.data()));
  return path;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    all.push_back(*entry);
  }
  return all;
}

}  // namespace

Process::Process(const std::vector<std::string>& argv,
                 const std::vector<std::string>& environment)
    : out_path_(TempPath()), err_path_(TempPath()) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out_path_.c_str(), O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, err_path_.c_str(), O_WRONLY, 0);
  std::vector<std::string> arguments = argv;
  std::vector<std::string> variables = Environment(environment);
  const int error =
      posix_spawnp(&pid_, argv[0].c_str(), &files, nullptr,
                   Pointers(arguments).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&files);
  EXPECT_EQ(error, 0) << "cannot start " << argv[0];
  if (error != 0) pid_ = -1;
  reaped_ = error != 0;
  if (!reaped_) pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
}

Process::~Process() {
  if (!reaped_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (pid_fd_ >= 0) close(pid_fd_);
  unlink(out_path_.c_str());
  unlink(err_path_.c_str());
}

void Process::Signal(int signal) {
  if (!reaped_) kill(pid_, signal);
}

std::optional<Finished> Process::Wait(absl::Duration timeout) {
  pollfd ended = {pid_fd_, POLLIN, 0};
  const int ms = static_cast<int>(absl::ToInt64Milliseconds(timeout));
  if (reaped_ || poll(&ended, 1, ms) != 1) return std::nullopt;
  int status = 0;
  waitpid(pid_, &status, 0);
  reaped_ = true;
  Finished finished;
  if (WIFEXITED(status)) finished.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) finished.signal = WTERMSIG(status);
  finished.out = Out();
  finished.err = Err();
  return finished;
}

std::string Process::Out() const { return ReadFile(out_path_); }
std::string Process::Err() const { return ReadFile(err_path_); }

Finished RunProgram(const std::vector<std::string>& argv,
                    const std::vector<std::string>& environment) {
  Process process(argv, environment);
  std::optional<Finished> finished = process.Wait(absl::Minutes(2));
  EXPECT_TRUE(finished.has_value()) << argv[0] << " does not end";
  return finished.value_or(Finished{});
}

std::string Built(const std::string& name) {
  const char* folder = std::getenv("QVG_BIN_DIR");
  return (folder != nullptr ? folder : ".") + ("/" + name);
}

bool Installed(const std::string& name) {
  const std::string command = "command -v " + name + " >/dev/null 2>&1";
  return std::system(command.c_str()) == 0;
}

TempFolder::TempFolder() : path_(testing::TempDir() + "/qvg_e2e_XXXXXX") {
  mkdtemp(path_.data());
}

TempFolder::~TempFolder() { std::filesystem::remove_all(path_); }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace qvg::e2e
