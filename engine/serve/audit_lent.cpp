#include "serve/audit_lent.h"

#include <algorithm>
#include <utility>

#include "base/decimal.h"
#include "core/books.h"
#include "serve/account_name.h"

namespace koi::serve {

namespace {

using core::EscrowRow;
using core::Loan;

// Of a budget of money that pays for messages too, everything is counted in millionths.
std::int64_t millionths_of_one(const plan::Plan& plan) {
  std::int64_t millionths = 1'000'000;
  for (int i = 0; i < plan.schema.currency_decimals; ++i) millionths /= 10;
  return std::max<std::int64_t>(millionths, 1);
}

const plan::Budget* budget_of(const plan::Plan& plan, std::uint64_t definition) {
  for (const plan::Budget& each : plan.budgets)
    if (each.definition == definition) return &each;
  return nullptr;
}

std::int64_t product(std::int64_t a, std::int64_t b) {
  std::int64_t made = 0;
  return __builtin_mul_overflow(a, b, &made) ? INT64_MAX : made;
}

}  // namespace

Lent::Lent(const plan::Plan& plan, store::Groups groups, bool had_others)
    : plan_(plan), groups_(groups), had_others_(had_others), rows_(groups.count) {
  for (store::Group group = 0; group < groups.count; ++group)
    letters_.emplace_back(group, groups, rows_[group]);
}

Result<void> Lent::learn(store::Group group, std::string_view key, std::string_view bytes) {
  if (key.starts_with(durable::letters_mark)) {
    KOI_TRY(letters_[group].learn(key, bytes));
  } else if (key.starts_with(core::books::key_of_escrow({}))) {
    KOI_LET(EscrowRow row, core::escrow_row(key, bytes));
    Account& account = accounts_[row.account];
    account.of[group] = std::exchange(row.escrow, {});
    account.row = std::move(row);
  } else if (key.starts_with(durable::waiting_mark)) {
    findings_.is_moving = true;  // whoever has come may be among what waits
  }
  return {};
}

void Lent::learn(store::Group group, const ledger::Pot& pot, std::int64_t out) {
  if (out != 0) outs_[{group, pot}] = out;
}

// Those that were not taken yet.
Result<void> Lent::read_letters() {
  for (const durable::Letters& from : letters_)
    for (store::Group to = 0; to < groups_.count; ++to)
      for (const durable::Letter& letter : from.open(to)) {
        if (letter.number <= letters_[to].taken(letter.from)) continue;
        KOI_LET(const durable::LetterFrom came, durable::read(letter, plan_));
        const Loan* const loan = std::get_if<Loan>(&came.told);
        // A customer who moves takes of his slices along, and what comes for him follows him.
        findings_.is_moving = findings_.is_moving || (loan && loan->kind == Loan::Kind::Moved) ||
                              std::holds_alternative<durable::Arrival>(came.told) ||
                              std::holds_alternative<durable::Passed>(came.told);
        if (!loan) continue;
        Account& account = accounts_[loan->account];
        if (account.row.account.empty()) {
          KOI_LET(account.row, core::escrow_row(core::books::key_of_escrow(loan->account), {}));
        }
        if (loan->kind == Loan::Kind::Lend) account.on_the_way[to] += loan->amount;
        if (loan->kind == Loan::Kind::Back) account.on_the_way[letter.from] += loan->amount;
        account.ranges.insert(account.ranges.end(), loan->ranges.begin(), loan->ranges.end());
        account.codes.insert(account.codes.end(), loan->codes.begin(), loan->codes.end());
      }
  return {};
}

void Lent::find(const Account& account, const std::string& what, bool may_be_of_others) {
  std::string said = account_name(plan_, account.row) + " " + what;
  if (may_be_of_others && had_others_)
    findings_.notes.push_back(said + ": former rules may have lent more");
  else
    findings_.wrong.push_back(std::move(said));
}

// INT64_MAX: it has no end, or the rules know it no more.
std::int64_t Lent::amount_of(const EscrowRow& row) const {
  if (row.kind == EscrowRow::Kind::Budget) {
    const plan::Budget* budget = budget_of(plan_, row.definition);
    if (!budget || budget->amount == plan::unlimited) return INT64_MAX;
    return budget->costs ? product(budget->amount, millionths_of_one(plan_)) : budget->amount;
  }
  if (row.kind == EscrowRow::Kind::Limit)
    for (const plan::Limit& limit : plan_.limits)
      if (limit.definition == row.definition && limit.by) return limit.amount;
  return INT64_MAX;
}

// What the group's customers have taken of it and counts now, where that is known here.
std::optional<std::int64_t> Lent::taken_of(const EscrowRow& row, store::Group group) const {
  const plan::Budget* budget =
      row.kind == EscrowRow::Kind::Budget ? budget_of(plan_, row.definition) : nullptr;
  if (!budget || budget->per.kind == plan::Per::Kind::Rolling) return std::nullopt;
  const auto out = [&](std::uint64_t definition) {
    const auto place = outs_.find({group, {definition, row.begin}});
    return place == outs_.end() ? 0 : place->second;
  };
  if (!budget->costs) return out(row.definition);
  const std::int64_t costs = out(plan_.budgets[budget->costs.index()].definition);
  return checked_add(product(out(row.definition), millionths_of_one(plan_)), costs)
      .value_or(INT64_MAX);
}

void Lent::check_amounts(const Account& account) {
  const auto home = account.of.find(core::home_of(account.row.account, groups_.count));
  const bool is_known = home != account.of.end() && !home->second.lent.empty();
  if (is_known && home->second.lent.size() != groups_.count)
    return find(account, "is lent to another number of groups than there are");
  std::int64_t sum = 0;
  for (store::Group group = 0; group < groups_.count; ++group) {
    const auto place = account.of.find(group);
    const core::Escrow none, &of = place == account.of.end() ? none : place->second;
    const std::string whom = "group " + std::to_string(group);
    if (!is_known) {
      if (of.slice != 0)
        find(account, "has a slice in " + whom + " of which its home knows nothing");
      continue;
    }
    const std::int64_t lent = home->second.lent[group];
    sum = checked_add(sum, lent).value_or(INT64_MAX);
    const auto moving = account.on_the_way.find(group);
    const std::int64_t is_there =
        of.slice + (moving == account.on_the_way.end() ? 0 : moving->second);
    // Under other rules, or of a period that is over, it is no slice any more.
    const bool is_current = place == account.of.end() ||
                            (of.basis == home->second.opened && of.period == home->second.period);
    if (is_current && !findings_.is_moving && lent != is_there)
      find(account, "has " + std::to_string(lent) + " lent to " + whom + ", which has " +
                        std::to_string(is_there));
    if (const auto taken = taken_of(account.row, group); taken && is_current && *taken > of.slice)
      find(account,
           "was taken by customers of " + whom + ": " + std::to_string(*taken) + " of " +
               std::to_string(of.slice),
           true);
  }
  if (is_known && sum > amount_of(account.row))
    find(account,
         "has " + std::to_string(amount_of(account.row)) + ", and " + std::to_string(sum) +
             " are lent",
         true);
}

void Lent::check_numbers(const Account& account) {
  std::vector<core::Range> all = account.ranges;
  std::uint64_t next = 0;
  for (const auto& [group, of] : account.of) {
    next = std::max(next, of.next_number);
    all.insert(all.end(), of.ranges.begin(), of.ranges.end());
    all.insert(all.end(), of.pool_ranges.begin(), of.pool_ranges.end());
  }
  std::sort(all.begin(), all.end(),
            [](const core::Range& a, const core::Range& b) { return a.from < b.from; });
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && all[i].from < all[i - 1].to)
      find(account, "have the number " + std::to_string(all[i].from) + " in two places");
    if (all[i].to > next)
      find(account, "have the number " + std::to_string(all[i].to - 1) + ", which was never lent");
  }
}

void Lent::check_codes(const Account& account) {
  std::vector<std::uint64_t> all;
  const auto add = [&](const std::vector<core::PoolCode>& codes) {
    for (const core::PoolCode& each : codes) all.push_back(each.number);
  };
  add(account.codes);
  for (const auto& [group, of] : account.of) add(of.codes), add(of.pool_codes);
  std::sort(all.begin(), all.end());
  if (const auto twice = std::adjacent_find(all.begin(), all.end()); twice != all.end())
    find(account, "has its code number " + std::to_string(*twice) + " in two places");
}

void Lent::check(const Account& account) {
  switch (account.row.kind) {
    case EscrowRow::Kind::Budget:
    case EscrowRow::Kind::Limit:
    case EscrowRow::Kind::Prize: return check_amounts(account);
    case EscrowRow::Kind::Numbers: return check_numbers(account);
    case EscrowRow::Kind::Pool: return check_codes(account);
  }
}

Lent::Findings Lent::finish() {
  if (const auto read = read_letters(); !read)
    findings_.wrong.push_back(read.error().what);
  else
    for (const auto& [name, account] : accounts_) check(account);
  return std::move(findings_);
}

}  // namespace koi::serve
