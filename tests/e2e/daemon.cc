#include "tests/e2e/daemon.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "httplib.h"

namespace qvg::e2e {
namespace {

constexpr absl::Duration kStartTime = absl::Seconds(90);
constexpr absl::Duration kPoll = absl::Milliseconds(20);

// The value of " key=" on the line of `text` that says "listening:".
std::string Listening(const std::string& text, const std::string& key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StrContains(line, "listening:")) continue;
    for (absl::string_view word : absl::StrSplit(line, ' ')) {
      if (absl::ConsumePrefix(&word, key + "=")) return std::string(word);
    }
  }
  return "";
}

}  // namespace

bool HasRealModel() { return std::getenv("QVG_E2E_DAEMON") == nullptr; }

std::vector<std::string> DaemonCommand(const std::vector<std::string>& flags) {
  const char* other = std::getenv("QVG_E2E_DAEMON");
  std::vector<std::string> command = {
      other != nullptr ? std::string(other) : Built("qvgd"), "--grpc-port=0",
      "--metrics-port=0"};
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

std::unique_ptr<Daemon> Daemon::Start(const std::vector<std::string>& flags) {
  auto daemon = std::unique_ptr<Daemon>(new Daemon);
  daemon->process_ = std::make_unique<Process>(DaemonCommand(flags));
  if (daemon->AwaitServing()) return daemon;
  ADD_FAILURE() << "qvgd does not start:\n" << daemon->process_->Err();
  return nullptr;
}

bool Daemon::AwaitServing() {
  const absl::Time deadline = absl::Now() + kStartTime;
  while (address_.empty() && absl::Now() < deadline) {
    if (!process_->started() || process_->Wait(kPoll).has_value()) return false;
    address_ = Listening(process_->Err(), "grpc");
  }
  if (address_.empty()) return false;
  metrics_address_ = Listening(process_->Err(), "metrics");
  auto client = Client::Connect(address_);
  if (!client.ok()) return false;
  client_ = *std::move(client);
  return true;
}

HttpAnswer Daemon::Get(const std::string& path) const {
  httplib::Client http("http://" + metrics_address_);
  auto result = http.Get(path.c_str());
  return result ? HttpAnswer{result->status, result->body} : HttpAnswer{};
}

double Daemon::Metric(const std::string& series) const {
  std::istringstream lines(Get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    absl::string_view rest = line;
    double value = 0;
    if (absl::ConsumePrefix(&rest, series) && absl::ConsumePrefix(&rest, " ") &&
        absl::SimpleAtod(rest, &value)) {
      return value;
    }
  }
  return 0;
}

int64_t Daemon::ResidentBytes() const {
  std::istringstream statm(
      ReadFile(absl::StrCat("/proc/", process_->pid(), "/statm")));
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

bool Daemon::BecomesEmpty() {
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (absl::Now() < deadline) {
    auto info = client_->ServerInfo();
    if (!info.ok()) return false;
    if (info->sessions() == 0 && info->used_bytes() == 0 &&
        info->reserved_bytes() == 0 && Metric("qvg_outbox_bytes") == 0) {
      return true;
    }
    if (process_->Wait(kPoll).has_value()) return false;
  }
  return false;
}

std::unique_ptr<Process> Daemon::StartQvg(
    std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), Built("qvg"));
  arguments.push_back("--server=" + address_);
  return std::make_unique<Process>(arguments);
}

Finished Daemon::Qvg(std::vector<std::string> arguments) const {
  auto finished = StartQvg(std::move(arguments))->Wait(absl::Minutes(2));
  EXPECT_TRUE(finished.has_value()) << "qvg does not end";
  return finished.value_or(Finished{});
}

google::protobuf::Struct Daemon::Play(
    std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"play", "--json", "--quiet"});
  const Finished finished = Qvg(std::move(arguments));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return ParseJson(finished.out);
}

google::protobuf::Struct ParseJson(const std::string& text) {
  google::protobuf::Struct json;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &json).ok())
      << "no JSON: " << text;
  return json;
}

double Number(const google::protobuf::Struct& json, const std::string& key) {
  auto field = json.fields().find(key);
  return field == json.fields().end() ? -1 : field->second.number_value();
}

std::string Text(const google::protobuf::Struct& json, const std::string& key) {
  auto field = json.fields().find(key);
  return field == json.fields().end() ? "" : field->second.string_value();
}

}  // namespace qvg::e2e
