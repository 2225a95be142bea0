#include "serve/audit.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/decimal.h"
#include "base/json.h"
#include "core/accounts.h"
#include "core/books.h"
#include "core/codec.h"
#include "core/periods.h"
#include "deploy/deploy.h"
#include "deploy/deployment.h"
#include "deploy/states.h"
#include "durable/checkpoint.h"
#include "durable/rows.h"
#include "serve/audit_lent.h"
#include "serve/deliveries.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi::serve {

namespace {

using ledger::Balances;
using ledger::Pot;
using ledger::Stage;

constexpr std::size_t at_once = 4096;
constexpr std::size_t most_findings = 100;

class Auditing {
 public:
  Auditing(const plan::Plan& plan, store::Groups groups, bool had_others)
      : plan_(plan), had_others_(had_others), groups_(groups), lent_(plan, groups, had_others) {}

  Result<void> group(const store::Journal& journal, const store::Store& store, store::Group number);
  // Behind all groups: a payment may be another group's than its customer, who has come from there.
  Result<void> customers(const store::Store& store, store::Group number);
  Audit finish();

 private:
  struct Held {
    std::int64_t reserved = 0, given = 0;
  };

  void find(std::string what);
  Result<void> books(const store::Store& store, store::Group number);
  void post(const core::books::Posted& posted, std::string_view bytes);
  Result<void> payments(const store::Store& store, store::Group number);
  void find_payments_left();
  bool is_of_one_moment() const { return groups_.count == 1 || audit_.tail == 0; }
  void holdings(const core::Holdings& mine, const std::string& customer);
  void holds(const core::Grant& grant, const std::string& customer);
  void compare_with_customers();
  void compare_groups();
  void compare_with_budgets();
  std::int64_t counting(const plan::Budget& budget, Timestamp begin) const;
  const plan::Budget* budget_of(const Pot& pot) const;
  bool is_own_of_points(const Pot& pot) const;
  bool is_exact(const Pot& pot) const;
  std::string name_of(const Pot& pot) const;
  std::string amount(const plan::Budget* budget, std::int64_t of) const;

