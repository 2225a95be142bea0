#include "deploy/detail/town.h"

#include <gtest/gtest.h>

#include "core/books.h"
#include "durable/by_hand.h"

namespace koi::deploy {

std::string with_packets(const std::string& packet, const std::string& gives) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY }
customer { identify by openid }
event grab { openid: text? }
channel wechat { reach by openid }
points stars { budget 500_000 }
)" + packet +
         "\ncampaign gives { class service  enter always  when grab " + gives + " }\n";
}

std::string packet_of_ones() {
  return with_packets("red_packet gift { amount ¥1.00  budget ¥100.00  pay via wechat }",
                      "give gift");
}

void Handed::take(store::Group, std::vector<durable::Deed> deeds) {
  const std::lock_guard lock(mutex_);  // groups recover side by side
  for (const durable::Deed& deed : deeds) {
    const core::Effect& effect = deed.effect;
    One one{deed.customer, effect.action, effect.of, effect.reason, 0, {}, effect.time};
    if (effect.gift) {
      one.code = effect.gift->code;
      if (effect.gift->amount.kind() == Kind::Money) one.money = effect.gift->amount.raw();
    }
    all.emplace(effect.key, one);
    if (effect.gift && effect.wants_receipt) open.emplace(effect.key, deed.customer);
  }
}

void Handed::refused(store::Group, const core::State& customer) {
  const std::lock_guard lock(mutex_);
  refusals.insert(customer.id);
}

std::size_t Handed::count(core::Action action, core::Reason reason) const {
  std::size_t count = 0;
  for (const auto& [key, one] : all) count += one.action == action && one.reason == reason;
  return count;
}

std::int64_t Handed::money() const {
  std::int64_t money = 0;
  for (const auto& [key, one] : all)
    if (one.action == core::Action::Give) money += one.money;
  return money;
}

std::map<ledger::Pot, ledger::Balances> balances_of(const store::Store& store,
                                                    store::Groups groups) {
  std::map<ledger::Pot, ledger::Balances> all;
  for (store::Group group = 0; group < groups.count; ++group) {
    const auto shared = *store.shared_behind(group, "", SIZE_MAX);
    for (const store::Shared& each : shared) {
      const auto entry = core::books::read(each.key, each.bytes);
      EXPECT_TRUE(entry) << each.key;
      const auto* balance = entry ? std::get_if<core::books::Balance>(&*entry) : nullptr;
      if (!balance) continue;
      EXPECT_EQ(balance->balances.sum(), 0);
      for (std::size_t stage = 0; stage < ledger::stage_count; ++stage)
        all[balance->pot].at[stage] += balance->balances.at[stage];
    }
  }
  return all;
}

Town::Town(const std::string& program, std::uint16_t groups, std::uint32_t seed,
           std::uint64_t budget)
    : groups_{groups}, plan_(plan_of(trial_bundle(program))), chance_(seed), budget_(budget) {
  start();
}

void Town::submit(std::vector<durable::Given> given) {
  if (given.empty()) return;
  auto taken = writers_->submit(std::move(given), {});
  if (!taken) {
    ASSERT_EQ(taken.error().code, "busy");
    come_to_rest();
    ASSERT_TRUE(durable::store_all(*writers_));
    ASSERT_TRUE(writers_->submit(std::move(given), {}));
  }
}

void Town::submit(Told told, const std::vector<std::string>& openids) {
  Event event = event_of(plan_, told);
  for (const std::string& each : openids) {
    const Identifier openid{IdentifierId::of(0), each};
    const std::string& owner = owners_.try_emplace(each, told.customer).first->second;
    if (owner == told.customer)
      event.identifiers.push_back(openid);
    else
      event.met.push_back({openid, owner, openid.kind});
  }
  std::vector<std::string> codes;
  for (const auto& [name, value] : told.fields)
    if (name == "code" || name == "invited_by") codes.emplace_back(value.as_text());
  if (groups_.count > 1 && !codes.empty()) {
    // Where whoever has the code is on his way to another group, the door asks for patience.
    if (!can_find(codes)) come_to_rest();
    writers_->find_places(codes, [&](Result<std::vector<CodePlace>> found) {
      ASSERT_TRUE(found);
      event.places = *std::move(found);
    });
  }
  std::vector<durable::Given> given;
  given.emplace_back(std::move(event));
  submit(std::move(given));
}

bool Town::can_find(const std::vector<std::string>& codes) {
  bool can = false;
  writers_->find_places(codes, [&](const Result<std::vector<CodePlace>>& found) {
    can = found || found.error().code != "moved";
  });
  return can;
}

void Town::go_on(bool with_kills) {
  const auto group = static_cast<store::Group>(below(groups_.count));
  switch (const std::size_t what = below(with_kills ? 24 : durable::things_done)) {
    case 20:
      store_.fail_at(0, below(2) == 0);
      ASSERT_FALSE(writers_->checkpoint(group));
      store_.revive();
      kill();
      break;
    case 21:
    case 22: kill(); break;
    default: ASSERT_TRUE(durable::do_one(*writers_, group, what)); break;
  }
}

void Town::kill() {
  writers_.reset();
  start();
}

