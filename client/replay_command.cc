#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands.h"
#include "client/replay.h"

namespace qvg {
namespace {

constexpr char kUsage[] = "qvg replay FILE [flags]";
constexpr char kDetails[] =
    R"(Runs a session that `qvgd --record` has written again and compares the
SHA-256 of every chunk's frames.

Exit codes: 0 all frames are equal, 1 failed, 2 bad usage or no recording,
3 frames differ, 130 interrupted.)";

absl::StatusOr<Recording> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat("FILE is \"", path, "\"; it cannot be read"));
  }
  auto recording = ReadRecording(file);
  if (recording.ok()) return recording;
  return absl::Status(recording.status().code(),
                      absl::StrCat(path, ": ", recording.status().message()));
}

// Says what differs, and what may explain it.
void PrintDifference(Client& client, const Recording& recording,
                     const ReplayResult& result) {
  absl::PrintF("chunk %d differs: recorded %s, replayed %s\n",
               *result.first_difference, result.recorded_sha256,
               result.replayed_sha256);
  auto info = client.ServerInfo();
  if (!info.ok()) return;
  const v1::RecordingHeader& header = recording.header;
  if (info->device() != header.device()) {
    absl::PrintF("recorded on \"%s\", replayed on \"%s\"\n", header.device(),
                 info->device());
  }
  if (info->version() != header.server_version()) {
    absl::PrintF("recorded by qvgd %s, replayed by qvgd %s\n",
                 header.server_version(), info->version());
  }
}

}  // namespace

int ReplayCommand(const Arguments& arguments) {
  std::string server = DefaultServer();
  bool quiet = false;
  FlagSet set;
  set.Add("server", &server, "HOST:PORT of qvgd; also QVG_SERVER");
  set.Add("quiet", &quiet, "show no progress");
  Arguments words;
  int exit_code = kExitOk;
  if (!ParseCommand(kUsage, kDetails, arguments, 1, set, &words, &exit_code)) {
    return exit_code;
  }
  auto recording = ReadFile(words[0]);
  if (!recording.ok()) return Fail(recording.status(), kExitUsage);
  InterruptWatcher interrupts;
  auto client = Client::Connect(server);
  if (!client.ok()) return Fail(client.status(), kExitFailed);
  ProgressBar bar(stderr, isatty(STDERR_FILENO) == 1);
  auto result =
      Replay(**client, *recording, interrupts, quiet ? nullptr : &bar);
  bar.Finish();
  if (!result.ok() && interrupts.count() > 0) return kInterruptedExitCode;
  if (!result.ok()) return Fail(result.status(), kExitFailed);
  if (result->first_difference.has_value()) {
    PrintDifference(**client, *recording, *result);
    return kExitDifferent;
  }
  absl::PrintF("%d chunks replayed, all frames equal\n", result->chunks);
  return kExitOk;
}

}  // namespace qvg
