#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/codec_spec.h"
#include "client/commands.h"
#include "client/play.h"
#include "client/script.h"

namespace qvg {
namespace {

constexpr char kUsage[] = "qvg play [flags]";
constexpr char kDetails[] =
    R"(Plays one session: sends a script of controls and keeps the video.

The script is sent whole before the first chunk is asked for, so the same
model, seed, codec, steps and script give the same frames. With --json one
object goes to standard output:
  frames            frames received, whole chunks
  fps               frames over the seconds from start to last chunk
  first_frame_s     seconds from start to the first chunk
  cache_bytes_bf16  bytes of the history as BF16
  cache_bytes       bytes of the history as stored
  cache_ratio       cache_bytes_bf16 / cache_bytes
  chunk_s           seconds between chunks, the first from the first credit
  frames_hash       SHA-256 over the chunks' SHA-256 of their raw RGB24
                    frames, in order
and model, codec, seed, steps, width, height, seconds, packed_span_ratio,
whole_session_ratio, deadlines_met, deadlines_missed, deadlines_infeasible,
out, sheet, interrupted.

Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted (files are whole).)";

struct PlayFlags {
  PlayOptions options;
  std::string server = DefaultServer();
  std::string codec;
  std::string script = kTourScript;
  std::string format = "h264";
  int steps = 0;
  bool json = false;
  bool quiet = false;
};

void AddFlags(PlayFlags* flags, FlagSet* set) {
  set->Add("server", &flags->server, "HOST:PORT of qvgd; also QVG_SERVER");
  set->Add("model", &flags->options.model, "a name of `qvg models`");
  set->Add("prompt", &flags->options.prompt, "what to show, if the model asks");
  set->Add("seed", &flags->options.seed, "any number");
  set->Add("steps", &flags->steps, "denoise steps; 0: the model's default");
  set->Add("codec", &flags->codec,
           "how the history is stored: CODEC[:FIELD=VALUE,...],\n"
           "such as qvg:bits=4,block=32; empty: the model's default");
  set->Add("script", &flags->script,
           "controls such as forward*40,left*32, idle after them");
  set->Add("frames", &flags->options.frames,
           "frames to play, rounded up to whole chunks");
  set->Add("format", &flags->format, "h264, jpeg or raw");
  set->Add("out", &flags->options.out,
           "file (h264: MP4, raw: RGB24; - is standard output) or\n"
           "folder (jpeg)");
  set->Add("sheet", &flags->options.sheet, "PNG file of evenly spaced frames");
  set->Add("sheet-frames", &flags->options.sheet_frames, "frames on the sheet");
  set->Add("credit", &flags->options.credit,
           "chunks that the server may be ahead");
  set->Add("json", &flags->json, "print a JSON summary to standard output");
  set->Add("quiet", &flags->quiet, "show no progress");
}

absl::Status ParseFormat(const std::string& text, v1::OutputFormat* format) {
  if (text == "h264") {
    *format = v1::OUTPUT_FORMAT_H264_FMP4;
  } else if (text == "jpeg") {
    *format = v1::OUTPUT_FORMAT_JPEG;
  } else if (text == "raw") {
    *format = v1::OUTPUT_FORMAT_RAW_RGB24;
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "--format is \"", text, "\"; it must be h264, jpeg or raw"));
  }
  return absl::OkStatus();
}

absl::Status CheckRange(absl::string_view flag, uint64_t value, uint64_t low,
                        uint64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag, " is ", value, "; it must be ", low, " to ", high));
}

// What can be told to be wrong without a server.
absl::Status Resolve(const FlagSet& set, PlayFlags* flags) {
  PlayOptions& options = flags->options;
  absl::Status status = ParseFormat(flags->format, &options.format);
  status.Update(CheckRange("frames", options.frames, 1, 10000000));
  status.Update(CheckRange("steps", flags->steps, 0, 1000));
  status.Update(CheckRange("credit", options.credit, 1, 1000));
  status.Update(CheckRange("sheet-frames", options.sheet_frames, 1, 400));
  status.Update(ParseScript(flags->script).status());
  if (options.out == "-" && flags->json) {
    status.Update(absl::InvalidArgumentError(
        "--out=- and --json both want standard output"));
  }
  options.steps = flags->steps;
  if (set.Given("script")) options.script = flags->script;
  if (!flags->codec.empty()) {
    auto codec = ParseCodecSpec(flags->codec);
    if (codec.ok()) options.codec = *codec;
    status.Update(codec.status());
  }
  return status;
}

}  // namespace

int PlayCommand(const Arguments& arguments) {
  PlayFlags flags;
  FlagSet set;
  AddFlags(&flags, &set);
  Arguments words;
  int exit_code = kExitOk;
  if (!ParseCommand(kUsage, kDetails, arguments, 0, set, &words, &exit_code)) {
    return exit_code;
  }
  if (absl::Status status = Resolve(set, &flags); !status.ok()) {
    return Fail(status, kExitUsage);
  }
  InterruptWatcher interrupts;
  auto client = Client::Connect(flags.server);
  if (!client.ok()) return Fail(client.status(), kExitFailed);
  auto summary =
      Play(**client, flags.options, interrupts, flags.quiet ? nullptr : stderr);
  if (!summary.ok()) return Fail(summary.status(), kExitFailed);
  if (flags.json) {
    absl::PrintF("%s\n", ToJson(*summary));
  } else {
    absl::FPrintF(flags.options.out == "-" ? stderr : stdout, "%s",
                  ToText(*summary));
  }
  return summary->interrupted ? kInterruptedExitCode : kExitOk;
}

}  // namespace qvg
