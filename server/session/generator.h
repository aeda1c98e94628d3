#ifndef SERVER_SESSION_GENERATOR_H_
#define SERVER_SESSION_GENERATOR_H_

#include <thread>
#include <vector>

#include "server/generator/video_model.h"
#include "server/session/dispatcher.h"

namespace qvg {

// The thread that alone calls Open and Advance of the model. It takes what the
// dispatcher decides, so many chunks at once as the model runs, and never waits
// for a client or an encoder, nor for more chunks than there are.
class Generator {
 public:
  // Both outlive the generator.
  Generator(VideoModel* model, Dispatcher* dispatcher);
  // Waits for the chunk under way; Dispatcher::Shutdown comes first.
  ~Generator();

 private:
  void Loop();
  void Open(Session& session);
  void Run(std::vector<GeneratorWork> works);
  void Finish(GeneratorWork work, ChunkJob job);

  VideoModel* model_;
  Dispatcher* dispatcher_;
  std::thread thread_;
};

}  // namespace qvg

#endif  // SERVER_SESSION_GENERATOR_H_
