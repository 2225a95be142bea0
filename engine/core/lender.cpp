#include "core/detail/lender.h"

#include <algorithm>

#include "base/assert.h"
#include "base/decimal.h"

namespace koi::core {

namespace {

// A letter is not longer than it must be.
constexpr std::int64_t codes_at_once = 256;

std::uint64_t size_of(const Range& range) { return range.to - range.from; }

std::int64_t size_of(const std::vector<Range>& ranges, std::uint64_t below) {
  std::uint64_t size = 0;
  for (const Range& each : ranges)
    if (each.from < below) size += std::min(each.to, below) - each.from;
  return static_cast<std::int64_t>(std::min<std::uint64_t>(size, INT64_MAX));
}

std::int64_t size_of(const std::vector<Range>& ranges) { return size_of(ranges, UINT64_MAX); }

// They stay in their order, and what stands side by side is one.
void add(std::vector<Range>& ranges, const std::vector<Range>& more) {
  ranges.insert(ranges.end(), more.begin(), more.end());
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.from < b.from; });
  std::vector<Range> joined;
  for (const Range& each : ranges) {
    if (!joined.empty() && joined.back().to == each.from)
      joined.back().to = each.to;
    else
      joined.push_back(each);
  }
  ranges = std::move(joined);
}

void add(std::vector<PoolCode>& codes, const std::vector<PoolCode>& more) {
  codes.insert(codes.end(), more.begin(), more.end());
  std::sort(codes.begin(), codes.end(),
            [](const PoolCode& a, const PoolCode& b) { return a.number < b.number; });
}

// The first `most` of those that are below.
std::vector<Range> take_first(std::vector<Range>& ranges, std::uint64_t most, std::uint64_t below) {
  std::vector<Range> taken;
  while (most > 0 && !ranges.empty() && ranges.front().from < below) {
    Range& first = ranges.front();
    const std::uint64_t n = std::min(most, std::min(first.to, below) - first.from);
    taken.push_back({first.from, first.from + n});
    first.from += n;
    most -= n;
    if (size_of(first) == 0) ranges.erase(ranges.begin());
  }
  return taken;
}

std::int64_t sum(std::int64_t a, std::int64_t b) {
  return checked_add(a, b).value_or(b < 0 ? INT64_MIN : INT64_MAX);
}
std::int64_t difference(std::int64_t a, std::int64_t b) {
  return checked_subtract(a, b).value_or(b > 0 ? INT64_MIN : INT64_MAX);
}

}  // namespace

// --- What it has --------------------------------------------------------------------------------

std::int64_t Lender::has(Timestamp at) const {
  switch (terms_.unit) {
    case Terms::Unit::Number: return size_of(my_.ranges, static_cast<std::uint64_t>(terms_.amount));
    case Terms::Unit::Code: return static_cast<std::int64_t>(my_.codes.size());
    case Terms::Unit::Amount: break;
  }
  const std::int64_t there = difference(my_.slice, terms_.taken(at));
  const bool is_good = my_.basis == terms_.basis && at >= my_.from;
  return is_good ? there : std::min<std::int64_t>(there, 0);
}

// What is not lent.
std::int64_t Lender::pool() const {
  switch (terms_.unit) {
    case Terms::Unit::Number: {
      const auto all = static_cast<std::uint64_t>(terms_.amount);
      return sum(size_of(my_.pool_ranges, all),
                 static_cast<std::int64_t>(all - std::min(all, my_.next_number)));
    }
    case Terms::Unit::Code:
      return sum(static_cast<std::int64_t>(my_.pool_codes.size()), terms_.fresh());
    case Terms::Unit::Amount: break;
  }
  std::int64_t left = terms_.amount;
  for (const std::int64_t each : my_.lent) left = difference(left, each);
  return left;
}

bool Lender::has_lent_elsewhere() const {
  for (std::uint16_t group = 0; group < groups_; ++group)
    if (group != own_ && lent(group) != 0) return true;
  return false;
}

// Does the home know what all groups have taken?
bool Lender::is_opened() const {
  if (my_.opened == terms_.basis) return true;
  return !terms_.counts_all && lent(own_) == 0 && !has_lent_elsewhere();
}

