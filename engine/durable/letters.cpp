#include "durable/letters.h"

#include <utility>

#include "model/codec.h"

namespace koi::durable {

namespace {

enum class LetterRow : char { Letter = 'l', Sent = 's', Taken = 't' };

// Big endian, so that keys are in the order of the numbers.
void append(std::string& key, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    key.push_back(static_cast<char>(number >> shift));
}

std::uint64_t number_in(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char each : bytes) number = number << 8 | static_cast<std::uint8_t>(each);
  return number;
}

std::string key_of(LetterRow what, store::Group group) {
  std::string key{letters_mark, static_cast<char>(what)};
  append(key, group, 2);
  return key;
}

std::string key_of(const Letter& letter) {
  std::string key = key_of(LetterRow::Letter, letter.to);
  append(key, letter.number, 8);
  return key;
}

std::string bytes_of(std::uint64_t number) {
  ByteWriter out;
  out.unsigned_(number);
  return out.take();
}

Error damaged_letters() {
  return {"corrupt", "what a checkpoint keeps of the letters between groups is damaged"};
}

}  // namespace

Result<LetterFrom> read(const Letter& letter, const plan::Plan& plan) {
  LetterFrom came{letter.from, letter.number, {}};
  ByteReader in(letter.told);
  if (!read(in, plan, came.told)) return damaged_letters();
  return came;
}

Letters::Letters(store::Group own, store::Groups groups, Rows& rows)
    : own_(own), rows_(rows), to_(groups.count), from_(groups.count) {}

Result<bool> Letters::learn(std::string_view key, std::string_view bytes) {
  if (key.empty() || key.front() != letters_mark) return false;
  if (key.size() < 4) return damaged_letters();
  const auto group = static_cast<store::Group>(number_in(key.substr(2, 2)));
  if (group >= to_.size() || group == own_) return damaged_letters();
  ByteReader in(bytes);
  switch (static_cast<LetterRow>(key[1])) {
    case LetterRow::Letter: {
      if (key.size() != 12) return damaged_letters();
      Letter letter{own_, group, number_in(key.substr(4)), in.fixed64(), {}};
      letter.told = in.rest();
      auto& open = to_[group].open;
      // Of a replay that keeps no others there are gaps between them.
      if (!in.ok() || letter.number == 0 || (!open.empty() && open.back().number >= letter.number))
        return damaged_letters();
      open.push_back(std::move(letter));
      return true;
    }
    case LetterRow::Sent: to_[group].last = in.unsigned_(); break;
    case LetterRow::Taken: from_[group] = in.unsigned_(); break;
    default: return damaged_letters();
  }
  if (key.size() != 4 || !in.ok() || !in.at_end()) return damaged_letters();
  return true;
}

void Letters::write(store::Group to, std::uint64_t rules, const Told& told) {
  KOI_ASSERT(to != own_);
  To& there = to_[to];
  rows_.put(key_of(LetterRow::Sent, to), bytes_of(++there.last));
  const bool is_kept =
      keeps_ == Keeps::All || (keeps_ == Keeps::Arrivals && std::holds_alternative<Arrival>(told));
  if (!is_kept) return;
  ByteWriter out;
  durable::write(out, told);
  Letter letter{own_, to, there.last, rules, out.take()};
  ByteWriter row;
  row.fixed64(rules);
  rows_.put(key_of(letter), row.take() + letter.told);
  new_.push_back(letter);
  there.open.push_back(std::move(letter));
}

void Letters::arrived(store::Group to, std::uint64_t up_to) {
  auto& open = to_[to].open;
  while (!open.empty() && open.front().number <= up_to) {
    rows_.erase(key_of(open.front()));
    open.pop_front();
  }
}

bool Letters::takes(store::Group from, std::uint64_t number) {
  if (from >= from_.size() || from == own_ || number != from_[from] + 1) return false;
  from_[from] = number;
  rows_.put(key_of(LetterRow::Taken, from), bytes_of(number));
  return true;
}

}  // namespace koi::durable
