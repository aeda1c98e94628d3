#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/client.h"
#include "client/codec_spec.h"
#include "client/commands.h"
#include "client/progress.h"
#include "google/protobuf/util/json_util.h"

namespace qvg {
namespace {

// Flags that every command of this file has.
struct CommonFlags {
  std::string server = DefaultServer();
  bool json = false;

  void AddTo(FlagSet* set) {
    set->Add("server", &server, "HOST:PORT of qvgd; also QVG_SERVER");
    set->Add("json", &json, "print the server's answer as JSON");
  }
};

void PrintJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  google::protobuf::util::MessageToJsonString(message, &json, options);
  absl::PrintF("%s\n", json);
}

void Print(const v1::ListModelsResponse& response) {
  for (const v1::Model& model : response.models()) {
    std::vector<std::string> controls;
    for (const auto& control : model.controls()) {
      controls.push_back(control.name());
    }
    absl::PrintF(
        "%s: %s\n"
        "  frames    %dx%d, %d/%d fps, %d to a chunk\n"
        "  steps     %d, at most %d\n"
        "  controls  %s\n"
        "  codecs    %s (default %s)\n"
        "  cache     %s of BF16 history per chunk, %s per session\n",
        model.name(), model.description(), model.width(), model.height(),
        model.fps_numerator(), model.fps_denominator(),
        model.frames_per_chunk(), model.default_steps(), model.max_steps(),
        absl::StrJoin(controls, ", "), absl::StrJoin(model.codecs(), ", "),
        CodecSpecText(model.default_cache_spec()),
        BytesText(model.chunk_bf16_bytes()), BytesText(model.session_bytes()));
  }
}

void Print(const v1::GetServerInfoResponse& info) {
  absl::PrintF(
      "qvgd %s on %s, up %.0f s%s\n"
      "  sessions  %d of %d\n"
      "  budget    %s, %s reserved, %s used\n"
      "  limits    %d credit, %d pending frames, %d bytes of prompt, "
      "%d steps, %d chunks\n",
      info.version(), info.device(), info.uptime_seconds(),
      info.draining() ? ", draining" : "", info.sessions(), info.max_sessions(),
      BytesText(info.budget_bytes()), BytesText(info.reserved_bytes()),
      BytesText(info.used_bytes()), info.limits().max_credit_chunks(),
      info.limits().max_pending_frames(), info.limits().max_prompt_bytes(),
      info.limits().max_steps(), info.limits().max_chunks());
}

void Print(const v1::ListSessionsResponse& response) {
  absl::PrintF("%-34s %-12s %-8s %7s %7s %6s %7s %10s %8s\n", "session",
               "model", "state", "chunks", "frames", "credit", "outbox",
               "bytes", "age");
  for (const v1::SessionSummary& session : response.sessions()) {
    uint64_t bytes = 0;
    for (const auto& part : session.cache_bytes()) bytes += part.bytes();
    absl::PrintF("%-34s %-12s %-8s %7d %7d %6d %7d %10s %7.0fs\n",
                 session.session_id(), session.model(), session.state(),
                 session.chunks(), session.frames(), session.credit(),
                 session.outbox_chunks(), BytesText(bytes),
                 session.age_seconds());
  }
}

// A command that asks one question and prints the answer.
template <typename Response>
int Ask(const char* usage, const char* details, const Arguments& arguments,
        absl::StatusOr<Response> (Client::*question)()) {
  CommonFlags flags;
  FlagSet set;
  flags.AddTo(&set);
  Arguments words;
  int exit_code = kExitOk;
  if (!ParseCommand(usage, details, arguments, 0, set, &words, &exit_code)) {
    return exit_code;
  }
  auto client = Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status(), kExitFailed);
  absl::StatusOr<Response> response = ((**client).*question)();
  if (!response.ok()) return Fail(response.status(), kExitFailed);
  if (flags.json) {
    PrintJson(*response);
  } else {
    Print(*response);
  }
  return kExitOk;
}

}  // namespace

int ModelsCommand(const Arguments& arguments) {
  return Ask("qvg models [flags]", "Lists the models of a server.", arguments,
             &Client::Models);
}

int InfoCommand(const Arguments& arguments) {
  return Ask("qvg info [flags]", "Tells what a server is and how full.",
             arguments, &Client::ServerInfo);
}

int SessionsCommand(const Arguments& arguments) {
  return Ask("qvg sessions [flags]", "Lists live sessions, oldest first.",
             arguments, &Client::Sessions);
}

int CloseCommand(const Arguments& arguments) {
  std::string server = DefaultServer();
  FlagSet set;
  set.Add("server", &server, "HOST:PORT of qvgd; also QVG_SERVER");
  Arguments words;
  int exit_code = kExitOk;
  if (!ParseCommand("qvg close SESSION [flags]",
                    "Ends a session of `qvg sessions`.", arguments, 1, set,
                    &words, &exit_code)) {
    return exit_code;
  }
  auto client = Client::Connect(server);
  if (!client.ok()) return Fail(client.status(), kExitFailed);
  absl::Status status = (*client)->CloseSession(words[0]);
  return status.ok() ? kExitOk : Fail(status, kExitFailed);
}

}  // namespace qvg
