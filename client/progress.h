#ifndef CLIENT_PROGRESS_H_
#define CLIENT_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <string>

namespace qvg {

struct Progress {
  uint64_t frames = 0;
  uint64_t total_frames = 0;
  double seconds = 0;
  uint64_t cache_bytes = 0;
  uint64_t cache_bytes_bf16 = 0;
};

// "1.4 MiB".
std::string BytesText(uint64_t bytes);

// "[#####-----]  80/160 frames  17.8 fps  cache 1.4 MiB (7.0x)".
std::string ProgressLine(const Progress& progress);

// Shows progress on a terminal as one line that is written over, elsewhere as
// a line per quarter.
class ProgressBar {
 public:
  // Writes to `out`, which must outlive it.
  ProgressBar(FILE* out, bool terminal) : out_(out), terminal_(terminal) {}

  void Update(const Progress& progress);

  // Ends the line, so that other text can follow.
  void Finish();

 private:
  FILE* const out_;
  const bool terminal_;
  bool line_open_ = false;
  uint64_t quarters_ = 0;
  size_t width_ = 0;
};

}  // namespace qvg

#endif  // CLIENT_PROGRESS_H_
