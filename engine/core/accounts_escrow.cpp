// Accounts between groups: what each account is as something to be lent, what a turn takes of it or
// lacks, and what groups tell one another.
#include <algorithm>

#include "core/accounts.h"
#include "core/calendar.h"
#include "core/detail/lent.h"
#include "core/detail/shelving.h"
#include "core/periods.h"
#include "ledger/codes.h"

namespace koi::core {

namespace {

std::int64_t sum_or_most(std::int64_t a, std::int64_t b) {
  return checked_add(a, b).value_or(INT64_MAX);
}
std::int64_t product_or_most(std::int64_t a, std::int64_t b) {
  return checked_multiply(a, b).value_or(INT64_MAX);
}

std::uint64_t capacity_of(const plan::Plan& plan, plan::IncentiveId id) {
  const auto* coupon = std::get_if<plan::Coupon>(&plan.incentives[id.index()].what);
  const auto pattern = coupon ? ledger::CodePattern::read(coupon->pattern) : std::nullopt;
  return pattern ? pattern->capacity() : 0;
}

// How much of what is lent of a budget one of its units is: of money that pays for messages, in
// millionths of the currency, so that no group rounds what they cost by itself.
std::int64_t parts_of(const plan::Plan& plan, const plan::Budget& budget) {
  return budget.costs ? millionths_of_one(plan) : 1;
}

constexpr std::size_t period_bytes = 8;

std::string bytes_of(Timestamp period) {
  std::string bytes;
  const auto number = static_cast<std::uint64_t>(period.us);
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(number >> shift & 0xff));
  return bytes;
}
Timestamp period_of(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return {static_cast<std::int64_t>(number)};
}

}  // namespace

// --- What is lent -------------------------------------------------------------------------------

std::int64_t Accounts::Shared::taken(Timestamp at) const {
  switch (kind) {
    case EscrowRow::Kind::Budget: {
      const plan::Budget& of = all->plan_.budgets[budget.index()];
      const Timestamp when = is_rolling ? at : begin;
      const std::int64_t given = product_or_most(all->out(budget, when), parts_of(all->plan_, of));
      return of.costs ? sum_or_most(given, all->out(of.costs, when)) : given;
    }
    case EscrowRow::Kind::Limit: {
      const auto* node = all->fetch(all->counted_, books::key_of_count(limit.definition, value),
                                    [&](std::string_view bytes) {
                                      return books::counted_of(bytes, limit.definition, value);
                                    });
      if (!node) return 0;
      return used_of(node->second.value, limit, is_rolling ? at : period, *all->plan_.policy.zone);
    }
    case EscrowRow::Kind::Prize: return all->prizes_given(incentive, prize);
    case EscrowRow::Kind::Numbers:
    case EscrowRow::Kind::Pool: break;
  }
  return 0;
}

std::string Accounts::Shared::name(Timestamp of) const {
  return kind == EscrowRow::Kind::Limit ? row + bytes_of(of) : row;
}

// A budget's pots around `at` are all that there are since, as long as the latest is one of them.
std::optional<std::int64_t> Accounts::Shared::taken_since(Timestamp at) const {
  if (is_rolling && kind == EscrowRow::Kind::Budget &&
      latest >= add(at, all->plan_.budgets[budget.index()].per.span, *all->plan_.policy.zone))
    return std::nullopt;
  return taken(at);
}

std::int64_t Accounts::Shared::fresh() const {
  return static_cast<std::int64_t>(all->codes_left(pool));
}
PoolCode Accounts::Shared::take_fresh() { return take_first(*all, pool); }
std::int64_t Accounts::Shared::uploaded() const {
  if (kind != EscrowRow::Kind::Pool) return 0;
  return static_cast<std::int64_t>(all->number(books::key_of_stocked(pool)).second.value);
}