  const plan::Plan& plan_;
  const bool had_others_;  // other rules than these have given, too
  const store::Groups groups_;
  bool has_set_aside_ =
      false;  // what crashes is never decided: what would have followed is missing
  Audit audit_;
  std::map<Pot, Balances> kept_;  // of all groups together
  std::map<Pot, Held> held_;
  Lent lent_;
  bool is_moving_ = false;                         // a customer may be between two groups
  std::map<Hash128, std::int64_t> open_payments_;  // of packets, not of shares
  std::vector<std::string> unpaid_;                // what is reserved, and not among those
  // Of the group at hand.
  ledger::Ledger again_;
  std::map<Pot, Balances> balances_;
  std::uint64_t next_posting_ = 0;
  core::books::Postings postings_said_, postings_;
};

void Auditing::find(std::string what) {
  if (audit_.findings.size() < most_findings) audit_.findings.push_back(std::move(what));
}

// --- The books ----------------------------------------------------------------------------------

void Auditing::post(const core::books::Posted& posted, std::string_view bytes) {
  if (posted.number != next_posting_)
    find("the postings from number " + std::to_string(next_posting_) + " to " +
         std::to_string(posted.number) + " are missing");
  next_posting_ = posted.number + 1;
  ++audit_.postings;
  postings_.add(bytes);
  if (const auto done = again_.post(posted.posting); !done)
    find("posting number " + std::to_string(posted.number) + ": " + done.error().what);
}

Result<void> Auditing::books(const store::Store& store, store::Group number) {
  again_ = {};
  balances_.clear();
  next_posting_ = 0;
  postings_ = postings_said_ = {};
  std::string after;
  for (;;) {
    KOI_LET(const auto piece, store.shared_behind(number, after, at_once));
    for (const store::Shared& each : piece) {
      if (const auto learned = lent_.learn(number, each.key, each.bytes); !learned)
        find(learned.error().what);
      if (durable::is_row(each.key)) continue;
      const auto entry = core::books::read(each.key, each.bytes);
      if (!entry) {
        find(entry.error().what + " (under a key that begins with `" + each.key.substr(0, 1) +
             "`)");
      } else if (const auto* balance = std::get_if<core::books::Balance>(&*entry)) {
        balances_.emplace(balance->pot, balance->balances);
      } else if (const auto* posted = std::get_if<core::books::Posted>(&*entry)) {
        post(*posted, each.bytes);
      } else if (const auto* said = std::get_if<core::books::Postings>(&*entry)) {
        postings_said_ = *said;
      }
    }
    if (piece.size() < at_once) break;
    after = piece.back().key;
  }
  if (postings_said_.count != postings_.count)
    find("there must be " + std::to_string(postings_said_.count) + " postings, and there are " +
         std::to_string(postings_.count));
  else if (postings_said_ != postings_)
    find("the postings are not those that were written: their hash is another one");
  // One pot after the other: each that differs is a finding.
  std::map<Pot, Balances> all = again_.pots();
  for (const auto& [pot, balances] : balances_) all.try_emplace(pot);
  for (const auto& [pot, made] : all) {
    const auto is = balances_.find(pot);
    ledger::Ledger one;
    one.put(pot, made);
    const auto same =
        ledger::compare(one, {{pot, is == balances_.end() ? Balances() : is->second}});
    if (!same) find(name_of(pot) + ": " + same.error().what);
  }
  for (const auto& [pot, balances] : balances_) {
    lent_.learn(number, pot, balances.out());
    Balances& sum = kept_[pot];
    for (std::size_t i = 0; i < sum.at.size(); ++i) sum.at[i] += balances.at[i];
  }
  return {};
}

// --- Payments under way -------------------------------------------------------------------------

Result<void> Auditing::payments(const store::Store& store, store::Group number) {
  KOI_LET(const std::string bytes, store.kept(number));
  if (bytes.empty()) return {};
  KOI_LET(const durable::Kept kept, durable::decode_kept(bytes));
  Deliveries deliveries(plan_, groups_);
  KOI_TRY(deliveries.thaw(number, kept.deeds));
  KOI_LET(const auto open, deliveries.take_open());
  for (const auto& each : open) {
    const Delivery& delivery = each.send.delivery;
    if (!delivery.payout) continue;
    ++audit_.payments;
    const auto is_it = [&](const plan::Incentive& incentive) {
      const auto* packet = std::get_if<plan::RedPacket>(&incentive.what);
      return incentive.symbol.name == delivery.content && packet &&
             packet->how != plan::RedPacket::How::Group;
    };
    if (std::any_of(plan_.incentives.begin(), plan_.incentives.end(), is_it))
      open_payments_.emplace(delivery.key, delivery.payout->amount);
  }
  return {};
}

// --- What customers hold ------------------------------------------------------------------------

void Auditing::holds(const core::Grant& grant, const std::string& customer) {
  const plan::Incentive& incentive = plan_.incentives[grant.incentive.index()];
  if (std::holds_alternative<plan::Points>(incentive.what)) return;  // his lots say it
  if (grant.stage == Stage::Reserved) {
    for (const core::Charge& charge : grant.charges) held_[charge.pot].reserved += charge.amount;
    const auto payment = open_payments_.find(grant.key);
    const std::string who = "customer " + std::to_string(hash64(customer)) + " (a hash of his id)";
    if (payment == open_payments_.end()) {
      std::string what = "`" + incentive.symbol.name + "`: money is reserved for " + who +
                         ", and no payment is under way";
      if (has_set_aside_)
        audit_.notes.push_back(std::move(what) + ": its receipt may have been set aside");
      else
        unpaid_.push_back(std::move(what));
      return;
    }
    if (payment->second != grant.amount)
      find("`" + incentive.symbol.name + "`: what is paid to " + who +
           " is not what is reserved for him");
    open_payments_.erase(payment);
  }
  if (grant.stage != Stage::Given) return;
  std::int64_t rest = 0;
  for (std::size_t i = grant.taken; i < grant.shares.size(); ++i) rest += grant.shares[i];
  for (const core::Charge& charge : grant.charges) {
    std::int64_t& given = held_[charge.pot].given;
    if (grant.shares.empty())
      given += charge.amount;
    else if (charge.is_money)
      given += rest;
    else if (grant.taken == 0)
      given += charge.amount;
  }
}

void Auditing::holdings(const core::Holdings& mine, const std::string& customer) {
  for (const core::Grant& grant : mine.grants) holds(grant, customer);
  for (const core::Purse& purse : mine.purses) {
    const plan::Incentive& points = plan_.incentives[purse.points.index()];
    const plan::Budget& own = plan_.budgets[points.budgets[0].index()];
    for (const ledger::Lot& lot : purse.lots)
      held_[{own.definition, Timestamp::ever()}].given += lot.amount;
  }
}

Result<void> Auditing::customers(const store::Store& store, store::Group number) {
  core::Codec codec(plan_);
  KOI_LET(const auto layouts, store.layouts(number));
  for (const std::string& layout : layouts) KOI_TRY(codec.learn(layout));
  for (std::size_t partition = number; partition < partition_count; partition += groups_.count) {
    std::string after;
    for (;;) {
      KOI_LET(const auto piece, store.scan(static_cast<Partition>(partition), after, at_once));
      for (const store::Saved& saved : piece) {
        ++audit_.customers;
        const auto state = codec.decode(saved.bytes);
        if (!state)
          find("customer " + std::to_string(hash64(saved.customer)) +
               " (a hash of his id): " + state.error().what);
        else if (!state->holdings.empty())
          holdings(state->holdings[0], saved.customer);
      }
      if (piece.size() < at_once) break;
      after = piece.back().customer;
    }
  }
  return {};
}

// Whoever is on his way has left his payments, and a receipt may be on its way behind him.
void Auditing::find_payments_left() {
  if (!is_of_one_moment() || is_moving_) return;
  for (std::string& each : unpaid_) find(std::move(each));
  for (const auto& [key, paid] : open_payments_)
    find("the payment " + to_hex(key) + " is under way, and nothing is reserved for it");
}

Result<void> Auditing::group(const store::Journal& journal, const store::Store& store,
                             store::Group number) {
  KOI_LET(const store::Position last, journal.last(number));
  KOI_LET(const store::Position position, store.position(number));
  audit_.tail += last - std::min(last, position);
  KOI_LET(const auto set_aside, journal.set_aside(number));
  has_set_aside_ = has_set_aside_ || !set_aside.empty();
  KOI_TRY(books(store, number));
  return payments(store, number);
}

// --- All together -------------------------------------------------------------------------------

const plan::Budget* Auditing::budget_of(const Pot& pot) const {
  for (const plan::Budget& budget : plan_.budgets)
    if (budget.definition == pot.of) return &budget;
  return nullptr;
}

bool Auditing::is_own_of_points(const Pot& pot) const {
  return std::any_of(plan_.incentives.begin(), plan_.incentives.end(),
                     [&](const plan::Incentive& each) {
                       return std::holds_alternative<plan::Points>(each.what) &&
                              plan_.budgets[each.budgets[0].index()].definition == pot.of;
                     });
}

// Whether all that is out of it is in somebody's hands. Points that are spent are not taken out of
// the other budgets that they counted in, and a campaign's budget may have been used for what the
// rules do not give any more.
bool Auditing::is_exact(const Pot& pot) const {
  if (is_own_of_points(pot)) return true;
  return std::any_of(
      plan_.incentives.begin(), plan_.incentives.end(), [&](const plan::Incentive& each) {
        return !std::holds_alternative<plan::Points>(each.what) &&
               std::any_of(each.budgets.begin(), each.budgets.end(), [&](plan::BudgetId id) {
                 return plan_.budgets[id.index()].definition == pot.of;
               });
      });
}

std::string Auditing::name_of(const Pot& pot) const {
  const plan::Budget* budget = budget_of(pot);
  if (!budget) return "the account " + to_hex({pot.of, 0}).substr(0, 16);
  std::string name = "`" + budget->name + "`";
  if (pot.begin != Timestamp::ever()) name += " from " + to_string(pot.begin, *plan_.policy.zone);
  return name;
}

std::string Auditing::amount(const plan::Budget* budget, std::int64_t of) const {
  return budget && budget->is_money ? scaled_to_string(of, plan_.schema.currency_decimals)
                                    : std::to_string(of);
}

void Auditing::compare_with_customers() {
  for (const auto& [pot, held] : held_) kept_.try_emplace(pot);
  for (const auto& [pot, balances] : kept_) {
    const auto place = held_.find(pot);
    const Held held = place == held_.end() ? Held() : place->second;
    for (const auto& [stage, in_hands] :
         {std::pair(Stage::Reserved, held.reserved), std::pair(Stage::Given, held.given)}) {
      const std::int64_t out = balances[stage];
      if (out == in_hands || (out > in_hands && !is_exact(pot))) continue;
      const plan::Budget* budget = budget_of(pot);
      std::string what = name_of(pot) + " has " + amount(budget, out) + " " +
                         std::string(ledger::name_of(stage)) + ", and customers hold " +
                         amount(budget, in_hands);
      if (out > in_hands && (had_others_ || has_set_aside_))
        audit_.notes.push_back(what +
                               ": former rules, or an input that was set aside, may have "
                               "left the rest behind");
      else
        find(std::move(what));
    }
  }
}

// What counts against a budget in the period that begins then, over all groups. Of a rolling one:
// in the stretch whose last pot begins then.
std::int64_t Auditing::counting(const plan::Budget& budget, Timestamp begin) const {
  const bool is_rolling = budget.per.kind == plan::Per::Kind::Rolling;
  const Zone& zone = *plan_.policy.zone;
  const Timestamp from = is_rolling ? subtract(begin, budget.per.span, zone) : begin;
  std::int64_t sum = 0;
  for (auto pot = kept_.lower_bound({budget.definition, from});
       pot != kept_.end() && pot->first.of == budget.definition && pot->first.begin <= begin; ++pot)
    if (!is_rolling || add(pot->first.begin, budget.per.span, zone) > begin)
      sum = checked_add(sum, pot->second.out()).value_or(INT64_MAX);
  return sum;
}

// Groups whose checkpoints are of different moments say nothing about one another.
void Auditing::compare_groups() {
  if (!is_of_one_moment()) {
    audit_.notes.push_back(
        "what the groups have lent one another, and which payments are whose, is not looked at: it "
        "is known where nothing is behind the last checkpoint");
    return;
  }
  compare_with_budgets();
  Lent::Findings lent = lent_.finish();
  is_moving_ = lent.is_moving;
  for (const auto& [pot, balances] : kept_)
    if (const std::int64_t transit = balances[Stage::Transit]; transit != 0 && !lent.is_moving)
      find(name_of(pot) + " has " + amount(budget_of(pot), transit) +
           " on the way between groups, and nobody is");
  for (std::string& wrong : lent.wrong) find(std::move(wrong));
  std::move(lent.notes.begin(), lent.notes.end(), std::back_inserter(audit_.notes));
}

// However many groups have taken from it.
void Auditing::compare_with_budgets() {
  std::int64_t one = 1'000'000;  // millionths in the currency's least unit
  for (int i = 0; i < plan_.schema.currency_decimals; ++i) one /= 10;
  for (const auto& [pot, balances] : kept_) {
    const plan::Budget* const budget = budget_of(pot);
    if (!budget || budget->amount == plan::unlimited) continue;
    std::int64_t out = counting(*budget, pot.begin);
    if (budget->costs) {
      const std::int64_t costs = counting(plan_.budgets[budget->costs.index()], pot.begin);
      out = checked_add(out, costs / one + (costs % one > 0 ? 1 : 0)).value_or(INT64_MAX);
    }
    if (out <= budget->amount) continue;
    std::string what = name_of(pot) + " has " + amount(budget, budget->amount) + ", and " +
                       amount(budget, out) + " of it are out";
    if (had_others_)
      audit_.notes.push_back(what + ": former rules may have had more to give");
    else
      find(std::move(what));
  }
}

Audit Auditing::finish() {
  compare_with_customers();
  compare_groups();
  find_payments_left();
  audit_.currency_decimals = plan_.schema.currency_decimals;
  std::map<std::uint64_t, Balances> sums;
  for (const auto& [pot, balances] : kept_)
    for (std::size_t i = 0; i < balances.at.size(); ++i) sums[pot.of].at[i] += balances.at[i];
  const auto add = [&](std::string name, bool is_money, std::uint64_t definition) {
    const auto found = sums.find(definition);
    if (found == sums.end()) return;
    audit_.accounts.push_back({std::move(name), is_money, found->second});
    sums.erase(found);
  };
  for (const plan::Budget& budget : plan_.budgets)
    add(budget.name, budget.is_money, budget.definition);
  while (!sums.empty())
    add(to_hex({sums.begin()->first, 0}).substr(0, 16), false, sums.begin()->first);
  return std::move(audit_);
}

}  // namespace

