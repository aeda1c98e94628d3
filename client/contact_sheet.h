#ifndef CLIENT_CONTACT_SHEET_H_
#define CLIENT_CONTACT_SHEET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/picture.h"
#include "client/session.h"

namespace qvg {

// Picks evenly spaced frames out of a session as it runs and lays them out on
// one picture, row by row. Keeps only the chunks that it needs.
class ContactSheet {
 public:
  // `pictures` frames out of `total_frames`, first and last among them.
  ContactSheet(int pictures, uint64_t total_frames);

  void Add(const Chunk& chunk);

  // The sheet of what was added so far; FAILED_PRECONDITION if that is none
  // of the frames.
  absl::StatusOr<Picture> Render(const v1::Started& started,
                                 const std::string& init_segment) const;

 private:
  struct Kept {
    Chunk chunk;
    std::vector<uint32_t> frames;  // within the chunk
  };

  std::vector<uint64_t> wanted_;
  std::vector<Kept> kept_;
};

// Pictures of equal size side by side, rows of about the square root of their
// number, with a thin line between them.
Picture Tile(const std::vector<Picture>& pictures);

}  // namespace qvg

#endif  // CLIENT_CONTACT_SHEET_H_