bool Lender::has_all(Timestamp at) const {
  if (terms_.unit != Terms::Unit::Code) {
    if (terms_.amount <= 0) return true;
    if (my_.dry == terms_.amount) return true;
  }
  if (is_home())
    return is_opened() && at >= my_.pool_from && my_.awaited.empty() && !has_lent_elsewhere();
  return terms_.unit == Terms::Unit::Amount && !terms_.is_rolling && my_.basis == terms_.basis &&
         my_.slice == terms_.amount;
}

bool Lender::draw(Timestamp at, std::int64_t want) {
  if (!is_home() || !is_opened() || at < my_.pool_from) return false;
  const std::int64_t there = has(at);
  if (there >= want) return true;
  std::int64_t missing = difference(want, there);
  const bool is_enough = missing <= pool();
  if (!is_enough && !has_all(at)) return false;
  missing = is_enough ? share(missing) : pool();
  if (missing > 0) lend({own_, 0, 0, at}, missing, false, false);
  return is_enough;
}

std::optional<std::uint64_t> Lender::take_number() {
  const auto taken = take_first(my_.ranges, 1, static_cast<std::uint64_t>(terms_.amount));
  return taken.empty() ? std::nullopt : std::optional(taken.front().from);
}

std::optional<PoolCode> Lender::take_code() {
  if (my_.codes.empty()) return std::nullopt;
  PoolCode taken = std::move(my_.codes.front());
  my_.codes.erase(my_.codes.begin());
  return taken;
}

// --- Asking -------------------------------------------------------------------------------------

Loan Lender::loan(Loan::Kind kind) const {
  Loan made;
  made.kind = kind;
  made.account = terms_.name(my_.period);
  return made;
}

std::uint64_t Lender::ask(Timestamp at, std::int64_t want) {
  // What is owed comes first.
  want = difference(want, std::min<std::int64_t>(has(at), 0));
  if (my_.is_open) {  // who comes meanwhile is in the next one
    my_.next_at = my_.next_want == 0 ? at : std::min(my_.next_at, at);
    my_.next_want = sum(my_.next_want, want);
    return my_.asked + 1;
  }
  my_.is_open = true;
  ++my_.asked;
  const std::uint64_t number = my_.asked;
  if (is_home()) {
    take_ask({own_, number, want, at});
  } else {
    Loan asked = loan(Loan::Kind::Ask);
    asked.ask = number;
    asked.amount = want;
    asked.at = at;
    out_.loans.emplace_back(home_, std::move(asked));
  }
  return number;
}

void Lender::receive(const Loan& loan) {
  my_.slice = sum(my_.slice, loan.amount);
  my_.from = loan.at;
  my_.basis = terms_.basis;
  add(my_.ranges, loan.ranges);
  add(my_.codes, loan.codes);
  if (terms_.unit == Terms::Unit::Code) my_.uploaded = loan.left;
  if (loan.is_dry) my_.dry = terms_.amount;
  if (!my_.is_open || loan.ask != my_.asked) return;  // it was not asked for, but drawn
  my_.is_open = false;
  out_.answered.push_back({loan.account, my_.asked, loan.is_short});
  if (my_.next_want == 0) return;
  const std::int64_t want = std::exchange(my_.next_want, 0);
  const Timestamp at = std::exchange(my_.next_at, Timestamp::ever());
  if (has(at) >= want) {  // more came than was asked for
    out_.answered.push_back({loan.account, ++my_.asked, false});
    return;
  }
  ask(at, want);
}

Loan Lender::give_back(Timestamp at) {
  Loan back = loan(Loan::Kind::Back);
  if (terms_.unit == Terms::Unit::Amount) {
    auto taken = terms_.taken_since(at);
    if (!taken) {
      at = my_.latest;
      taken = terms_.taken_since(at);
      KOI_ASSERT(taken);
    }
    back.amount = difference(my_.slice, *taken);
    back.at = at;
    my_.from = std::max(my_.from, at);
  } else {
    back.ranges = std::exchange(my_.ranges, {});
    back.codes = std::exchange(my_.codes, {});
    back.amount = size_of(back.ranges) + static_cast<std::int64_t>(back.codes.size());
  }
  my_.slice = difference(my_.slice, back.amount);
  my_.basis = terms_.basis;
  return back;
}

