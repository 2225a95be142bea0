#include "seams.h"

#include "core/codec.h"
#include "durable/checkpoint.h"
#include "durable/input.h"

namespace koi::simulator {

namespace {

// An input of which nothing follows: an attempt at something that nobody sent.
std::string blank() { return durable::encode(durable::Given(durable::AttemptFor{"nobody", {}})); }

// The kinds of input by how they begin: what stands behind it is the plan's affair.
char kind_of(const durable::Given& given) { return durable::encode(given).front(); }

}  // namespace

Result<std::vector<store::Position>> JournalSeam::write(std::span<const store::Appended> batches) {
  if (control_ == Control::AnswersBeforeTheWrite) return hold(batches);
  if (control_ != Control::ReceiptsUnwritten && control_ != Control::AttemptsUnwritten &&
      control_ != Control::CallsUnwritten)
    return real_.write(batches);
  static const char receipt = kind_of(durable::ReceiptFor{"nobody", {}});
  static const char attempt = kind_of(durable::AttemptFor{"nobody", {}});
  static const char call = kind_of(core::Call());
  const char unwritten = control_ == Control::ReceiptsUnwritten   ? receipt
                         : control_ == Control::AttemptsUnwritten ? attempt
                                                                  : call;
  std::vector<std::vector<store::Row>> rows;
  std::vector<store::Appended> changed;
  for (const store::Appended& batch : batches) {
    auto& of_batch = rows.emplace_back(batch.rows.begin(), batch.rows.end());
    for (store::Row& row : of_batch)
      if (!row.bytes.empty() && row.bytes.front() == unwritten) row.bytes = blank();
  }
  for (std::size_t i = 0; i < batches.size(); ++i)
    changed.push_back({batches[i].group, batches[i].epoch, rows[i]});
  return real_.write(changed);
}

Result<std::vector<store::Position>> JournalSeam::hold(std::span<const store::Appended> batches) {
  KOI_TRY(write_held());
  std::vector<store::Position> last;
  for (const store::Appended& batch : batches) {
    KOI_LET(const store::Position before, real_.last(batch.group));
    last.push_back(before + batch.rows.size());
    held_.push_back({batch.group, batch.epoch, {batch.rows.begin(), batch.rows.end()}});
  }
  return last;
}

Result<void> JournalSeam::write_held() const {
  std::vector<store::Appended> batches;
  for (const Held& held : held_) batches.push_back({held.group, held.epoch, held.rows});
  if (batches.empty()) return {};
  KOI_TRY(real_.append(batches));
  held_.clear();
  return {};
}

Result<Hash128> JournalSeam::chain(store::Group group, store::Position position) const {
  KOI_TRY(write_held());
  return real_.chain(group, position);
}

Result<void> StoreSeam::checkpoint(const store::Checkpoint& what, const store::Pieces& pieces_of) {
  const store::Pieces changed = [&]() -> Result<std::span<const store::Saved>> {
    KOI_LET(const auto piece, pieces_of());
    for (const store::Saved& each : piece) peopled_.insert(each.partition);
    return piece;
  };
  store::Checkpoint other = what;
  KOI_LET(durable::Kept kept, durable::decode_kept(what.kept));
  bool is_first = true;
  std::vector<store::Shared> shared;
  store::Pieces pieces = changed;
  switch (control_) {
    case Control::CheckpointAhead: {
      KOI_LET(other.position, journal_.last(what.group));
      KOI_LET(kept.chain, journal_.chain(what.group, other.position));
      break;
    }
    case Control::CheckpointWithoutDeeds: kept.deeds.clear(); break;
    case Control::CheckpointWithoutStamp: kept.stamp = Timestamp::ever(); break;
    case Control::CheckpointWithoutChanges:
      pieces = [&]() -> Result<std::span<const store::Saved>> {
        KOI_LET(std::span<const store::Saved> piece, changed());
        if (!piece.empty() && std::exchange(is_first, false)) piece = piece.subspan(1);
        return piece;
      };
      break;
    case Control::PostingsUnwritten:
    case Control::AccountsUnwritten:
    case Control::PoolsUnwritten:
      for (const store::Shared& each : what.shared) {
        const std::string_view left_out = control_ == Control::PostingsUnwritten ? "p"
                                          : control_ == Control::PoolsUnwritten  ? "uqst"
                                                                                 : "";
        if (!left_out.empty() && left_out.find(each.key[0]) == left_out.npos)
          shared.push_back(each);
      }
      other.shared = shared;
      break;
    case Control::LettersUnwritten:
    case Control::LoansUnwritten: {
      const std::string_view left_out = control_ == Control::LoansUnwritten ? "e" : ">l";
      for (const store::Shared& each : what.shared)
        if (!each.key.starts_with(left_out)) shared.push_back(each);
      other.shared = shared;
      break;
    }
    case Control::MeetingsUnwritten:
      for (const store::Shared& each : what.shared)
        if (!each.key.starts_with("@") && !each.key.starts_with("?m")) shared.push_back(each);
      other.shared = shared;
      break;
    case Control::LettersUnmarked:
      for (const store::Shared& each : what.shared) {
        shared.push_back(each);
        if (each.key.starts_with(">t"))
          shared.back().bytes =
              std::exchange(marks_[std::to_string(what.group) + each.key], each.bytes);
      }
      other.shared = shared;
      break;
    default: return real_.checkpoint(what, changed);
  }
  const std::string bytes = durable::encode(kept);
  other.kept = bytes;
  return real_.checkpoint(other, pieces);
}

Result<std::vector<store::Saved>> StoreSeam::scan(Partition partition, std::string_view after,
                                                  std::size_t limit) const {
  // Of a thousand partitions a few have somebody; who ranks asks all of them.
  if (ranked_by_ && !peopled_.contains(partition)) return std::vector<store::Saved>();
  KOI_LET(auto saved, real_.scan(partition, after, limit));
  if (!ranked_by_ || control_ != Control::RankedByNow || saved.empty()) return saved;
  core::Codec codec(*ranked_by_);
  KOI_LET(const auto layouts, real_.layouts(groups_.group_of(partition)));
  for (const std::string& layout : layouts) KOI_TRY(codec.learn(layout));
  for (store::Saved& each : saved) {
    KOI_LET(core::State state, codec.decode(each.bytes));
    for (const plan::Tier& tier : ranked_by_->tiers)
      state.attribute_times[tier.taken.index()] = Timestamp::ever();
    each.bytes = codec.encode(state);
  }
  return saved;
}

}  // namespace koi::simulator
