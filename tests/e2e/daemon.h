#ifndef TESTS_E2E_DAEMON_H_
#define TESTS_E2E_DAEMON_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "google/protobuf/struct.pb.h"
#include "tests/e2e/process.h"

namespace qvg::e2e {

// The answer to an HTTP request; status 0 if there was none.
struct HttpAnswer {
  int status = 0;
  std::string body;
};

// A qvgd that listens on free ports of the loopback address.
class Daemon {
 public:
  // Starts one with `flags` added and waits until it serves. Fails the test
  // and returns null if it does not.
  static std::unique_ptr<Daemon> Start(
      const std::vector<std::string>& flags = {});

  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  Client& client() { return *client_; }
  Process& process() { return *process_; }

  HttpAnswer Get(const std::string& path) const;

  // The value of a series of /metrics, named as it is written there
  // ("qvg_sessions{state=\"active\"}"); 0 if it is missing.
  double Metric(const std::string& series) const;

  int64_t ResidentBytes() const;

  // Waits until no session is left and every byte of theirs is given back.
  bool BecomesEmpty();

  // Runs `qvg COMMAND ...` against it.
  Finished Qvg(std::vector<std::string> arguments) const;

  // The same, in the background.
  std::unique_ptr<Process> StartQvg(std::vector<std::string> arguments) const;

  // `qvg play --json` that has to succeed; its summary.
  google::protobuf::Struct Play(std::vector<std::string> arguments) const;

 private:
  Daemon() = default;

  // Waits until the process says where it listens, or has ended.
  bool AwaitServing();

  std::string address_;
  std::string metrics_address_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Client> client_;
};

// The object that `text` is; fails the test if it is none.
google::protobuf::Struct ParseJson(const std::string& text);

// The number or text of a key.
double Number(const google::protobuf::Struct& json, const std::string& key);
std::string Text(const google::protobuf::Struct& json, const std::string& key);

// The program under test with `flags` added: qvgd, or what QVG_E2E_DAEMON
// names.
std::vector<std::string> DaemonCommand(const std::vector<std::string>& flags);

// Whether that is the real qvgd, with a model that was trained.
bool HasRealModel();

}  // namespace qvg::e2e

#endif  // TESTS_E2E_DAEMON_H_
