#include "ledger/ledger.h"

#include <string>

#include "base/decimal.h"

namespace koi::ledger {

namespace {

constexpr std::array<std::string_view, stage_count> names{
    "budget", "reserved", "given", "claimed", "lapsed", "returned", "clawed_back", "transit"};

// A customer may hold it.
bool is_held(Stage stage) {
  return stage == Stage::Reserved || stage == Stage::Given || stage == Stage::Claimed;
}

bool leads(Stage from, Stage to) {
  if (to == Stage::Transit) return is_held(from);
  switch (from) {
    case Stage::Budget: return to == Stage::Reserved;
    case Stage::Reserved: return to == Stage::Given || to == Stage::Returned;
    case Stage::Given:
      return to == Stage::Claimed || to == Stage::Lapsed || to == Stage::ClawedBack ||
             to == Stage::Returned;
    case Stage::Claimed: return to == Stage::ClawedBack || to == Stage::Given;
    case Stage::Lapsed:
    case Stage::ClawedBack: return to == Stage::Returned;
    case Stage::Transit: return is_held(to);
    case Stage::Returned: return false;
  }
  KOI_ASSERT(false);
}

std::string describe(const Pot& pot) {
  std::string text = "the account " + to_hex({0, pot.of}).substr(16);
  if (pot.begin != Timestamp::ever()) text += " from " + to_string(pot.begin, utc());
  return text;
}

}  // namespace

std::string_view name_of(Stage stage) { return names[static_cast<std::size_t>(stage)]; }

std::int64_t Balances::sum() const {
  std::int64_t all = 0;
  for (const std::int64_t each : at) all += each;
  return all;
}

Result<void> Ledger::post(const Posting& posting) {
  if (!leads(posting.from, posting.to))
    return Error{"stages", "nothing goes from " + std::string(name_of(posting.from)) + " to " +
                               std::string(name_of(posting.to))};
  if (posting.amount <= 0) return Error{"amount", "a posting moves more than nothing"};
  const auto place = pots_.find(posting.pot);
  const Balances before = place == pots_.end() ? Balances{} : place->second;
  const auto from = checked_subtract(before[posting.from], posting.amount);
  const auto to = checked_add(before[posting.to], posting.amount);
  if (!from || !to) return Error{"amount", describe(posting.pot) + " holds more than fits"};
  if (*from < 0 && posting.from != Stage::Budget && posting.from != Stage::Transit)
    return Error{"overdrawn", describe(posting.pot) + " has less " +
                                  std::string(name_of(posting.from)) + " than is to be moved"};
  Balances& balances = place == pots_.end() ? pots_[posting.pot] : place->second;
  balances[posting.from] = *from;
  balances[posting.to] = *to;
  return {};
}

Balances Ledger::balances(const Pot& pot) const {
  const auto place = pots_.find(pot);
  return place == pots_.end() ? Balances{} : place->second;
}

Result<void> verify(std::span<const Posting> postings, const std::map<Pot, Balances>& balances) {
  Ledger again;
  for (const Posting& posting : postings) KOI_TRY(again.post(posting));
  return compare(again, balances);
}

Result<void> compare(const Ledger& again, const std::map<Pot, Balances>& balances) {
  const auto same = [&](const Pot& pot, const Balances& is,
                        const Balances& should) -> Result<void> {
    for (std::size_t i = 0; i < stage_count; ++i)
      if (is.at[i] != should.at[i])
        return Error{"differs", describe(pot) + " has " + std::to_string(is.at[i]) + " " +
                                    std::string(names[i]) + ", its postings make " +
                                    std::to_string(should.at[i])};
    return {};
  };
  for (const auto& [pot, should] : again.pots()) {
    const auto place = balances.find(pot);
    KOI_TRY(same(pot, place == balances.end() ? Balances{} : place->second, should));
  }
  for (const auto& [pot, is] : balances) KOI_TRY(same(pot, is, again.balances(pot)));
  return {};
}

}  // namespace koi::ledger