Accounts::Shared Accounts::shared_budget(plan::BudgetId id, Timestamp now) {
  const plan::Budget& budget = plan_.budgets[id.index()];
  Shared made;
  made.all = this;
  made.kind = EscrowRow::Kind::Budget;
  made.budget = id;
  made.is_rolling = budget.per.kind == plan::Per::Kind::Rolling;
  if (!made.is_rolling) made.begin = pot(id, now).begin;
  made.row = books::key_of(ledger::Pot{budget.definition, made.begin});
  const std::int64_t parts = parts_of(plan_, budget);
  made.amount = std::min(budget.amount, INT64_MAX / parts) * parts;
  made.basis = bundle_;
  made.counts_all = true;
  return made;
}

Accounts::Shared Accounts::shared_limit(const plan::Limit& limit, std::uint64_t value,
                                        Timestamp now) {
  Shared made;
  made.all = this;
  made.kind = EscrowRow::Kind::Limit;
  made.limit = limit;
  made.value = value;
  made.is_rolling = limit.per.kind == plan::Per::Kind::Rolling;
  if (!made.is_rolling) made.period = begin_of(limit.per, now, *plan_.policy.zone);
  made.row = books::key_of_count(limit.definition, value);
  made.amount = limit.amount;
  made.basis = static_cast<std::uint64_t>(limit.amount);
  made.lends_all = true;
  return made;
}

Accounts::Shared Accounts::shared_prize(plan::IncentiveId draw, std::size_t prize) {
  Shared made;
  made.all = this;
  made.kind = EscrowRow::Kind::Prize;
  made.incentive = draw;
  made.prize = prize;
  made.row = key_of_prize(draw, prize);
  made.amount = std::get<plan::PrizeDraw>(plan_.incentives[draw.index()].what).prizes[prize].stock;
  made.basis = bundle_;
  made.counts_all = true;
  made.comes_back = false;
  return made;
}

Accounts::Shared Accounts::shared_numbers(plan::IncentiveId incentive, std::uint64_t capacity) {
  Shared made;
  made.all = this;
  made.kind = EscrowRow::Kind::Numbers;
  made.incentive = incentive;
  made.unit = Terms::Unit::Number;
  made.row = books::key_of_codes(plan_.incentives[incentive.index()].symbol.name);
  made.amount = static_cast<std::int64_t>(std::min<std::uint64_t>(capacity, INT64_MAX));
  made.comes_back = false;
  return made;
}

Accounts::Shared Accounts::shared_pool(std::string_view pool) {
  Shared made;
  made.all = this;
  made.kind = EscrowRow::Kind::Pool;
  made.unit = Terms::Unit::Code;
  made.pool = pool;
  made.row = books::key_of_stocked(pool);
  return made;
}

// Nothing where the rules do not know it.
std::optional<Accounts::Shared> Accounts::shared_of(std::string_view account) {
  Timestamp period = Timestamp::ever();
  if (account.starts_with('l') && account.size() > period_bytes) {
    period = period_of(account.substr(account.size() - period_bytes));
    account.remove_suffix(period_bytes);
  }
  const auto row = escrow_row(books::key_of_escrow(account), {});
  if (!row) return std::nullopt;
  std::optional<Shared> found;
  switch (row->kind) {
    case EscrowRow::Kind::Budget:
      for (std::size_t i = 0; i < plan_.budgets.size(); ++i)
        if (plan_.budgets[i].definition == row->definition) {
          found = shared_budget(plan::BudgetId::of(i), row->begin);
          found->row = account;
          found->begin = row->begin;
        }
      break;
    case EscrowRow::Kind::Limit:
      for (const plan::Limit& each : plan_.limits) {
        const std::uint64_t share = definition_for_shares(each.definition);
        if (each.by.is_none() || (each.definition != row->definition && share != row->definition))
          continue;
        plan::Limit limit = each;
        limit.definition = row->definition;
        found = shared_limit(limit, row->value, period);
        found->period = period;
      }
      break;
    case EscrowRow::Kind::Prize:
      for (std::size_t i = 0; i < plan_.incentives.size(); ++i) {
        const auto* draw = std::get_if<plan::PrizeDraw>(&plan_.incentives[i].what);
        if (!draw || plan_.incentives[i].symbol.name != row->name) continue;
        for (std::size_t prize = 0; prize < draw->prizes.size(); ++prize)
          if (key_of_prize(plan::IncentiveId::of(i), prize) == account)
            found = shared_prize(plan::IncentiveId::of(i), prize);
      }
      break;
    case EscrowRow::Kind::Numbers:
      for (std::size_t i = 0; i < plan_.incentives.size(); ++i)
        if (plan_.incentives[i].symbol.name == row->name)
          found = shared_numbers(plan::IncentiveId::of(i),
                                 capacity_of(plan_, plan::IncentiveId::of(i)));
      break;
    case EscrowRow::Kind::Pool: found = shared_pool(row->name); break;
  }
  return found;
}

