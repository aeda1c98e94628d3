#include "client/play_summary.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/json.h"
#include "client/sha256.h"

namespace qvg {

void PlaySummary::Add(const v1::ChunkDone& done, double at, double since_last) {
  frames += done.frames();
  seconds = at;
  if (chunk_s.empty()) first_frame_s = at;
  chunk_s.push_back(since_last);
  cache_bytes_bf16 = done.history_bf16_bytes();
  cache_bytes = done.history_bytes();
  packed_span_ratio = done.packed_span_ratio();
  whole_session_ratio = done.whole_session_ratio();
  deadlines_met += done.deadline() == v1::DEADLINE_STATE_MET;
  deadlines_missed += done.deadline() == v1::DEADLINE_STATE_MISSED;
  deadlines_infeasible += done.deadline() == v1::DEADLINE_STATE_INFEASIBLE;
  chunk_hashes += done.frames_sha256();
}

double PlaySummary::CacheRatio() const {
  return cache_bytes > 0 ? static_cast<double>(cache_bytes_bf16) / cache_bytes
                         : 0;
}

std::string PlaySummary::FramesHash() const {
  return absl::BytesToHexString(Sha256(chunk_hashes));
}

Progress PlaySummary::ProgressOf(uint64_t total_frames) const {
  return {frames, total_frames, seconds, cache_bytes, cache_bytes_bf16};
}

std::string ToJson(const PlaySummary& summary) {
  const std::vector<std::string> fields = {
      JsonField("model", summary.model),
      JsonField("codec", summary.codec),
      absl::StrCat("\"seed\":", summary.seed),
      absl::StrCat("\"steps\":", summary.steps),
      absl::StrCat("\"width\":", summary.width),
      absl::StrCat("\"height\":", summary.height),
      absl::StrCat("\"frames\":", summary.frames),
      absl::StrFormat("\"seconds\":%.6f", summary.seconds),
      absl::StrFormat("\"fps\":%.4f", summary.Fps()),
      absl::StrFormat("\"first_frame_s\":%.6f", summary.first_frame_s),
      absl::StrCat("\"cache_bytes_bf16\":", summary.cache_bytes_bf16),
      absl::StrCat("\"cache_bytes\":", summary.cache_bytes),
      absl::StrFormat("\"cache_ratio\":%.4f", summary.CacheRatio()),
      absl::StrFormat("\"packed_span_ratio\":%.4f", summary.packed_span_ratio),
      absl::StrFormat("\"whole_session_ratio\":%.4f",
                      summary.whole_session_ratio),
      absl::StrCat("\"deadlines_met\":", summary.deadlines_met),
      absl::StrCat("\"deadlines_missed\":", summary.deadlines_missed),
      absl::StrCat("\"deadlines_infeasible\":", summary.deadlines_infeasible),
      absl::StrCat("\"chunk_s\":[",
                   absl::StrJoin(summary.chunk_s, ",",
                                 [](std::string* out, double seconds) {
                                   absl::StrAppendFormat(out, "%.6f", seconds);
                                 }),
                   "]"),
      JsonField("frames_hash", summary.FramesHash()),
      JsonField("out", summary.out),
      JsonField("sheet", summary.sheet),
      absl::StrCat("\"interrupted\":", summary.interrupted ? "true" : "false"),
  };
  return absl::StrCat("{", absl::StrJoin(fields, ","), "}");
}

std::string ToText(const PlaySummary& summary) {
  std::string text = absl::StrFormat(
      "%s %dx%d, codec %s, seed %d, %d steps%s\n"
      "frames       %d in %.1f s: %.1f fps, first after %.2f s\n"
      "cache        %s instead of %s as BF16: %.2f times smaller\n"
      "deadlines    %d met, %d missed, %d infeasible\n"
      "frames hash  %s\n",
      summary.model, summary.width, summary.height, summary.codec, summary.seed,
      summary.steps, summary.interrupted ? ", interrupted" : "", summary.frames,
      summary.seconds, summary.Fps(), summary.first_frame_s,
      BytesText(summary.cache_bytes), BytesText(summary.cache_bytes_bf16),
      summary.CacheRatio(), summary.deadlines_met, summary.deadlines_missed,
      summary.deadlines_infeasible, summary.FramesHash());
  absl::StrAppend(&text, "video        ",
                  summary.out.empty() ? "not kept (no --out)" : summary.out,
                  "\n");
  if (!summary.sheet.empty()) {
    absl::StrAppend(&text, "sheet        ", summary.sheet, "\n");
  }
  return text;
}

}  // namespace qvg
