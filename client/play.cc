#include "client/play.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/codec_spec.h"
#include "client/contact_sheet.h"
#include "client/media_sink.h"
#include "client/progress.h"
#include "client/script.h"
#include "client/session.h"

namespace qvg {
namespace {

using Clock = std::chrono::steady_clock;

bool HasControl(const v1::Model& model, absl::string_view name) {
  return std::any_of(
      model.controls().begin(), model.controls().end(),
      [&](const v1::ControlInfo& control) { return control.name() == name; });
}

std::string ScriptText(const PlayOptions& options, const v1::Model& model) {
  if (options.script.has_value()) return *options.script;
  const bool walks = HasControl(model, "forward") &&
                     HasControl(model, "left") && HasControl(model, "right");
  return walks ? kTourScript : "";
}

v1::Start MakeStart(const PlayOptions& options, const v1::Model& model,
                    uint64_t chunks) {
  v1::Start start;
  start.set_model(model.name());
  start.set_prompt(options.prompt);
  start.set_seed(options.seed);
  if (options.codec.has_value()) *start.mutable_cache_spec() = *options.codec;
  start.set_steps(options.steps);
  start.set_output_format(options.format);
  start.set_max_chunks(chunks);
  return start;
}

absl::Status WriteSheetFile(const std::string& path, const std::string& png) {
  FILE* file = std::fopen(path.c_str(), "wb");
  bool good = file != nullptr &&
              std::fwrite(png.data(), 1, png.size(), file) == png.size();
  if (file != nullptr) good &= std::fclose(file) == 0;
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--sheet is \"", path, "\"; cannot write there"));
}

// What would keep a sheet from being written once there are frames for it.
absl::Status CheckSheet(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  absl::Status status = EncodePng({1, 1, {0, 0, 0}}).status();
  return status.ok() ? WriteSheetFile(path, "") : status;
}

absl::Status WriteSheet(const ContactSheet& sheet, const Session& session,
                        const std::string& path) {
  auto picture = sheet.Render(session.started(), session.init_segment());
  if (!picture.ok()) return picture.status();
  auto png = EncodePng(*picture);
  return png.ok() ? WriteSheetFile(path, *png) : png.status();
}

// One run of `qvg play`.
class Player {
 public:
  Player(Client& client, const PlayOptions& options,
         InterruptWatcher& interrupts, FILE* progress)
      : client_(client),
        options_(options),
        interrupts_(interrupts),
        progress_(progress),
        bar_(progress, progress != nullptr && isatty(fileno(progress)) == 1) {}

  absl::Status Open() {
    auto model = client_.FindModel(options_.model);
    if (!model.ok()) return model.status();
    const uint64_t per_chunk = std::max(1u, model->frames_per_chunk());
    chunks_ = (options_.frames + per_chunk - 1) / per_chunk;
    frames_ = chunks_ * per_chunk;
    auto script = ParseScript(ScriptText(options_, *model));
    if (!script.ok()) return script.status();
    TrimScript(frames_, &*script);
    sheet_ = std::make_unique<ContactSheet>(options_.sheet_frames, frames_);
    start_time_ = last_time_ = Clock::now();
    auto session = Session::Open(client_, MakeStart(options_, *model, chunks_));
    if (!session.ok()) return session.status();
    session_ = *std::move(session);
    // Files only now: a session that is refused costs nobody an old video.
    absl::Status sheet = CheckSheet(options_.sheet);
    if (!sheet.ok()) return sheet;
    auto sink = OpenMediaSink(options_.format, options_.out);
    if (!sink.ok()) return sink.status();
    sink_ = *std::move(sink);
    Describe();
    Begin(*script);
    return absl::OkStatus();
  }

  // Until the session has ended.
  absl::Status Run() {
    interrupts_.SetHandler([this](int count) {
      count == 1 ? session_->SendStop() : session_->Cancel();
    });
    absl::Status status = HandleEvents();
    interrupts_.SetHandler(nullptr);
    return status;
  }