Shelved<Escrow>::Node& Accounts::escrow(const Shared& account) {
  const std::string key = books::key_of_escrow(account.row);
  const auto decode = [&](std::string_view bytes) -> Result<Escrow> {
    KOI_LET(Escrow record, escrow_of(bytes));
    if (!record.lent.empty() && record.lent.size() != sharing_->groups)
      return Error{"corrupt", "an account was lent to another number of groups"};
    return record;
  };
  auto* node = fetch(escrows_, key, decode);
  return node ? *node : escrows_.keep(key, {});
}

// One account's record, and what becomes of it. What it has to say is kept when it goes.
class Accounts::Shared::Desk {
 public:
  Desk(Accounts& accounts, Shared of)
      : all(accounts),
        account(std::move(of)),
        node(accounts.escrow(account)),
        lender(node.second.value, account, accounts.sharing_->own,
               home_of(account.row, accounts.sharing_->groups), accounts.sharing_->groups, out) {
    account.latest = node.second.value.latest;
  }
  Desk(const Desk&) = delete;
  ~Desk() {
    Sharing& sharing = *all.sharing_;
    if (sharing.in_turn && !out.answered.empty())
      sharing.undo.push_back([&sharing, size = sharing.answered.size()] {
        sharing.answered.erase(sharing.answered.begin() + static_cast<std::ptrdiff_t>(size),
                               sharing.answered.end());
      });
    for (auto& each : out.loans) sharing.loans.push_back(std::move(each));
    for (auto& each : out.answered)
      sharing.answered.push_back({std::move(each.account), each.up_to, each.is_short});
  }
  const Escrow& record() const { return node.second.value; }
  // Before anything of it does.
  void changes() { all.note_change(all.escrows_, node); }
  // The account of its period. False: a later one has begun, and it is over.
  bool enter() {
    if (record().period < account.period) changes();
    return lender.enter(account.period);
  }
  // Something of it was asked for as of then.
  void note(Timestamp at) {
    if (!account.is_rolling || at <= record().latest) return;
    changes();
    node.second.value.latest = account.latest = at;
  }

  Accounts& all;
  Shared account;
  Shelved<Escrow>::Node& node;
  Lender::Out out;
  Lender lender;
};

// --- Turns --------------------------------------------------------------------------------------

void Accounts::share(std::uint16_t own, std::uint16_t groups) {
  KOI_ASSERT(own < groups);
  if (groups < 2) return;
  sharing_.emplace();
  sharing_->own = own;
  sharing_->groups = groups;
}

void Accounts::begin_turn(std::span<const Lack> answered, std::span<const CodePlace> places) {
  if (!sharing_) return;
  Sharing& turn = *sharing_;
  KOI_ASSERT(!turn.in_turn);
  turn.in_turn = true;
  turn.places = places;
  turn.before.clear();
  turn.final.clear();
  for (const Lack& each : answered) {
    if (!each.answered) continue;
    std::int64_t& least = turn.final.try_emplace(each.account, each.want).first->second;
    least = std::min(least, each.want);
  }
  turn.lacks.clear();
  turn.undo.clear();
  turn.messages = messages_.size();
  turn.answers = answers_.size();
  turn.postings = postings_.size();
  turn.loans_before = turn.loans.size();
}

