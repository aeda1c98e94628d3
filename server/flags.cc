#include "server/flags.h"

#include <cstdlib>
#include <set>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "server/byte_size.h"

using qvg::ByteSize;

ABSL_FLAG(std::string, host, "127.0.0.1",
          "address to listen on; any but loopback needs --allow-insecure");
ABSL_FLAG(int, grpc_port, 8001, "port of gRPC; 0: any free one");
ABSL_FLAG(int, metrics_port, 8002,
          "port of /metrics, /healthz and /readyz; 0: any free one");
ABSL_FLAG(bool, allow_insecure, false,
          "serve other hosts although nothing is encrypted");
ABSL_FLAG(std::string, model, "tinyworld", "the model to serve");
ABSL_FLAG(std::string, weights, "",
          "weights of the model; empty: those it ships with");
ABSL_FLAG(std::string, device, "cpu", "cpu, cuda or cuda:N");
ABSL_FLAG(int, threads, 0, "threads of the model on a CPU; 0: one per core");
ABSL_FLAG(
    ByteSize, kv_budget_bytes, ByteSize(),
    "memory for all sessions' caches, such as 8GiB; auto: half of what is "
    "free, most of it on a GPU");
ABSL_FLAG(std::string, record, "",
          "folder to write a recording of every session to, for qvg replay");
ABSL_FLAG(std::string, log_level, "info", "info, warning or error");

ABSL_FLAG(int, max_sessions, qvg::SessionLimits().max_sessions,
          "sessions at a time");
ABSL_FLAG(int, max_credit_chunks, qvg::SessionLimits().max_credit_chunks,
          "credit of a session that may be open");
ABSL_FLAG(int, max_pending_frames, qvg::SessionLimits().max_pending_frames,
          "controls of a session, in frames, that may wait");
ABSL_FLAG(int, max_prompt_bytes, qvg::SessionLimits().max_prompt_bytes,
          "length of a prompt");
ABSL_FLAG(ByteSize, max_message_bytes,
          ByteSize{qvg::SessionLimits().max_message_bytes},
          "size of a message from a client");
ABSL_FLAG(int, max_outbox_chunks, qvg::SessionLimits().max_outbox_chunks,
          "finished chunks of a session that may wait for its client");
ABSL_FLAG(ByteSize, max_outbox_bytes,
          ByteSize{qvg::SessionLimits().max_outbox_bytes},
          "... and their media");
ABSL_FLAG(int, max_chunks, qvg::SessionLimits().max_chunks,
          "chunks that a session may generate");
ABSL_FLAG(absl::Duration, session_time,
          qvg::SessionManagerOptions().session_time,
          "a session ends when it is so old");
ABSL_FLAG(absl::Duration, idle_time, qvg::SessionManagerOptions().idle_time,
          "a session ends when it waits so long for its client");
ABSL_FLAG(absl::Duration, write_stall_time,
          qvg::SessionManagerOptions().write_stall_time,
          "a session ends when a write to its client takes so long");
ABSL_FLAG(int, encode_threads, qvg::SessionManagerOptions().encode_threads,
          "threads that encode media");
ABSL_FLAG(absl::Duration, drain_time, absl::Seconds(30),
          "after SIGTERM, time for sessions to end in order");

ABSL_FLAG(absl::Duration, start_time, qvg::RpcServerOptions().start_time,
          "a stream ends when it has not started after so long");
ABSL_FLAG(int, max_streams_per_connection,
          qvg::RpcServerOptions().max_streams_per_connection,
          "calls at a time on one connection");
ABSL_FLAG(absl::Duration, keepalive_time,
          qvg::RpcServerOptions().keepalive_time,
          "a silent connection is pinged after so long");
ABSL_FLAG(absl::Duration, keepalive_timeout,
          qvg::RpcServerOptions().keepalive_timeout,
          "... and closed when no answer comes in so long");
ABSL_FLAG(absl::Duration, connection_idle_time,
          qvg::RpcServerOptions().connection_idle_time,
          "a connection without calls is closed after so long");
ABSL_FLAG(ByteSize, grpc_memory_bytes,
          ByteSize{qvg::RpcServerOptions().memory_bytes},
          "what gRPC may buffer, over all connections");

