#include "client/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace qvg {
namespace {

constexpr uint64_t kBarCells = 24;

}  // namespace

std::string BytesText(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = bytes;
  int unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  return unit == 0 ? absl::StrCat(bytes, " B")
                   : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string ProgressLine(const Progress& progress) {
  const uint64_t total = std::max<uint64_t>(progress.total_frames, 1);
  const uint64_t filled =
      std::min(kBarCells, progress.frames * kBarCells / total);
  const double fps =
      progress.seconds > 0 ? progress.frames / progress.seconds : 0;
  std::string line = absl::StrFormat(
      "[%s%s] %4d/%d frames  %5.1f fps", std::string(filled, '#'),
      std::string(kBarCells - filled, '-'), progress.frames,
      progress.total_frames, fps);
  if (progress.cache_bytes > 0) {
    absl::StrAppend(&line, "  cache ", BytesText(progress.cache_bytes),
                    absl::StrFormat(" (%.1fx)", static_cast<double>(
                                                    progress.cache_bytes_bf16) /
                                                    progress.cache_bytes));
  }
  return line;
}

void ProgressBar::Update(const Progress& progress) {
  const std::string line = ProgressLine(progress);
  if (terminal_) {
    width_ = std::max(width_, line.size());
    absl::FPrintF(out_, "\r%-*s", width_, line);
    line_open_ = true;
  } else {
    const uint64_t quarters =
        progress.frames * 4 / std::max<uint64_t>(progress.total_frames, 1);
    if (quarters > quarters_) absl::FPrintF(out_, "%s\n", line);
    quarters_ = quarters;
  }
  std::fflush(out_);
}

void ProgressBar::Finish() {
  if (line_open_) absl::FPrintF(out_, "\n");
  line_open_ = false;
  std::fflush(out_);
}

}  // namespace qvg