std::vector<Lack> Accounts::undo_turn() {
  KOI_ASSERT(sharing_ && sharing_->in_turn);
  Sharing& turn = *sharing_;
  for (auto each = turn.undo.rbegin(); each != turn.undo.rend(); ++each) (*each)();
  const auto shorten = [](auto& list, std::size_t size) {
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(size), list.end());
  };
  shorten(messages_, turn.messages);
  shorten(answers_, turn.answers);
  if (shelf_) changed_bytes_ -= bytes_of_posting * (postings_.size() - turn.postings);
  shorten(postings_, turn.postings);
  shorten(turn.loans, turn.loans_before);
  std::vector<Lack> lacks = std::exchange(turn.lacks, {});
  end_turn();
  return lacks;
}

void Accounts::end_turn() {
  if (!sharing_) return;
  KOI_ASSERT(sharing_->lacks.empty());
  sharing_->in_turn = false;
  sharing_->places = {};
  sharing_->undo.clear();
}

void Accounts::know(std::span<const CodePlace> places) {
  if (!sharing_) return;
  KOI_ASSERT(!sharing_->in_turn);
  sharing_->known.assign(places.begin(), places.end());
  sharing_->places = sharing_->known;
}

const CodePlace* Accounts::told(std::string_view code) const {
  for (const CodePlace& each : sharing_->places)
    if (each.code == code) return &each;
  return nullptr;
}

// --- Taking -------------------------------------------------------------------------------------

// What this group has of it now, so much being wanted.
std::int64_t Accounts::available(const Shared& account, Timestamp now, std::int64_t want) {
  Sharing& turn = *sharing_;
  Shared::Desk desk(*this, account);
  if (!desk.enter()) return 0;
  const Timestamp at = account.is_rolling ? now : Timestamp::ever();
  const std::int64_t there = desk.lender.has(at);
  if (want <= 0 || !turn.in_turn) return std::max<std::int64_t>(there, 0);
  desk.note(at);
  const bool is_amount = account.unit == Terms::Unit::Amount;
  turn.before.try_emplace(account.name(account.period),
                          is_amount ? desk.account.taken(at) : std::int64_t{0});
  if (there >= want) return there;
  // What it has taken of it before is undone as well, and there was less than all that, or enough.
  const std::string name = account.name(account.period);
  const std::int64_t before = turn.before[name];
  const std::int64_t taken = is_amount ? desk.account.taken(at) - before : before;
  const std::int64_t all = sum_or_most(want, std::max<std::int64_t>(taken, 0));
  const auto final = turn.final.find(name);
  if (final != turn.final.end() && all >= final->second) return std::max<std::int64_t>(there, 0);
  desk.changes();
  if (desk.lender.draw(at, want) || desk.lender.has_all(at))
    return std::max<std::int64_t>(desk.lender.has(at), 0);
  Shared::note_lack(turn.lacks, name, at, all);
  return want;
}

void Accounts::Shared::note_lack(std::vector<Lack>& lacks, const std::string& name, Timestamp at,
                                 std::int64_t want) {
  const auto known = std::find_if(lacks.begin(), lacks.end(),
                                  [&](const Lack& each) { return each.account == name; });
  if (known == lacks.end()) {
    Lack made;
    made.account = name;
    made.want = want;
    made.at = at;
    lacks.push_back(std::move(made));
    return;
  }
  known->want = std::max(known->want, want);
  known->at = std::min(known->at, at);
}

std::int64_t Accounts::Shared::left(Accounts& all, plan::BudgetId id, Timestamp now,
                                    std::int64_t want) {
  const std::int64_t parts = parts_of(all.plan_, all.plan_.budgets[id.index()]);
  return all.available(all.shared_budget(id, now), now, product_or_most(want, parts)) / parts;
}

// A turn that lacks one is undone.
std::uint64_t Accounts::Shared::next_number(Accounts& all, plan::IncentiveId incentive) {
  Desk desk(all, all.shared_numbers(incentive, capacity_of(all.plan_, incentive)));
  desk.changes();
  ++all.sharing_->before[desk.account.row];
  return desk.lender.take_number().value_or(0);
}