// --- Lending ------------------------------------------------------------------------------------

// What is lent to whoever wants so much, where there is more.
std::int64_t Lender::share(std::int64_t want) const {
  const std::int64_t there = pool();
  std::int64_t part = terms_.lends_all ? there : there / (2 * std::int64_t{groups_});
  if (terms_.unit == Terms::Unit::Code) part = std::min(part, codes_at_once);
  return std::clamp<std::int64_t>(std::max(want, part), 0, std::max<std::int64_t>(there, 0));
}

void Lender::take_out(Loan& into, std::int64_t amount) {
  if (terms_.unit == Terms::Unit::Number) {
    const auto all = static_cast<std::uint64_t>(terms_.amount);
    into.ranges = take_first(my_.pool_ranges, static_cast<std::uint64_t>(amount), all);
    const auto rest = static_cast<std::uint64_t>(amount - size_of(into.ranges));
    if (rest == 0) return;
    add(into.ranges, {{my_.next_number, my_.next_number + rest}});
    my_.next_number += rest;
  } else if (terms_.unit == Terms::Unit::Code) {
    const auto came_back = std::min(amount, static_cast<std::int64_t>(my_.pool_codes.size()));
    const auto end = my_.pool_codes.begin() + came_back;
    into.codes.assign(my_.pool_codes.begin(), end);
    my_.pool_codes.erase(my_.pool_codes.begin(), end);
    for (std::int64_t i = came_back; i < amount; ++i) into.codes.push_back(terms_.take_fresh());
  }
}

void Lender::lend(const Escrow::Ask& to, std::int64_t amount, bool is_short, bool is_dry) {
  Loan made = loan(Loan::Kind::Lend);
  made.ask = to.number;
  made.amount = amount;
  made.at = my_.pool_from;
  made.is_short = is_short;
  made.is_dry = is_dry;
  take_out(made, amount);
  made.left = terms_.uploaded();
  my_.opened = terms_.basis;
  lent_to(to.group) = sum(lent(to.group), amount);
  if (to.group == own_)
    receive(made);
  else
    out_.loans.emplace_back(to.group, std::move(made));
}

void Lender::tell_uploaded() {
  if (!is_home() || my_.lent.empty()) return;
  my_.uploaded = terms_.uploaded();
  for (std::uint16_t group = 0; group < groups_; ++group) {
    if (group == own_ || lent(group) == 0) continue;
    Loan told = loan(Loan::Kind::Lend);  // of nothing, and nobody's answer
    told.at = my_.pool_from;
    told.left = my_.uploaded;
    out_.loans.emplace_back(group, std::move(told));
  }
}

// Where others wait behind him he gets no more than he wants.
void Lender::lend_in_full(const Escrow::Ask& ask) {
  lend(ask, my_.waiting.empty() ? share(ask.want) : ask.want, false, false);
}

void Lender::take_ask(const Escrow::Ask& ask) {
  my_.waiting.push_back(ask);
  serve();
}

// Who asks while others are served comes behind them.
void Lender::serve() {
  if (std::exchange(is_serving_, true)) return;
  while (my_.awaited.empty() && !my_.waiting.empty()) {
    const Escrow::Ask ask = my_.waiting.front();
    if (is_opened() && ask.at >= my_.pool_from && pool() >= ask.want) {
      my_.waiting.erase(my_.waiting.begin());
      lend_in_full(ask);
    } else {
      call_in(ask.at);
      if (my_.awaited.empty()) finish_round();
    }
  }
  is_serving_ = false;
}

// As of that time. Who has been lent nothing has nothing to give back, unless he may have taken
// something that nobody knows of.
void Lender::call_in(Timestamp at) {
  const bool is_of_all = at < my_.pool_from || !is_opened();
  my_.round = at;
  my_.covers = terms_.is_rolling ? 1 : static_cast<std::uint32_t>(my_.waiting.size());
  for (std::uint16_t group = 0; group < groups_; ++group) {
    if (group == own_ || (!is_of_all && lent(group) == 0)) continue;
    my_.awaited.push_back(group);
    Loan call = loan(Loan::Kind::CallIn);
    call.at = at;
    out_.loans.emplace_back(group, std::move(call));
  }
  put_back(give_back(at));
  lent_to(own_) = my_.slice;
}

