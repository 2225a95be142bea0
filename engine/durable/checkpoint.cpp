#include "durable/checkpoint.h"

#include <algorithm>
#include <utility>

#include "model/codec.h"

namespace koi::durable {

namespace {
constexpr std::uint8_t kept_version = 2;
constexpr std::size_t piece = 256;  // customers asked for at once: short for who steps meanwhile
}  // namespace

std::string encode(const Kept& kept) {
  ByteWriter out;
  out.byte(kept_version);
  out.hash(kept.chain);
  out.time(kept.stamp);
  out.text(kept.deeds);
  out.text(kept.walk);
  return out.take();
}

Result<Kept> decode_kept(std::string_view bytes) {
  ByteReader in(bytes);
  const std::uint8_t version = in.byte();
  Kept kept;
  kept.chain = in.hash();
  kept.stamp = in.time();
  kept.deeds = in.text();
  kept.walk = in.text();
  if (version == kept_version && in.ok() && in.at_end()) return kept;
  return Error{"corrupt", "what a checkpoint keeps beside its customers is damaged"};
}

Frozen freeze(Writer& writer, store::Group group, store::Epoch epoch, Deeds& deeds) {
  return {group,
          epoch,
          writer.position(),
          writer.stamp(),
          deeds.freeze(group),
          writer.customers().freeze(),
          writer.customers().layout(),
          writer.freeze_shared()};
}

Result<void> write(Frozen& frozen, const store::Journal& journal, store::Store& store,
                   const Take& take) {
  KOI_LET(const Hash128 chain, journal.chain(frozen.group, frozen.position));
  std::sort(frozen.changed.begin(), frozen.changed.end(),
            [](const Changed& a, const Changed& b) { return a.place < b.place; });
  const std::string kept = encode({chain, frozen.stamp, std::move(frozen.deeds), {}});
  std::span<const Changed> left = frozen.changed;
  std::vector<store::Saved> saved;
  return store.checkpoint(
      {frozen.group, frozen.epoch, frozen.position, kept, frozen.layout, frozen.shared},
      [&]() -> Result<std::span<const store::Saved>> {
        saved.clear();
        const auto now = left.first(std::min(left.size(), piece));
        left = left.subspan(now.size());
        if (!now.empty()) KOI_TRY(take(now, saved));
        return std::span<const store::Saved>(saved);
      });
}

void CheckpointTimes::stepped(std::size_t inputs, std::chrono::nanoseconds took) {
  inputs_ += inputs;
  tail_ += took;
}

bool CheckpointTimes::is_due(const Writer& writer, std::chrono::microseconds rested) const {
  if (tail_ >= rules_.tail || writer.percent_changed() >= rules_.percent_changed) return true;
  return writer.has_changed() && rested >= rules_.rest;
}

}  // namespace koi::durable