Result<AtRest> open_at_rest(const std::filesystem::path& data) {
  if (!std::filesystem::exists(data / "deployment.json"))
    return Error{"missing",
                 data.string() + " is no data directory of Koi: it has no deployment.json"};
  KOI_LET(store::Directory directory, store::Directory::open(data));
  KOI_LET(auto deployment, deploy::read_deployment(directory));
  if (deployment->is_under_way)
    return Error{"under_way",
                 "a deploy was broken off in " + data.string() +
                     ", and its customers are under two rules; start the server once: it goes on"};
  return AtRest{std::move(directory), *std::move(deployment)};
}

Result<Audit> audit(const std::filesystem::path& data) {
  KOI_LET(const AtRest at_rest, open_at_rest(data));
  const auto& [directory, deployment] = at_rest;
  KOI_LET(const deploy::Live live, deploy::live(directory));
  KOI_LET(const auto journal, store::SqliteJournal::open(directory, {}));
  KOI_LET(const deploy::States states,
          deploy::open_states(directory, journal->groups(), deployment));
  return audit(live.plan, *journal, *states.store, journal->groups(), deployment.turns.size() > 1);
}

Result<Audit> audit(const plan::Plan& plan, const store::Journal& journal,
                    const store::Store& store, store::Groups groups, bool had_others) {
  Auditing auditing(plan, groups, had_others);
  for (store::Group group = 0; group < groups.count; ++group)
    KOI_TRY(auditing.group(journal, store, group));
  for (store::Group group = 0; group < groups.count; ++group)
    KOI_TRY(auditing.customers(store, group));
  return auditing.finish();
}

