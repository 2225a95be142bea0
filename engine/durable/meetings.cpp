#include "durable/meetings.h"

#include <algorithm>
#include <utility>

#include "model/codec.h"

namespace koi::durable {

namespace {

// Big endian, so that keys are in the order of the numbers.
std::string key_of(std::uint64_t number) {
  std::string key{meetings_mark};
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
  return key;
}

Error damaged_meetings() {
  return {"corrupt", "what a checkpoint keeps of customers who have met is damaged"};
}

}  // namespace

Result<bool> Meetings::learn(std::string_view key, std::string_view bytes, const plan::Plan& plan,
                             std::uint64_t rules) {
  if (key.empty() || key.front() != meetings_mark) return false;
  if (key.size() != 9) return damaged_meetings();
  std::uint64_t number = 0;
  for (const char each : key.substr(1)) number = number << 8 | static_cast<std::uint8_t>(each);
  ByteReader in(bytes);
  const std::uint64_t own = in.fixed64();
  if (in.ok() && own != rules)
    return Error{"rules",
                 "customers have met under other rules, and nobody has said yet whether they are "
                 "one person; start with those once more and stop cleanly, then start with these"};
  const std::string customer(in.text());
  Kept what;
  what.is_held = in.boolean();
  Told told;
  ByteReader rest(in.rest());
  if (!in.ok() || customer.empty() || !read(rest, plan, told)) return damaged_meetings();
  auto* const meeting = std::get_if<Meeting>(&told);
  if (!meeting) return damaged_meetings();
  what.meeting = std::move(*meeting);
  kept_[customer].push_back({number, std::move(what)});
  last_ = std::max(last_, number);
  return true;
}

void Meetings::keep(const std::string& customer, Kept what, std::uint64_t rules) {
  ByteWriter out;
  out.fixed64(rules);
  out.text(customer);
  out.boolean(what.is_held);
  write(out, Told(what.meeting));
  rows_.put(key_of(++last_), out.take());
  kept_[customer].push_back({last_, std::move(what)});
}

std::vector<Meetings::Kept> Meetings::take(std::string_view customer) {
  std::vector<Kept> taken;
  const auto place = kept_.find(customer);
  if (place == kept_.end()) return taken;
  for (Numbered& each : place->second) {
    rows_.erase(key_of(each.number));
    taken.push_back(std::move(each.what));
  }
  kept_.erase(place);
  if (kept_.empty()) last_ = 0;
  return taken;
}

}  // namespace koi::durable