void Town::come_to_rest() {
  const std::size_t lost = std::exchange(lost_, 0);
  durable::come_to_rest(*writers_);
  lost_ = lost;
}

void Town::expect_at_rest() {
  EXPECT_EQ(writers_->figures().letters, 0u);
  EXPECT_EQ(writers_->figures().undecided, 0u);
  for (store::Group group = 0; group < groups_.count; ++group)
    EXPECT_TRUE(writers_->writer(group).waiting().empty());
}

void Town::expect_as_replayed() {
  ASSERT_TRUE(durable::store_all(*writers_));
  ASSERT_TRUE(durable::store_all(*writers_));  // and what has arrived is no row any more
  Handed again;
  const match::Index index = match::Index::build(plan_);
  for (store::Group group = 0; group < groups_.count; ++group) {
    store::MemoryStore nothing{groups_};
    durable::Writer writer(plan_, index, nothing, groups_, group, 1u << 30, again);
    writer.letters().keep_none();
    ASSERT_TRUE(durable::replay(writer, plan_, journal_, group));
    std::map<std::string, std::string> stored, replayed;
    const auto shared = *memory_.shared_behind(group, "", SIZE_MAX);
    for (const store::Shared& each : shared) stored[each.key] = each.bytes;
    for (const store::Shared& each : writer.freeze_shared())
      if (!each.bytes.empty()) replayed[each.key] = each.bytes;
    for (const auto& [key, bytes] : stored)
      EXPECT_EQ(replayed[key], bytes) << "at " << key << " of group " << group;
    for (const auto& [key, bytes] : replayed)
      EXPECT_EQ(stored[key], bytes) << "at " << key << " of group " << group;
    EXPECT_EQ(durable::differently_stored(memory_, plan_, groups_, group, writer),
              std::vector<std::string>());
  }
  EXPECT_EQ(again.all.size(), handed.all.size());
  for (const auto& [key, one] : again.all) EXPECT_TRUE(handed.all.contains(key));
}

std::map<ledger::Pot, std::int64_t> Town::outs() const {
  std::map<ledger::Pot, std::int64_t> outs;
  for (const auto& [pot, balances] : balances_of(memory_, groups_)) outs[pot] = balances.out();
  return outs;
}

void Town::expect_all_have_come() const {
  for (const auto& [pot, balances] : balances_of(memory_, groups_))
    EXPECT_EQ(balances[ledger::Stage::Transit], 0);
}

std::string Town::whoever(std::string customer) const {
  return durable::whoever(memory_, plan_, std::move(customer));
}

void Town::expect_friends_know_each_other() const {
  const core::Codec codec(plan_);
  std::map<std::string, core::State> all;
  for (std::size_t partition = 0; partition < partition_count; ++partition) {
    const auto customers = *memory_.scan(static_cast<Partition>(partition), "", 10'000);
    for (const store::Saved& saved : customers)
      all.emplace(saved.customer, *codec.decode(saved.bytes));
  }
  for (const auto& [customer, state] : all) {
    if (state.holdings.empty()) continue;
    for (const core::Binding& binding : state.holdings[0].bindings) {
      EXPECT_TRUE(binding.is_settled) << customer;
      EXPECT_EQ(binding.inviter, whoever(binding.inviter)) << "who brought " << customer;
      const core::State& inviter = all.at(binding.inviter);
      if (binding.inviter == customer || inviter.holdings.empty()) {
        EXPECT_EQ(binding.inviter, customer);
        continue;
      }
      const auto& friends = inviter.holdings[0].friends;
      const auto brought = std::find_if(friends.begin(), friends.end(), [&](const auto& each) {
        return each.referral == binding.referral && each.invitee == customer;
      });
      ASSERT_NE(brought, friends.end()) << customer << " of " << binding.inviter;
      EXPECT_TRUE(binding.qualified == Timestamp::never() ||
                  brought->stage != core::Friend::Stage::Joined)
          << customer << " of " << binding.inviter;
    }
  }
}

void Town::expect_no_budget_is_passed() const {
  for (const auto& [pot, out] : outs())
    for (const plan::Budget& budget : plan_.budgets)
      if (budget.definition == pot.of) {
        EXPECT_LE(out, budget.amount) << budget.name;
      }
}

Result<std::unique_ptr<durable::Writers>> Town::open() {
  durable::Settings settings;
  settings.budget = budget_;
  settings.timers_at_once = 3;
  settings.longest_batch = 7;
  // One after the other: a seed is one story.
  settings.recovers_at_once = false;
  durable::World world{
      plan_, rules_now, journal_, store_, groups_, handed, [this] { return now_; }};
  world.carry = [this](const durable::Letter&) { return lost_ == 0 || below(lost_) != 0; };
  return durable::Writers::open(std::move(world), settings);
}

void Town::start() {
  auto opened = open();
  ASSERT_TRUE(opened) << opened.error().what;
  writers_ = *std::move(opened);
}

Told grab(Town& town, int number, const std::string& customer) {
  return {"grab",
          "e" + std::to_string(number),
          customer,
          town.now(),
          {{"openid", Value::text("o" + customer)}}};
}

}  // namespace koi::deploy