std::string Accounts::Shared::take_code(Accounts& all, std::string_view pool) {
  Desk desk(all, all.shared_pool(pool));
  desk.changes();
  while (auto taken = desk.lender.take_code()) {
    ++all.sharing_->before[desk.account.row];
    all.sharing_->last_code = taken->number;
    if (!all.find(taken->code)) return std::move(taken->code);
  }
  return {};
}

std::uint64_t Accounts::Shared::given(Accounts& all, std::string_view pool) {
  const Desk desk(all, all.shared_pool(pool));
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, codes_given(desk.record())));
}

void Accounts::Shared::tell_uploaded(Accounts& all, std::string_view pool) {
  Desk desk(all, all.shared_pool(pool));
  desk.changes();
  desk.lender.tell_uploaded();
}

// Those that were uploaded later, whoever has them now.
std::uint64_t Accounts::Shared::left_behind(Accounts& all, std::string_view pool) {
  const Desk desk(all, all.shared_pool(pool));
  const auto last = static_cast<std::int64_t>(all.sharing_->last_code);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, desk.record().uploaded - last - 1));
}

PoolCode Accounts::Shared::take_first(Accounts& all, std::string_view pool) {
  auto& taken = all.number(books::key_of_taken(pool));
  all.note_change(all.numbers_, taken);
  PoolCode found{taken.second.value++, {}};
  auto* node = all.code(books::key_of_stock(pool, found.number));
  if (!node || node->second.value.empty()) {
    if (!all.fault_) all.fault_ = {"corrupt", "a code of a pool is missing in the store"};
    return found;
  }
  all.note_change(all.codes_, *node);
  found.code = std::exchange(node->second.value, {});
  return found;
}

// --- Asking and telling -------------------------------------------------------------------------

void Accounts::ask(std::vector<Lack>& lacks) {
  KOI_ASSERT(sharing_ && !sharing_->in_turn);
  for (Lack& each : lacks) {
    if (each.ask != 0 || each.answered) continue;
    if (auto account = shared_of(each.account)) {
      Shared::Desk desk(*this, *std::move(account));
      if (desk.enter()) {
        desk.changes();
        desk.note(each.at);
        each.ask = desk.lender.ask(each.at, each.want);
        continue;
      }
    }
    // It is over, or no account any more: there is nothing of it, anywhere.
    each.ask = 1;
    sharing_->answered.push_back({each.account, each.ask, true});
  }
}

void Accounts::take(std::uint16_t from, const Loan& loan) {
  KOI_ASSERT(sharing_ && !sharing_->in_turn);
  if (auto account = shared_of(loan.account)) {
    Shared::Desk desk(*this, *std::move(account));
    if (desk.enter()) {
      desk.changes();
      return desk.lender.take(from, loan);
    }
  }
  // Likewise.
  Loan nothing;
  nothing.account = loan.account;
  nothing.ask = loan.ask;
  nothing.at = loan.at;
  if (loan.kind == Loan::Kind::Ask) {
    nothing.kind = Loan::Kind::Lend;
    nothing.is_short = true;
  } else if (loan.kind == Loan::Kind::CallIn) {
    nothing.kind = Loan::Kind::Back;
  } else {
    return;
  }
  sharing_->loans.emplace_back(from, std::move(nothing));
}

std::vector<std::pair<std::uint16_t, Loan>> Accounts::take_loans() {
  return sharing_ ? std::exchange(sharing_->loans, {})
                  : std::vector<std::pair<std::uint16_t, Loan>>();
}

std::vector<Accounts::Answered> Accounts::take_answered() {
  return sharing_ ? std::exchange(sharing_->answered, {}) : std::vector<Answered>();
}

// --- Taken along --------------------------------------------------------------------------------

namespace {

// The budget that a pot is of; none where the rules do not know it.
plan::BudgetId budget_of(const plan::Plan& plan, const ledger::Pot& pot) {
  for (std::size_t i = 0; i < plan.budgets.size(); ++i)
    if (plan.budgets[i].definition == pot.of) return plan::BudgetId::of(i);
  return {};
}

}  // namespace