  // Closes files whatever Run said; its error comes first.
  absl::Status Finish(absl::Status status) {
    if (progress_ != nullptr) bar_.Finish();
    summary_.interrupted = interrupted();
    if (interrupted() && absl::IsCancelled(status)) status = absl::OkStatus();
    status.Update(sink_->Close());
    if (!options_.sheet.empty() && summary_.frames > 0) {
      status.Update(WriteSheet(*sheet_, *session_, options_.sheet));
      summary_.sheet = options_.sheet;
    }
    return status;
  }

  const PlaySummary& summary() const { return summary_; }

 private:
  bool interrupted() const { return interrupts_.count() > 0; }

  absl::Status HandleEvents() {
    for (;;) {
      absl::StatusOr<SessionEvent> event = session_->Next();
      if (absl::IsOutOfRange(event.status())) return absl::OkStatus();
      if (!event.ok()) return event.status();
      absl::Status status =
          std::visit([this](const auto& e) { return Handle(e); }, *event);
      if (!status.ok()) return status;
    }
  }

  void Describe() {
    const v1::Started& started = session_->started();
    summary_.model = started.model();
    summary_.codec = CodecSpecText(started.cache_spec());
    summary_.seed = options_.seed;
    summary_.steps = started.steps();
    summary_.width = started.width();
    summary_.height = started.height();
    summary_.out = options_.out;
  }

  void Begin(const std::vector<v1::Control>& script) {
    if (!script.empty()) {
      v1::Action action;
      action.set_event_id(1);
      action.set_start_frame(0);
      action.mutable_controls()->Assign(script.begin(), script.end());
      session_->Send(action);
    }
    last_time_ = Clock::now();
    const uint32_t limit = session_->started().limits().max_credit_chunks();
    session_->FlowCredit(
        limit > 0 ? std::min<int>(options_.credit, limit) : options_.credit,
        chunks_);
  }

  absl::Status Handle(const Chunk& chunk) {
    const Clock::time_point now = Clock::now();
    const auto seconds = [&](Clock::time_point since) {
      return std::chrono::duration<double>(now - since).count();
    };
    summary_.Add(chunk.done, seconds(start_time_), seconds(last_time_));
    last_time_ = now;
    if (!options_.sheet.empty()) sheet_->Add(chunk);
    if (progress_ != nullptr) bar_.Update(summary_.ProgressOf(frames_));
    return sink_->Write(session_->init_segment(), chunk);
  }

  absl::Status Handle(const v1::Receipt& receipt) {
    if (receipt.state() != v1::RECEIPT_STATE_REJECTED) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the script was rejected: ", receipt.reason()));
  }

  absl::Status Handle(const v1::Pong&) { return absl::OkStatus(); }

  absl::Status Handle(const v1::Ended& ended) {
    if (summary_.frames >= frames_ || interrupted()) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat(
        "the server ended the session after ", summary_.frames, " of ", frames_,
        " frames (", v1::EndedReason_Name(ended.reason()), ") ",
        ended.detail()));
  }

  Client& client_;
  const PlayOptions& options_;
  InterruptWatcher& interrupts_;
  FILE* const progress_;
  ProgressBar bar_;
  uint64_t chunks_ = 0;
  uint64_t frames_ = 0;
  std::unique_ptr<MediaSink> sink_;
  std::unique_ptr<ContactSheet> sheet_;
  std::unique_ptr<Session> session_;
  Clock::time_point start_time_;
  Clock::time_point last_time_;
  PlaySummary summary_;
};

}  // namespace

absl::StatusOr<PlaySummary> Play(Client& client, const PlayOptions& options,
                                 InterruptWatcher& interrupts, FILE* progress) {
  Player player(client, options, interrupts, progress);
  if (absl::Status status = player.Open(); !status.ok()) return status;
  absl::Status status = player.Finish(player.Run());
  if (!status.ok()) return status;
  return player.summary();
}

}  // namespace qvg