void Lender::put_back(const Loan& loan) {
  my_.round = std::max(my_.round, loan.at);
  my_.pool_from = std::max(my_.pool_from, my_.round);
  add(my_.pool_ranges, loan.ranges);
  add(my_.pool_codes, loan.codes);
}

void Lender::take_back(std::uint16_t from, const Loan& back) {
  lent_to(from) = difference(lent(from), back.amount);
  put_back(back);
  if (std::erase(my_.awaited, from) > 0 && my_.awaited.empty()) {
    is_serving_ = true;
    finish_round();
    is_serving_ = false;
  }
  serve();
}

// Everybody has given back what he had not taken: who waited for that gets what there is.
void Lender::finish_round() {
  // What the home itself has drawn meanwhile and not taken.
  put_back(give_back(my_.round));
  lent_to(own_) = my_.slice;
  my_.opened = terms_.basis;
  my_.pool_from = my_.round;
  const bool is_dry = !terms_.comes_back && pool() <= 0;
  for (std::uint32_t left = std::exchange(my_.covers, 0); left > 0 && !my_.waiting.empty();
       --left) {
    const Escrow::Ask ask = my_.waiting.front();
    my_.waiting.erase(my_.waiting.begin());
    const std::int64_t there = ask.at < my_.pool_from ? 0 : std::max<std::int64_t>(pool(), 0);
    if (there >= ask.want)
      lend_in_full(ask);
    else
      lend(ask, there, true, is_dry);
  }
}

// --- Being told ---------------------------------------------------------------------------------

void Lender::take(std::uint16_t from, const Loan& told) {
  KOI_ASSERT(from < groups_ && from != own_);
  switch (told.kind) {
    case Loan::Kind::Ask:
      if (is_home()) take_ask({from, told.ask, told.amount, told.at});
      break;
    case Loan::Kind::Lend: receive(told); break;
    case Loan::Kind::CallIn: out_.loans.emplace_back(from, give_back(told.at)); break;
    case Loan::Kind::Back:
      if (is_home()) take_back(from, told);
      break;
    case Loan::Kind::Moved:
      if (!is_home() || told.group >= groups_) break;
      lent_to(from) = difference(lent(from), told.amount);
      lent_to(told.group) = sum(lent(told.group), told.amount);
      break;
  }
}

// Between two of whom one is the home, both know of it at once with what is taken along.
void Lender::move_out(std::uint16_t to, std::int64_t amount) {
  my_.slice = difference(my_.slice, amount);
  if (is_home()) {
    lent_to(own_) = difference(lent(own_), amount);
    lent_to(to) = sum(lent(to), amount);
  } else if (to != home_) {
    Loan moved = loan(Loan::Kind::Moved);
    moved.amount = amount;
    moved.group = to;
    out_.loans.emplace_back(home_, std::move(moved));
  }
}

void Lender::move_in(std::uint16_t from, std::int64_t amount) {
  my_.slice = sum(my_.slice, amount);
  if (!is_home()) return;
  // It may have been lent nothing itself until now. Whoever knows what all have knows that this is
  // good: as the one who has all it would ask nobody.
  if (my_.opened == terms_.basis) my_.basis = terms_.basis;
  lent_to(from) = difference(lent(from), amount);
  lent_to(own_) = sum(lent(own_), amount);
}

// --- Periods ------------------------------------------------------------------------------------

bool Lender::enter(Timestamp period) {
  if (period <= my_.period) return period == my_.period;
  const std::string over = terms_.name(my_.period);
  if (my_.is_open || my_.next_want > 0) {
    if (my_.next_want > 0) ++my_.asked;
    out_.answered.push_back({over, my_.asked, true});
  }
  for (const Escrow::Ask& each : my_.waiting) {
    if (each.group == own_) continue;
    Loan nothing = loan(Loan::Kind::Lend);
    nothing.ask = each.number;
    nothing.is_short = true;
    out_.loans.emplace_back(each.group, std::move(nothing));
  }
  const std::uint64_t asked = my_.asked;
  my_ = Escrow();
  my_.period = period;
  my_.asked = asked;
  return true;
}

}  // namespace koi::core
