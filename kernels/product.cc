#include "kernels/product.h"

#include <algorithm>

#include "kernels/decode_tile.h"
#include "kernels/product_internal.h"
#include "kernels/rows_internal.h"
#include "kernels/workspace.h"

namespace qvg::kernels {
namespace {

using internal::kProductTile;
using internal::ProductTile;
using internal::ProductTileFunction;
using internal::Tiles;

// What lies where in the workspace.
struct Layout {
  Layout(const ProductArgs& args, int workers, WorkspaceCutter* cutter) {
    const int64_t tile = int64_t{kProductTile} * args.rows.codec.head_dim;
    half_norms = cutter->Take<float>(int64_t{args.rows.heads} * args.parts *
                                     kProductEntries);
    rows = cutter->Take<float>(workers * tile);
    columns = cutter->Take<float>(2 * workers * tile);
    codes = cutter->Take<uint8_t>(workers * tile);
  }

  float* half_norms;  // [H,P,256]
  float* rows;        // [workers,kProductTile,D]
  float* columns;     // [workers,2,D,kProductTile]
  uint8_t* codes;     // [workers,P,kProductTile], with room for P = D
};

void HalfNorms(const ProductArgs& args, int head, float* half_norms) {
  const int width = args.rows.codec.head_dim / args.parts;
  const float* entry = internal::CodebookOf(args, head);
  for (int i = 0; i < args.parts * kProductEntries; ++i, entry += width) {
    float sum = 0;
    for (int w = 0; w < width; ++w) sum += entry[w] * entry[w];
    half_norms[i] = sum / 2;
  }
}

ProductTile TileOf(const ProductArgs& args, const Layout& layout, int64_t item,
                   int worker) {
  const int64_t tiles = Tiles(args.rows.tokens, kProductTile);
  const int64_t floats = int64_t{kProductTile} * args.rows.codec.head_dim;
  ProductTile tile;
  tile.head = static_cast<int>(item / tiles);
  tile.first = item % tiles * kProductTile;
  tile.count = static_cast<int>(
      std::min<int64_t>(kProductTile, args.rows.tokens - tile.first));
  tile.half_norms =
      layout.half_norms + int64_t{tile.head} * args.parts * kProductEntries;
  tile.rows = layout.rows + worker * floats;
  tile.columns = layout.columns + 2 * worker * floats;
  tile.codes = layout.codes + worker * floats;
  return tile;
}

Error Run(ProductTileFunction encode, const ProductArgs& args, void* workspace,
          size_t bytes, ParallelFor& parallel_for) {
  Error error = internal::CheckProduct(args);
  if (!error.ok()) return error;
  error = CheckWorkspace(workspace, bytes,
                         ProductWorkspaceBytes(args, parallel_for));
  if (!error.ok()) return error;
  WorkspaceCutter cutter(workspace);
  const Layout layout(args, parallel_for.workers(), &cutter);
  const int64_t head_norms = int64_t{args.parts} * kProductEntries;
  parallel_for(args.rows.heads, [&](int64_t head, int) {
    HalfNorms(args, static_cast<int>(head),
              layout.half_norms + head * head_norms);
  });
  const int64_t tiles = Tiles(args.rows.tokens, kProductTile);
  parallel_for(args.rows.heads * tiles, [&](int64_t item, int worker) {
    const ProductTile tile = TileOf(args, layout, item, worker);
    DecodeTile(args.rows, tile.head, tile.first, tile.count, tile.rows);
    encode(args, tile);
  });
  return Error::Ok();
}

}  // namespace

Error internal::CheckProduct(const ProductArgs& args) {
  const Error error = Check(args.rows);
  if (!error.ok()) return error;
  const CodecDescriptor& codec = args.rows.codec;
  if (codec.encoding != Encoding::kF32 && codec.encoding != Encoding::kBf16) {
    return Error::Invalid("rows: must be unpacked");
  }
  if (args.parts < 1 || codec.head_dim % args.parts != 0) {
    return Error::Invalid("parts: must divide head_dim");
  }
  if (args.tables.rotation == nullptr || args.tables.mean == nullptr ||
      args.tables.codebook == nullptr) {
    return Error::Invalid("tables: null");
  }
  if (args.rows.tokens > 0 &&
      (args.codes == nullptr || args.scales == nullptr)) {
    return Error::Invalid("codes, scales: null");
  }
  return Error::Ok();
}

size_t ProductWorkspaceBytes(const ProductArgs& args,
                             const ParallelFor& parallel_for) {
  WorkspaceCutter cutter;
  Layout(args, parallel_for.workers(), &cutter);
  return cutter.bytes();
}

Error EncodeProduct(const ProductArgs& args, void* workspace,
                    size_t workspace_bytes, ParallelFor& parallel_for) {
  return Run(&internal::ProductTileFast, args, workspace, workspace_bytes,
             parallel_for);
}

Error EncodeProductReference(const ProductArgs& args, void* workspace,
                             size_t workspace_bytes,
                             ParallelFor& parallel_for) {
  return Run(&internal::ProductTileReference, args, workspace, workspace_bytes,
             parallel_for);
}

}  // namespace qvg::kernels
