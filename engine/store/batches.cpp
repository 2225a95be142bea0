#include <zstd.h>

#include <algorithm>

#include "base/assert.h"
#include "store/detail/batches.h"

namespace koi::store::detail {

Hash128 chained(Hash128 before, const Batch& batch) {
  ByteWriter header;
  header.hash(before);
  header.unsigned_(batch.group);
  header.unsigned_(batch.first());
  header.unsigned_(batch.last);
  header.unsigned_(batch.epoch);
  header.hash(hash128(batch.bytes));
  return hash128(header.bytes());
}

Packer::Packer() : context_(ZSTD_createCCtx()) { KOI_ASSERT(context_ != nullptr); }
Packer::~Packer() { ZSTD_freeCCtx(context_); }

bool Packer::pack(std::span<const Row> rows, std::string& into) {
  packed_.clear();
  ByteWriter packed(std::move(packed_));
  for (const Row& row : rows) {
    packed.unsigned_(row.partition);
    packed.text(row.bytes);
    if (packed.bytes().size() > longest_batch) return false;
  }
  packed_ = packed.take();
  ByteWriter head(std::move(into));
  head.fixed64(packed_.size());
  into = head.take();
  const std::size_t at = into.size();
  into.resize(at + ZSTD_compressBound(packed_.size()));
  const std::size_t size = ZSTD_compressCCtx(context_, into.data() + at, into.size() - at,
                                             packed_.data(), packed_.size(), 1);
  KOI_ASSERT(ZSTD_isError(size) == 0);
  into.resize(at + size);
  if (packed_.capacity() > most_room) packed_ = {};
  return true;
}

std::optional<std::vector<Row>> unpack(std::string_view bytes, std::size_t count) {
  const std::string_view head = bytes.substr(0, 8);
  const std::string_view compressed = bytes.substr(head.size());
  const std::uint64_t size = ByteReader(head).fixed64();
  if (head.size() < 8 || size > Packer::longest_batch) return std::nullopt;
  std::string packed(size, '\0');
  const std::size_t got =
      ZSTD_decompress(packed.data(), packed.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(got) != 0 || got != size) return std::nullopt;
  ByteReader in(packed);
  std::vector<Row> rows;
  rows.reserve(std::min(count, packed.size()));
  while (in.ok() && !in.at_end()) {
    const std::uint64_t partition = in.unsigned_();
    if (partition >= partition_count) return std::nullopt;
    rows.push_back({static_cast<Partition>(partition), std::string(in.text())});
  }
  if (!in.ok() || rows.size() != count) return std::nullopt;
  return rows;
}

void write_part(ByteWriter& out, const Batch& batch) {
  out.unsigned_(batch.group);
  out.unsigned_(batch.count);
  out.unsigned_(batch.epoch);
  out.hash(batch.chain);
  out.unsigned_(batch.bytes.size());
}

std::optional<Batch> part_of(std::string_view parts, std::string_view bytes, Group group,
                             Position last) {
  ByteReader in(parts);
  while (in.ok() && !in.at_end()) {
    Batch batch;
    const std::uint64_t of = in.unsigned_();
    batch.count = in.unsigned_();
    batch.epoch = in.unsigned_();
    batch.chain = in.hash();
    const std::uint64_t size = in.unsigned_();
    if (!in.ok() || size > bytes.size()) return std::nullopt;
    if (of != group) {
      bytes.remove_prefix(size);
      continue;
    }
    if (batch.count == 0 || batch.count > last) return std::nullopt;
    batch.group = group;
    batch.last = last;
    batch.bytes = bytes.substr(0, size);
    return batch;
  }
  return std::nullopt;
}

}  // namespace koi::store::detail
