// Batches: one group's batch as the journal's file holds it: packed, compressed, and chained to the
// batch before. Knows no file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "model/codec.h"
#include "store/journal.h"

struct ZSTD_CCtx_s;

namespace koi::store::detail {

struct Batch {
  Group group = 0;
  Position last = 0;
  std::uint64_t count = 0;  // of rows; at most `last`
  Epoch epoch = 0;
  Hash128 chain;           // the name of the group's history up to its end
  std::string_view bytes;  // as in the file

  Position first() const { return last - count + 1; }
  Position before() const { return last - count; }  // the end of the batch before
};

// The name of a history that goes on with this batch.
Hash128 chained(Hash128 before, const Batch& batch);

// Packs rows and compresses them. Keeps its room; not for two threads at once.
class Packer {
 public:
  static constexpr std::size_t longest_batch = 256u << 20;  // before it is compressed
  static constexpr std::size_t most_room = 4u << 20;        // that is kept from batch to batch

  Packer();
  ~Packer();
  Packer(const Packer&) = delete;

  // Writes them behind what `into` has. False where they are more than a batch may hold.
  bool pack(std::span<const Row> rows, std::string& into);

 private:
  ZSTD_CCtx_s* context_;
  std::string packed_;
};

// The rows of a batch, or nothing where the bytes are not what Packer made.
std::optional<std::vector<Row>> unpack(std::string_view bytes, std::size_t count);

// What stands beside a batch's bytes, without `last`, which the commit says of each group.
void write_part(ByteWriter& out, const Batch& batch);
// The group's batch of a commit, whose bytes stand one behind the other in `bytes`; nothing where
// it has none, or where what stands there is damaged.
std::optional<Batch> part_of(std::string_view parts, std::string_view bytes, Group group,
                             Position last);

}  // namespace koi::store::detail