std::optional<std::pair<Accounts::Shared, std::int64_t>> Accounts::Shared::of(Accounts& all,
                                                                              const Charge& charge,
                                                                              Timestamp now) {
  const auto& budgets = all.plan_.budgets;
  plan::BudgetId id = budget_of(all.plan_, charge.pot);
  if (!id) return std::nullopt;
  std::int64_t parts = parts_of(all.plan_, budgets[id.index()]);
  if (budgets[id.index()].is_costs) {
    parts = 1;
    for (std::size_t i = 0; i < budgets.size(); ++i)
      if (budgets[i].costs == id) id = plan::BudgetId::of(i);
  }
  const plan::Budget& budget = budgets[id.index()];
  if (budget.amount == plan::unlimited) return std::nullopt;
  if (budget.per.kind == plan::Per::Kind::Rolling) {
    const auto counting = pots_at(budget.per, now, *all.plan_.policy.zone);
    if (std::find(counting.begin(), counting.end(), charge.pot.begin) == counting.end())
      return std::nullopt;
  }
  const Timestamp when = charge.pot.begin == Timestamp::ever() ? now : charge.pot.begin;
  return std::pair(all.shared_budget(id, when), product_or_most(charge.amount, parts));
}

std::optional<Accounts::Shared> Accounts::Shared::of(Accounts& all, const Counted& counted,
                                                     Timestamp now) {
  Timestamp period = counted.at;
  for (const plan::Limit& each : all.plan_.limits) {
    if (each.definition != counted.limit && definition_for_shares(each.definition) != counted.limit)
      continue;
    if (each.per.kind != plan::Per::Kind::Rolling) continue;
    if (add(counted.at, each.per.span, *all.plan_.policy.zone) <= now) return std::nullopt;
    period = Timestamp::ever();
  }
  return all.shared_of(books::key_of_count(counted.limit, counted.value) + bytes_of(period));
}

// Between this group and another.
void Accounts::move(const Shared& account, std::int64_t amount, std::uint16_t from,
                    std::uint16_t to) {
  Shared::Desk desk(*this, account);
  if (!desk.enter()) return;
  desk.changes();
  if (from == sharing_->own)
    desk.lender.move_out(to, amount);
  else
    desk.lender.move_in(from, amount);
}

void Accounts::move_out(std::uint16_t to, const Charge& charge, ledger::Stage stage, Timestamp now,
                        const ledger::Cause& cause) {
  if (charge.amount <= 0) return;
  post({now, charge.pot, stage, ledger::Stage::Transit, charge.amount, cause});
  if (!sharing_) return;
  if (const auto lent = Shared::of(*this, charge, now))
    move(lent->first, lent->second, sharing_->own, to);
}

void Accounts::move_in(std::uint16_t from, const Charge& charge, ledger::Stage stage, Timestamp now,
                       const ledger::Cause& cause) {
  if (charge.amount <= 0) return;
  post({now, charge.pot, ledger::Stage::Transit, stage, charge.amount, cause});
  if (!sharing_) return;
  if (const auto lent = Shared::of(*this, charge, now))
    move(lent->first, lent->second, from, sharing_->own);
}

void Accounts::move_out(std::uint16_t to, const Counted& what, Timestamp now) {
  if (what.value == 0) return;
  release(counted(what.limit, what.value), what);
  if (!sharing_) return;
  if (const auto account = Shared::of(*this, what, now))
    move(*account, what.amount, sharing_->own, to);
}

void Accounts::move_in(std::uint16_t from, const Counted& what, Timestamp now) {
  if (what.value == 0) return;
  auto& all = counted(what.limit, what.value);
  const auto place = std::lower_bound(
      all.begin(), all.end(), what, [](const Counted& a, const Counted& b) { return a.at < b.at; });
  if (place != all.end() && place->at == what.at)
    place->amount = sum_or_most(place->amount, what.amount);
  else
    all.insert(place, what);
  if (!sharing_) return;
  if (const auto account = Shared::of(*this, what, now))
    move(*account, what.amount, from, sharing_->own);
}

}  // namespace koi::core