namespace qvg {
namespace {

// "grpc_port" as people write it: "grpc-port".
std::string Spelled(absl::string_view name) {
  return absl::StrReplaceAll(name, {{"_", "-"}});
}

std::string VariableOf(absl::string_view name) {
  return absl::StrCat("QVG_", absl::AsciiStrToUpper(name));
}

// The flags of this file, by name.
std::vector<absl::CommandLineFlag*> OurFlags() {
  std::vector<absl::CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), "server/flags.cc")) {
      flags.push_back(flag);
    }
  }
  std::sort(flags.begin(), flags.end(),
            [](const auto* a, const auto* b) { return a->Name() < b->Name(); });
  return flags;
}

absl::Status Set(absl::CommandLineFlag* flag, absl::string_view value,
                 absl::string_view source) {
  std::string error;
  if (flag->ParseFrom(value, &error)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      source, ": \"", value,
      "\" is no value for it: ", absl::StrReplaceAll(error, {{"\n", " "}})));
}

// Sets the flag that arguments[*i] names, taking its value from the next one
// if need be.
absl::Status ParseOne(const std::vector<std::string>& arguments, size_t* i,
                      std::set<std::string>* seen) {
  absl::string_view text = arguments[*i];
  const std::string shown = absl::StrCat("\"", text.substr(0, 200), "\"");
  if (!absl::ConsumePrefix(&text, "--")) {
    return absl::InvalidArgumentError(
        absl::StrCat("argument ", shown, " is no flag; see --help"));
  }
  const size_t equals = text.find('=');
  const std::string name =
      absl::StrReplaceAll(text.substr(0, equals), {{"-", "_"}});
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  if (flag == nullptr || !absl::EndsWith(flag->Filename(), "server/flags.cc")) {
    return absl::InvalidArgumentError(
        absl::StrCat("flag ", shown, " is unknown; see --help"));
  }
  seen->insert(name);
  const std::string source = "--" + Spelled(name);
  if (equals != text.npos) return Set(flag, text.substr(equals + 1), source);
  if (flag->IsOfType<bool>()) return Set(flag, "true", source);
  if (*i + 1 == arguments.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": its value is missing"));
  }
  return Set(flag, arguments[++*i], source);
}

absl::Status ReadEnvironment(const std::set<std::string>& seen) {
  for (absl::CommandLineFlag* flag : OurFlags()) {
    if (seen.contains(std::string(flag->Name()))) continue;
    const std::string variable = VariableOf(flag->Name());
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) continue;
    const absl::Status status = Set(flag, value, variable);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

bool IsDevice(absl::string_view device) {
  if (device == "cpu" || device == "cuda") return true;
  int index = -1;
  return absl::ConsumePrefix(&device, "cuda:") &&
         absl::SimpleAtoi(device, &index) && index >= 0;
}

SessionLimits LimitFlags() {
  SessionLimits limits;
  limits.max_sessions = absl::GetFlag(FLAGS_max_sessions);
  limits.max_credit_chunks = absl::GetFlag(FLAGS_max_credit_chunks);
  limits.max_pending_frames = absl::GetFlag(FLAGS_max_pending_frames);
  limits.max_prompt_bytes = absl::GetFlag(FLAGS_max_prompt_bytes);
  limits.max_message_bytes = static_cast<int>(
      std::min<int64_t>(absl::GetFlag(FLAGS_max_message_bytes).bytes, 1 << 30));
  limits.max_outbox_chunks = absl::GetFlag(FLAGS_max_outbox_chunks);
  limits.max_outbox_bytes = absl::GetFlag(FLAGS_max_outbox_bytes).bytes;
  limits.max_chunks = absl::GetFlag(FLAGS_max_chunks);
  return limits;
}

SessionManagerOptions SessionFlags() {
  SessionManagerOptions sessions;
  sessions.limits = LimitFlags();
  sessions.session_time = absl::GetFlag(FLAGS_session_time);
  sessions.idle_time = absl::GetFlag(FLAGS_idle_time);
  sessions.write_stall_time = absl::GetFlag(FLAGS_write_stall_time);
  sessions.encode_threads = absl::GetFlag(FLAGS_encode_threads);
  sessions.record_dir = absl::GetFlag(FLAGS_record);
  sessions.server_version = QVG_VERSION;
  return sessions;
}

RpcServerOptions RpcFlags() {
  RpcServerOptions rpc;
  rpc.host = absl::GetFlag(FLAGS_host);
  if (absl::StartsWith(rpc.host, "[") && absl::EndsWith(rpc.host, "]")) {
    rpc.host = rpc.host.substr(1, rpc.host.size() - 2);  // as in a URL
  }
  rpc.port = absl::GetFlag(FLAGS_grpc_port);
  rpc.reflection = IsLoopback(rpc.host);
  rpc.start_time = absl::GetFlag(FLAGS_start_time);
  rpc.max_streams_per_connection =
      absl::GetFlag(FLAGS_max_streams_per_connection);
  rpc.keepalive_time = absl::GetFlag(FLAGS_keepalive_time);
  rpc.keepalive_timeout = absl::GetFlag(FLAGS_keepalive_timeout);
  rpc.connection_idle_time = absl::GetFlag(FLAGS_connection_idle_time);
  rpc.memory_bytes = absl::GetFlag(FLAGS_grpc_memory_bytes).bytes;
  return rpc;
}

ServerConfig ConfigFlags() {
  ServerConfig config;
  config.model = absl::GetFlag(FLAGS_model);
  config.model_options.device = absl::GetFlag(FLAGS_device);
  config.model_options.threads = absl::GetFlag(FLAGS_threads);
  config.model_options.weights = absl::GetFlag(FLAGS_weights);
  config.budget_bytes = absl::GetFlag(FLAGS_kv_budget_bytes).bytes;
  config.metrics_port = absl::GetFlag(FLAGS_metrics_port);
  config.drain_time = absl::GetFlag(FLAGS_drain_time);
  config.sessions = SessionFlags();
  config.rpc = RpcFlags();
  return config;
}

absl::Status CheckRanges(const ServerConfig& config) {
  const struct {
    const char* name;
    int64_t value, low, high;
  } fields[] = {
      {"metrics-port", config.metrics_port, 0, 65535},
      {"threads", config.model_options.threads, 0, 1024},
      {"drain-time", absl::ToInt64Seconds(config.drain_time), 0, 86400}};
  for (const auto& [name, value, low, high] : fields) {
    if (value >= low && value <= high) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": ", value, " is not between ", low, " and ", high));
  }
  absl::Status status = config.sessions.Validate();
  if (status.ok()) status = config.rpc.Validate();
  return status;
}