std::string told(const Audit& audit) {
  std::string text;
  for (const Audit::Account& account : audit.accounts) {
    text += account.name + ":";
    for (const Stage stage : {Stage::Reserved, Stage::Given, Stage::Claimed, Stage::Lapsed,
                              Stage::Returned, Stage::ClawedBack}) {
      const std::int64_t of = account.balances[stage];
      text +=
          " " + std::string(ledger::name_of(stage)) + " " +
          (account.is_money ? scaled_to_string(of, audit.currency_decimals) : std::to_string(of));
    }
    text += "\n";
  }
  text += std::to_string(audit.postings) + " postings, " + std::to_string(audit.customers) +
          " customers, " + std::to_string(audit.payments) + " payments under way\n";
  if (audit.tail > 0)
    text += std::to_string(audit.tail) +
            " rows of the journal are behind the last checkpoint: not in these figures\n";
  for (const std::string& note : audit.notes) text += "note: " + note + "\n";
  for (const std::string& finding : audit.findings) text += "WRONG: " + finding + "\n";
  text += audit.findings.empty() ? "the ledger is right\n" : "the ledger is NOT right\n";
  return text;
}

Result<std::string> budgets_json(const store::Store& store, store::Groups groups,
                                 const plan::Plan& plan, Timestamp now) {
  const auto sum_of = [&](const plan::Budget& budget) -> Result<Balances> {
    Balances sum;
    for (const Timestamp begin : core::pots_at(budget.per, now, *plan.policy.zone)) {
      const std::string key = core::books::key_of(Pot{budget.definition, begin});
      for (store::Group group = 0; group < groups.count; ++group) {
        KOI_LET(const std::string bytes, store.shared(group, key));
        KOI_LET(const Balances balances, core::books::balances_of(bytes));
        for (std::size_t i = 0; i < sum.at.size(); ++i) sum.at[i] += balances.at[i];
      }
    }
    return sum;
  };
  std::string out = "[";
  for (const plan::Budget& budget : plan.budgets) {
    KOI_LET(const Balances sum, sum_of(budget));
    Balances costs;  // what messages cost is gone from it
    if (budget.costs) {
      KOI_LET(costs, sum_of(plan.budgets[budget.costs.index()]));
    }
    const auto amount = [&](std::int64_t of) {
      if (budget.is_costs) return '"' + scaled_to_string(of, 6) + '"';
      return budget.is_money ? '"' + scaled_to_string(of, plan.schema.currency_decimals) + '"'
                             : std::to_string(of);
    };
    std::int64_t one = 1'000'000;  // millionths in the currency's least unit
    for (int i = 0; i < plan.schema.currency_decimals; ++i) one /= 10;
    const std::int64_t gone = sum.out() + (costs.out() + one - 1) / one;
    out += out.size() > 1 ? R"(,{"name":)" : R"({"name":)";
    append_json_string(out, budget.name);
    if (budget.amount != plan::unlimited)
      out += R"(,"budget":)" + amount(budget.amount) + R"(,"left":)" +
             amount(std::max<std::int64_t>(0, budget.amount - gone));
    for (const Stage stage : {Stage::Reserved, Stage::Given, Stage::Claimed, Stage::Lapsed,
                              Stage::Returned, Stage::ClawedBack})
      out += ",\"" + std::string(ledger::name_of(stage)) + "\":" + amount(sum[stage]);
    out += '}';
  }
  return out + "]";
}

}  // namespace koi::serve
