#include "core/accounts.h"

#include <algorithm>

#include "core/calendar.h"
#include "core/detail/lent.h"
#include "core/detail/shelving.h"
#include "core/periods.h"
#include "ledger/codes.h"

namespace koi::core {

namespace {

ledger::Key secret_of(const plan::Plan& plan, std::string_view use) {
  return ledger::derive({plan.seed, 0x6b6f69}, use);
}

// A code that anybody could have been given is not longer.
constexpr std::size_t longest_code = 200;

std::string code_of(ledger::Key key, std::uint64_t number) {
  const auto pattern = ledger::CodePattern::read(ledger::pattern_of_links);
  KOI_ASSERT(pattern);
  return pattern->code(key, number % pattern->capacity());
}

bool counts(const Counted& counted, const plan::Limit& limit, Timestamp now, const Zone& zone) {
  if (limit.per.kind == plan::Per::Kind::Rolling)
    return add(counted.at, limit.per.span, zone) > now;
  return counted.at == begin_of(limit.per, now, zone);
}

}  // namespace

std::int64_t millionths_of_one(const plan::Plan& plan) {
  std::int64_t millionths = 1'000'000;
  for (int i = 0; i < plan.schema.currency_decimals; ++i) millionths /= 10;
  return std::max<std::int64_t>(millionths, 1);
}

Timestamp begin_of(const plan::Per& per, Timestamp at, const Zone& zone) {
  switch (per.kind) {
    case plan::Per::Kind::Ever: return Timestamp::ever();
    case plan::Per::Kind::Hour: {
      LocalTime local = zone.local(at);
      local.time.us -= local.time.us % hours(1).us;
      return zone.instant(local);
    }
    case plan::Per::Kind::Day: return period_begin(Period::Day, at, zone);
    case plan::Per::Kind::Week: return period_begin(Period::Week, at, zone);
    case plan::Per::Kind::Month: return period_begin(Period::Month, at, zone);
    case plan::Per::Kind::Year: return period_begin(Period::Year, at, zone);
    case plan::Per::Kind::Rolling: return at;
  }
  KOI_ASSERT(false);
}

std::int64_t used_of(const List<Counted>& counted, const plan::Limit& limit, Timestamp now,
                     const Zone& zone) {
  std::int64_t used = 0;
  for (const Counted& each : counted)
    if (each.limit == limit.definition && counts(each, limit, now, zone))
      used = checked_add(used, each.amount).value_or(INT64_MAX);
  return used;
}

Counted record(List<Counted>& counted, const plan::Limit& limit, std::int64_t amount,
               std::uint64_t value, Timestamp now, const Zone& zone) {
  erase_if(counted, [&](const Counted& each) {
    return each.limit == limit.definition && !counts(each, limit, now, zone);
  });
  const Counted made{limit.definition, begin_of(limit.per, now, zone), amount, value};
  const auto place = std::lower_bound(counted.begin(), counted.end(), made,
                                      [](const Counted& a, const Counted& b) {
                                        return std::pair(a.limit, a.at) < std::pair(b.limit, b.at);
                                      });
  if (place != counted.end() && place->limit == made.limit && place->at == made.at)
    place->amount += amount;
  else
    counted.insert(place, made);
  return made;
}

void release(List<Counted>& counted, const Counted& what) {
  for (Counted& each : counted)
    if (each.limit == what.limit && each.at == what.at)
      each.amount = std::max<std::int64_t>(0, each.amount - what.amount);
  erase_if(counted, [](const Counted& each) { return each.amount == 0; });
}

std::string invite_code(const plan::Plan& plan, plan::ReferralId referral,
                        std::string_view customer) {
  const std::uint64_t number = HashInput()
                                   .text(customer)
                                   .number(plan.referrals[referral.index()].definition)
                                   .hash64(plan.seed);
  return code_of(secret_of(plan, "invitations"), number);
}

const plan::Incentive* maker_of(std::span<const plan::Incentive> incentives,
                                std::string_view code) {
  for (const plan::Incentive& each : incentives) {
    const auto* coupon = std::get_if<plan::Coupon>(&each.what);
    if (!coupon || coupon->pattern.size() != code.size()) continue;
    const auto pattern = ledger::CodePattern::read(coupon->pattern);
    if (pattern && pattern->could_make(code)) return &each;
  }
  return nullptr;
}

std::string_view code_of_scene(std::string_view said) {
  constexpr std::string_view of_platform = "qrscene_";
  if (said.starts_with(of_platform)) said.remove_prefix(of_platform.size());
  if (said.starts_with(scene_prefix)) said.remove_prefix(scene_prefix.size());
  return said;
}

Accounts::Accounts(const plan::Plan& plan, std::uint64_t bundle) : plan_(plan), bundle_(bundle) {}

ledger::Pot Accounts::pot(plan::BudgetId id, Timestamp now) const {
  const plan::Budget& budget = plan_.budgets[id.index()];
  return {budget.definition, pot_begin(budget.per, now, *plan_.policy.zone)};
}

std::int64_t Accounts::left(plan::BudgetId id, Timestamp now, std::int64_t want) {
  const plan::Budget& budget = plan_.budgets[id.index()];
  const ledger::Pot account = pot(id, now);
  fetch(account);
  const ledger::Balances balances = ledger_.balances(account);
  // All that ever left it stands below zero in `Budget`, and must fit.
  const std::int64_t countable = INT64_MAX + balances[ledger::Stage::Budget];
  if (budget.amount == plan::unlimited) return countable;
  if (sharing_) return std::clamp<std::int64_t>(Shared::left(*this, id, now, want), 0, countable);
  return std::clamp<std::int64_t>(left_beside(id, 0, now), 0, countable);
}

// The same of a budget with an end once its messages have cost so many millionths of the currency
// more; below zero where that is more than there is.
std::int64_t Accounts::left_beside(plan::BudgetId id, std::int64_t cost, Timestamp now) {
  const plan::Budget& budget = plan_.budgets[id.index()];
  const std::int64_t left = budget.amount - std::min(out(id, now), budget.amount);
  if (!budget.costs) return left;
  const std::int64_t all = out(budget.costs, now) + cost;
  const std::int64_t one = millionths_of_one(plan_);
  return left - (all / one + (all % one > 0 ? 1 : 0));
}

// What counts against the budget now.
std::int64_t Accounts::out(plan::BudgetId id, Timestamp now) {
  const plan::Budget& budget = plan_.budgets[id.index()];
  const auto of = [&](const ledger::Pot& pot) {
    fetch(pot);
    return ledger_.balances(pot).out();
  };
  if (budget.per.kind != plan::Per::Kind::Rolling) return of(pot(id, now));
  std::int64_t sum = 0;
  for (const Timestamp begin : pots_at(budget.per, now, *plan_.policy.zone))
    sum = checked_add(sum, of({budget.definition, begin})).value_or(INT64_MAX);
  return sum;
}

std::optional<List<Charge>> Accounts::price(const plan::Campaign& campaign, plan::ChannelId channel,
                                            Timestamp now) {
  const auto can_bear = [&](plan::BudgetId id, std::int64_t millionths) {
    if (sharing_ && plan_.budgets[id.index()].amount != plan::unlimited)
      return available(shared_budget(id, now), now, millionths) >= millionths;
    return left_beside(id, millionths, now) >= 0;
  };
  List<Charge> charges;
  const std::int64_t cost = plan_.channels[channel.index()].cost_millionths;
  for (const plan::BudgetId id : campaign.budgets) {
    const plan::Budget& budget = plan_.budgets[id.index()];
    if (!budget.is_money) {
      if (left(id, now, 1) < 1) return std::nullopt;
      charges.push_back({pot(id, now), 1, false});
    } else if (cost > 0 && budget.costs) {
      if (cost > left(budget.costs, now) || !can_bear(id, cost)) return std::nullopt;
      charges.push_back({pot(budget.costs, now), cost, false});
    }
  }
  return charges;
}

void Accounts::post(const ledger::Posting& posting) {
  fetch(posting.pot);
  if (fault_) return;
  if (sharing_ && sharing_->in_turn)
    sharing_->undo.push_back([this, pot = posting.pot, before = ledger_.balances(posting.pot)] {
      ledger_.put(pot, before);
    });
  if (const auto posted = ledger_.post(posting); !posted) {
    KOI_ASSERT(shelf_);  // what is posted was asked for, or is there: else the shelf is damaged
    fault_ = {"corrupt", "the accounts are not those of the customers beside them: " +
                             posted.error().what + "; restore the data directory from a backup"};
    return;
  }
  if (keeps_postings_) postings_.push_back(posting);
  if (!shelf_) return;
  changed_bytes_ += bytes_of_posting;
  if (changed_pots_.insert(posting.pot).second) changed_bytes_ += bytes_of_change;
}

void Accounts::spend(plan::BudgetId id, std::int64_t amount, Timestamp now,
                     const ledger::Cause& cause) {
  using ledger::Stage;
  if (amount <= 0) return;
  const ledger::Pot from = pot(id, now);
  post({now, from, Stage::Budget, Stage::Reserved, amount, cause});
  post({now, from, Stage::Reserved, Stage::Given, amount, cause});
}

// --- Beyond memory ------------------------------------------------------------------------------

void Accounts::keep_on(const Shelf& shelf, std::size_t most_in_memory) {
  shelf_ = &shelf;
  most_in_memory_ = most_in_memory;
  keeps_postings_ = true;
  const auto bytes = shelf.read(books::key_of_postings());
  const auto stored = bytes ? books::postings_of(*bytes) : Result<books::Postings>(bytes.error());
  if (stored)
    stored_ = *stored;
  else
    fault_ = stored.error();
}

void Accounts::fetch(const ledger::Pot& pot) {
  if (!shelf_ || fault_ || !known_pots_.insert(pot).second) return;
  const auto bytes = shelf_->read(books::key_of(pot));
  const auto balances =
      bytes ? books::balances_of(*bytes) : Result<ledger::Balances>(bytes.error());
  if (balances)
    ledger_.put(pot, *balances);
  else
    fault_ = balances.error();
}

std::vector<Accounts::Change> Accounts::freeze() {
  KOI_ASSERT(generations_.frozen == 0);
  std::vector<Change> all;
  for (const ledger::Pot& pot : changed_pots_)
    all.push_back({books::key_of(pot), books::encode(ledger_.balances(pot))});
  const auto add = [&](const auto& node) {
    all.push_back({node.first, books::encode(node.second.value)});
  };
  counted_.freeze(add);
  numbers_.freeze(add);
  codes_.freeze([&](const auto& node) { all.push_back({node.first, node.second.value}); });
  escrows_.freeze([&](const auto& node) {
    all.push_back({node.first, core::encode(node.second.value)});
  });
  places_.freeze([&](const auto& node) {
    const Place& to = node.second.value;
    const auto name = [](const auto& list, auto id) {
      return id ? list[id.index()].symbol.name : std::string();
    };
    all.push_back({node.first, books::encode({to.customer, name(plan_.incentives, to.incentive),
                                              name(plan_.referrals, to.referral)})});
  });
  frozen_ = stored_;
  for (const ledger::Posting& posting : postings_) {
    all.push_back({books::key_of_posting(frozen_.count), books::encode(posting)});
    frozen_.add(all.back().bytes);
  }
  if (!postings_.empty()) all.push_back({books::key_of_postings(), books::encode(frozen_)});
  std::sort(all.begin(), all.end(), [](const Change& a, const Change& b) { return a.key < b.key; });
  frozen_pots_.swap(changed_pots_);
  frozen_bytes_ = std::exchange(changed_bytes_, 0);
  generations_.frozen = generations_.current++;
  return all;
}

void Accounts::committed() {
  generations_.stored = std::exchange(generations_.frozen, 0);
  frozen_pots_.clear();
  counted_.committed();
  numbers_.committed();
  places_.committed();
  codes_.committed();
  escrows_.committed();
  const auto written = static_cast<std::ptrdiff_t>(frozen_.count - stored_.count);
  postings_.erase(postings_.begin(), postings_.begin() + written);
  stored_ = frozen_;
  frozen_bytes_ = 0;
  const auto shorten = [&](auto& part) {
    if (part.size() > most_in_memory_ + part.changed()) part.forget(generations_);
  };
  shorten(counted_);
  shorten(numbers_);
  shorten(places_);
  shorten(codes_);
  shorten(escrows_);
}

void Accounts::failed() {
  generations_.frozen = 0;
  changed_pots_.merge(frozen_pots_);
  frozen_pots_.clear();
  counted_.failed(generations_);
  numbers_.failed(generations_);
  places_.failed(generations_);
  codes_.failed(generations_);
  escrows_.failed(generations_);
  changed_bytes_ += std::exchange(frozen_bytes_, 0);
}

namespace {

// What the rules at hand do not know leads nowhere, for as long as they do not.
Accounts::Place place_of(const plan::Plan& plan, const books::Lead& lead) {
  Accounts::Place to{lead.customer, {}, {}};
  for (std::size_t i = 0; i < plan.incentives.size(); ++i)
    if (plan.incentives[i].symbol.name == lead.incentive) to.incentive = plan::IncentiveId::of(i);
  for (std::size_t i = 0; i < plan.referrals.size(); ++i)
    if (plan.referrals[i].symbol.name == lead.referral) to.referral = plan::ReferralId::of(i);
  return to;
}

}  // namespace

// --- Counts, codes and where they lead ----------------------------------------------------------

List<Counted>& Accounts::counted(std::uint64_t limit, std::uint64_t value) {
  const std::string key = books::key_of_count(limit, value);
  auto* node = fetch(counted_, key, [&](std::string_view bytes) {
    return books::counted_of(bytes, limit, value);
  });
  if (!node) node = &counted_.keep(key, {});
  note_change(counted_, *node);
  return node->second.value;
}

std::int64_t Accounts::room(const plan::Limit& limit, std::uint64_t value, Timestamp now,
                            std::int64_t want) {
  if (sharing_) return available(shared_limit(limit, value, now), now, want);
  const std::int64_t used =
      used_of(counted(limit.definition, value), limit, now, *plan_.policy.zone);
  return limit.amount - std::min(used, limit.amount);
}

Shelved<std::uint64_t>::Node& Accounts::number(const std::string& key) {
  auto* node = fetch(numbers_, key, books::number_of);
  return node ? *node : numbers_.keep(key, 0);
}

std::uint64_t Accounts::issued(plan::IncentiveId incentive) {
  return number(books::key_of_codes(plan_.incentives[incentive.index()].symbol.name)).second.value;
}

std::uint64_t Accounts::next_number(plan::IncentiveId incentive) {
  if (sharing_) return Shared::next_number(*this, incentive);
  auto& node = number(books::key_of_codes(plan_.incentives[incentive.index()].symbol.name));
  note_change(numbers_, node);
  return node.second.value++;
}

bool Accounts::has_number(plan::IncentiveId incentive, std::uint64_t capacity) {
  if (sharing_) return available(shared_numbers(incentive, capacity), {}, 1) > 0;
  return issued(incentive) < capacity;
}

std::string Accounts::key_of_prize(plan::IncentiveId draw, std::size_t prize) const {
  const plan::Incentive& of = plan_.incentives[draw.index()];
  const auto& prizes = std::get<plan::PrizeDraw>(of.what).prizes;
  // Several prizes may be called the same: points in different numbers.
  const auto before = std::count_if(
      prizes.begin(), prizes.begin() + static_cast<std::ptrdiff_t>(prize),
      [&](const plan::PrizeDraw::Prize& each) { return each.name == prizes[prize].name; });
  return books::key_of_prize(
      of.symbol.name, prizes[prize].name + (before == 0 ? "" : " " + std::to_string(before + 1)));
}

std::int64_t Accounts::prizes_given(plan::IncentiveId draw, std::size_t prize) {
  return static_cast<std::int64_t>(number(key_of_prize(draw, prize)).second.value);
}

void Accounts::prize_is_given(plan::IncentiveId draw, std::size_t prize) {
  add_one(key_of_prize(draw, prize));
}

bool Accounts::has_prize(plan::IncentiveId draw, std::size_t prize) {
  const auto& of = std::get<plan::PrizeDraw>(plan_.incentives[draw.index()].what);
  const std::int64_t stock = of.prizes[prize].stock;
  if (sharing_ && stock != plan::unlimited) return available(shared_prize(draw, prize), {}, 1) > 0;
  return prizes_given(draw, prize) < stock;
}

// A review is kept as the microsecond since which it waits; 0: it does not.
void Accounts::hold_for_review(plan::ReferralId referral, std::string_view inviter,
                               std::string_view invitee, Timestamp since) {
  auto& node =
      number(books::key_of_review(plan_.referrals[referral.index()].symbol.name, inviter, invitee));
  note_change(numbers_, node);
  node.second.value = static_cast<std::uint64_t>(std::max<std::int64_t>(1, since.us));
}

void Accounts::reviewed(plan::ReferralId referral, std::string_view inviter,
                        std::string_view invitee) {
  auto& node =
      number(books::key_of_review(plan_.referrals[referral.index()].symbol.name, inviter, invitee));
  note_change(numbers_, node);
  node.second.value = 0;
}

// Calls `each` with every number under a key that begins so and stands behind `after`, as it stands
// now, by key; until it says false.
template <class Each>
Result<void> Accounts::for_each_number(const std::string& prefix, std::string after,
                                       Each each) const {
  constexpr std::size_t rows_at_once = 256;
  after = std::max(std::move(after), prefix);
  // What is in memory is newer.
  std::map<std::string, std::uint64_t> all;
  numbers_.for_each_of(prefix, [&](const auto& node) {
    if (node.first > after) all.insert_or_assign(node.first, node.second.value);
  });
  for (bool is_last = false; !is_last;) {
    const auto rows = shelf_ ? shelf_->behind(after, rows_at_once)
                             : Result<std::vector<Shelf::Row>>(std::vector<Shelf::Row>());
    if (!rows) return rows.error();
    is_last = rows->size() < rows_at_once;
    for (const Shelf::Row& row : *rows) {
      if (!row.key.starts_with(prefix)) {
        is_last = true;
        break;
      }
      after = row.key;
      KOI_LET(const std::uint64_t value, books::number_of(row.bytes));
      all.emplace(row.key, value);
    }
    const auto known = is_last ? all.end() : all.upper_bound(after);
    for (auto place = all.begin(); place != known; place = all.erase(place))
      if (place->second != 0 && !each(place->first, place->second)) return {};
  }
  return {};
}

Result<std::vector<Accounts::Held>> Accounts::held_for_review(
    std::size_t most, const std::optional<books::Review>& after) const {
  std::vector<Held> held;
  if (most == 0) return held;
  const std::string prefix = books::key_of_review({}, {}, {}).substr(0, 1);
  std::string behind;
  if (after) behind = books::key_of_review(after->referral, after->inviter, after->invitee);
  KOI_TRY(for_each_number(prefix, behind, [&](const std::string& key, std::uint64_t since) {
    if (auto who = books::review_of(key))
      held.push_back({*std::move(who), Timestamp{static_cast<std::int64_t>(since)}});
    return held.size() < most;
  }));
  return held;
}

void Accounts::add_one(const std::string& key) {
  auto& node = number(key);
  note_change(numbers_, node);
  ++node.second.value;
}

void Accounts::count(plan::ReferralId referral, books::Tally what) {
  add_one(books::key_of_tally(plan_.referrals[referral.index()].symbol.name, what));
}

void Accounts::count_cycle(plan::ReferralId referral, Duration time) {
  add_one(books::key_of_cycle(plan_.referrals[referral.index()].symbol.name, time));
}

Result<books::ReferralFigures> Accounts::figures(plan::ReferralId referral) const {
  books::ReferralFigures found;
  const std::string prefix = books::prefix_of_counts(plan_.referrals[referral.index()].symbol.name);
  KOI_TRY(for_each_number(prefix, {}, [&](const std::string& key, std::uint64_t value) {
    found.add(key, value);
    return true;
  }));
  return found;
}

void Accounts::lead(const std::string& code, const Place& to) {
  const std::string key = books::key_of_lead(code);
  // A turn that is undone leaves what was there before it.
  auto* node = sharing_ ? place(code) : nullptr;
  if (!node) node = places_.find(key);
  if (!node) node = &places_.keep(key, {});
  note_change(places_, *node);
  node->second.value = to;
}

Shelved<Accounts::Place>::Node* Accounts::place(std::string_view code) {
  if (code.empty() || code.size() > longest_code) return nullptr;
  const auto decode = [&](std::string_view bytes) -> Result<Place> {
    KOI_LET(const books::Lead lead, books::lead_of(bytes));
    return place_of(plan_, lead);
  };
  return fetch(places_, books::key_of_lead(code), decode);
}

const Accounts::Place* Accounts::find(std::string_view code) {
  const auto* node = place(code);
  if (node && !node->second.value.customer.empty()) return &node->second.value;
  const CodePlace* elsewhere = sharing_ ? told(code) : nullptr;
  if (!elsewhere) return nullptr;
  sharing_->place =
      place_of(plan_, {elsewhere->customer, elsewhere->incentive, elsewhere->referral});
  return &sharing_->place;
}

void Accounts::forget(const std::string& code) {
  auto* node = place(code);
  if (!node) return;
  if (!shelf_ && !sharing_) return places_.erase(*node);
  note_change(places_, *node);
  node->second.value = {};
}

// --- Codes that were uploaded -------------------------------------------------------------------

Shelved<std::string>::Node* Accounts::code(const std::string& key) {
  return fetch(codes_, key,
               [](std::string_view bytes) { return Result<std::string>(std::string(bytes)); });
}

std::uint64_t Accounts::stock(std::string_view pool, const std::vector<std::string>& codes) {
  const std::string counted = books::key_of_stocked(pool);
  const std::uint64_t before = number(counted).second.value;
  std::uint64_t next = before;
  for (const std::string& each : codes) {
    const std::string mark = books::key_of_uploaded(each);
    if (!ledger::may_be_uploaded(each) || maker_of(plan_.incentives, each)) continue;
    if (find(each) || code(mark)) continue;
    note_change(codes_, codes_.keep(mark, std::string(pool)));
    note_change(codes_, codes_.keep(books::key_of_stock(pool, next++), each));
  }
  if (next == before) return 0;
  auto& node = number(counted);
  note_change(numbers_, node);
  node.second.value = next;
  if (sharing_) Shared::tell_uploaded(*this, pool);
  return next - before;
}

Accounts::PoolFigures Accounts::pool_figures(std::string_view pool) {
  PoolFigures figures;
  figures.uploaded = number(books::key_of_stocked(pool)).second.value;
  figures.given =
      sharing_ ? Shared::given(*this, pool) : number(books::key_of_taken(pool)).second.value;
  return figures;
}

std::uint64_t Accounts::codes_left(std::string_view pool) {
  const std::uint64_t stocked = number(books::key_of_stocked(pool)).second.value;
  const std::uint64_t taken = number(books::key_of_taken(pool)).second.value;
  return stocked - std::min(stocked, taken);
}

bool Accounts::has_code(std::string_view pool) {
  if (sharing_) return available(shared_pool(pool), {}, 1) > 0;
  return codes_left(pool) > 0;
}

std::uint64_t Accounts::left_behind(std::string_view pool) {
  return sharing_ ? Shared::left_behind(*this, pool) : codes_left(pool);
}

std::string Accounts::take_code(std::string_view pool) {
  if (sharing_) return Shared::take_code(*this, pool);
  while (codes_left(pool) > 0 && !fault_) {
    auto& taken = number(books::key_of_taken(pool));
    note_change(numbers_, taken);
    auto* node = code(books::key_of_stock(pool, taken.second.value++));
    if (!node || node->second.value.empty()) {
      if (!fault_) fault_ = {"corrupt", "a code of a pool is missing in the store"};
      return {};
    }
    std::string found = std::exchange(node->second.value, {});
    if (shelf_)
      note_change(codes_, *node);
    else
      codes_.erase(*node);
    if (!find(found)) return found;  // else it leads somewhere by now, as a packet's may
  }
  return {};
}

std::optional<Answer> Accounts::take_answer() {
  const auto answers = take_answers();
  return answers.empty() ? std::nullopt : std::optional(answers.back().second);
}

void Accounts::introduce(const std::string& customer) {
  for (std::size_t i = 0; i < plan_.referrals.size(); ++i) {
    const auto id = plan::ReferralId::of(i);
    const std::string code = invite_code(plan_, id, customer);
    // A test may have introduced him before he came.
    const auto* known = places_.find(books::key_of_lead(code));
    if (!known || known->second.value.customer.empty()) count(id, books::Tally::Customers);
    lead(code, {customer, {}, id});
  }
}

ledger::Key Accounts::secret(std::string_view use) const { return secret_of(plan_, use); }

std::string Accounts::packet_code(Hash128 key) const { return code_of(secret("packets"), key.low); }

}  // namespace koi::core