absl::Status Check(const ServerConfig& config) {
  const std::string& host = config.rpc.host;
  if (!IsLoopback(host) && !absl::GetFlag(FLAGS_allow_insecure)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "host: ", host, " is not loopback and nothing is encrypted; add ",
        "--allow-insecure to serve it all the same"));
  }
  const std::string& device = config.model_options.device;
  if (!IsDevice(device)) {
    return absl::InvalidArgumentError(
        absl::StrCat("device: \"", device, "\" is none of cpu, cuda, cuda:N"));
  }
  return CheckRanges(config);
}

}  // namespace

absl::StatusOr<ServerConfig> ParseFlags(
    const std::vector<std::string>& arguments) {
  std::set<std::string> seen;
  for (size_t i = 0; i < arguments.size(); ++i) {
    ServerConfig config;
    config.help = arguments[i] == "--help";
    config.version = arguments[i] == "--version";
    if (config.help || config.version) return config;
    const absl::Status status = ParseOne(arguments, &i, &seen);
    if (!status.ok()) return status;
  }
  absl::Status status = ReadEnvironment(seen);
  if (!status.ok()) return status;
  ServerConfig config = ConfigFlags();
  status = Check(config);
  if (!status.ok()) return status;
  if (!ParseLogLevel(absl::GetFlag(FLAGS_log_level), &config.log_level)) {
    return absl::InvalidArgumentError(
        absl::StrCat("log-level: \"", absl::GetFlag(FLAGS_log_level),
                     "\" is none of info, warning, error"));
  }
  return config;
}

std::string HelpText() {
  std::string text =
      "qvgd: streams interactive video from a compressed attention cache\n\n"
      "Each flag can be given as a variable too, --grpc-port as "
      "QVG_GRPC_PORT.\n\n  --help\n  --version\n";
  for (const absl::CommandLineFlag* flag : OurFlags()) {
    absl::StrAppend(&text, "  --", Spelled(flag->Name()), "=",
                    flag->DefaultValue(), "\n      ", flag->Help(), "\n");
  }
  return text;
}

std::string VersionText() { return absl::StrCat("qvgd ", QVG_VERSION, "\n"); }

}  // namespace qvg
