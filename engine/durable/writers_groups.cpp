// Writers, between groups: letters on their way, and what is known of them at a start and a stop.
#include <algorithm>
#include <utility>

#include "durable/writers.h"

namespace koi::durable {

// Into the journals of those whom they are for.
Result<void> Writers::bring(const std::vector<Letter>& letters) {
  if (letters.empty()) return {};
  std::vector<std::vector<Part>> parts(groups_.size());
  std::vector<store::Row> room;
  for (const Letter& letter : letters) {
    std::atomic<std::uint64_t>& sent = groups_[letter.from]->sent[letter.to];
    sent = std::max(sent.load(), letter.number);
    if (world_.carry && !world_.carry(letter)) continue;
    KOI_LET(LetterFrom came, read(letter, world_.plan));
    Item item{std::move(came), letter.to, nullptr, 0};
    if (const auto customer = customer_of(item.given); !customer.empty())
      item.partition = partition_of(customer);
    add(parts[letter.to], Lane::Inner, std::move(item), room);
  }
  spare_.give(std::move(room));
  for (const auto& group : groups_) take_in(*group, std::move(parts[group->number]));
  wake_committer();
  return {};
}

// What it has taken is durable and stepped: they need not keep it any more.
void Writers::tell_senders(Group& group) {
  if (groups_.size() == 1) return;
  const Letters& letters = group.writer.letters();
  for (const auto& from : groups_) from->arrived[group.number] = letters.taken(from->number);
}

void Writers::forget_arrived(Group& group) {
  if (groups_.size() == 1) return;
  for (const auto& to : groups_)
    group.writer.letters().arrived(to->number, group.arrived[to->number]);
}

void Writers::note_undecided(Group& group) {
  const Waiting& waiting = group.writer.waiting();
  group.undecided = waiting.size();
  group.undecided_bytes = waiting.bytes();
  group.undecided_since = waiting.oldest().us;
}

bool Writers::is_all_arrived() const {
  return std::all_of(groups_.begin(), groups_.end(), [&](const auto& group) {
    for (std::size_t to = 0; to < groups_.size(); ++to)
      if (group->sent[to] != group->arrived[to]) return false;
    return true;
  });
}

// What the groups say of one another at a start: letters that have arrived are on their way no
// more, and the others can be read.
Result<void> Writers::check_letters() {
  for (const auto& from : groups_) {
    note_undecided(*from);
    for (const auto& to : groups_) {
      Letters& letters = from->writer.letters();
      const std::uint64_t taken = to->writer.letters().taken(from->number);
      if (taken > letters.last(to->number))
        return Error{"foreign", "group " + std::to_string(to->number) +
                                    " has taken letters that group " +
                                    std::to_string(from->number) +
                                    " has not written; put back the files that belong together"};
      letters.arrived(to->number, taken);
      from->sent[to->number] = letters.last(to->number);
      from->arrived[to->number] = taken;
      for (const Letter& letter : letters.open(to->number))
        if (letter.rules != world_.rules)
          return Error{"rules",
                       "letters between groups are on their way that other rules have "
                       "written; start with those once more and stop cleanly, then start "
                       "with these"};
    }
  }
  return {};
}

Result<void> Writers::resend() {
  for (const auto& from : groups_) {
    forget_arrived(*from);
    from->writer.letters().take_new();
    for (const auto& to : groups_) {
      const auto& open = from->writer.letters().open(to->number);
      KOI_TRY(bring({open.begin(), open.end()}));
    }
  }
  return {};
}

Result<void> Writers::finish() {
  door_closed_ = true;
  for (bool goes_on = true; goes_on;) {
    KOI_LET(goes_on, commit());
    for (const auto& group : groups_)
      for (bool has_stepped = true; has_stepped;) {
        KOI_LET(has_stepped, step(group->number));
        goes_on = goes_on || has_stepped;
      }
  }
  for (const auto& group : groups_) {
    forget_arrived(*group);
    if (lacks_checkpoint(*group)) KOI_TRY(checkpoint(group->number));
  }
  return {};
}

}  // namespace koi::durable
