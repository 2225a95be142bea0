#include "sim/scenario.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/accounts.h"
#include "core/gate.h"
#include "sim/world.h"

namespace koi::sim {

namespace {

using core::Action;

// A failed test lists at most so much of what was done: the last.
constexpr std::size_t lines_at_most = 25;
constexpr std::size_t near_at_most = 3;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

Action action_of(check::Action action) {
  switch (action) {
    case check::Action::Enter: return Action::Enter;
    case check::Action::Leave: return Action::Leave;
    case check::Action::Goal: return Action::Goal;
    case check::Action::Send: return Action::Send;
    case check::Action::Reply: return Action::Reply;
    case check::Action::Set: return Action::Set;
    case check::Action::Tag: return Action::Tag;
    case check::Action::Untag: return Action::Untag;
    case check::Action::Emit: return Action::Emit;
    case check::Action::Notify: return Action::Notify;
    case check::Action::Call: return Action::Call;
    case check::Action::Start: return Action::Start;
    case check::Action::Give: return Action::Give;
    case check::Action::Claim: return Action::Claim;
    case check::Action::ClawBack: return Action::ClawBack;
    case check::Action::Redeem: return Action::Redeem;
  }
  KOI_ASSERT(false);
}

plan::CampaignClass class_of(check::CampaignClass purpose) {
  switch (purpose) {
    case check::CampaignClass::Marketing: return plan::CampaignClass::Marketing;
    case check::CampaignClass::Transactional: return plan::CampaignClass::Transactional;
    case check::CampaignClass::Service: return plan::CampaignClass::Service;
  }
  KOI_ASSERT(false);
}

// What an effect is about: the action itself, or the one that was refused.
Action subject_of(const core::Effect& effect) {
  return effect.action == Action::Refuse ? effect.of : effect.action;
}

class Player {
 public:
  Player(const check::Program& program, const plan::Plan& plan, const match::Index& index,
         const check::Test& test, core::Trace* trace)
      : program_(program), plan_(plan), test_(test), world_(plan, &index, trace) {
    result_.name = test.name;
    result_.span = test.span;
  }

  TestResult play() {
    for (at_ = 0; at_ < test_.statements.size(); ++at_)
      std::visit([this](const auto& each) { perform(each); }, test_.statements[at_].what);
    if (world_.fault()) {
      std::vector<std::string> done = done_lines();
      result_.disappointments.push_back(
          {test_.span, "that the test comes to an end", {*world_.fault()}, std::move(done)});
    }
    return std::move(result_);
  }

 private:
  const check::TestStatement& statement() const { return test_.statements[at_]; }

  // --- what happens

  void perform(const check::GivenCustomer& given) {
    core::State& state = world_.customer(test_.customers[given.customer]);
    state.is_label = true;
    for (const auto& [attribute, value] : given.attributes)
      state.attributes[attribute.index()] = value;
    for (const Identifier& identifier : given.identifiers) {
      const auto place =
          std::lower_bound(state.identifiers.begin(), state.identifiers.end(), identifier);
      if (place == state.identifiers.end() || *place != identifier)
        state.identifiers.insert(place, identifier);
    }
    for (const check::ConsentKey& consent : given.consents)
      core::record_consent(state, class_of(consent.purpose),
                           consent.channel.is_none() ? plan::ChannelId::none()
                                                     : plan::ChannelId::of(consent.channel.index()),
                           true, Timestamp::ever());
    for (const auto& [points, count] : given.points) give_points(state, points, count);
    if (given.hold_out) {
      state.hold_out_always = *given.hold_out;
      state.hold_out_never = !*given.hold_out;
    }
  }

  // As if he had been given them before the test began.
  void give_points(core::State& state, check::IncentiveId id, std::int64_t count) {
    if (count <= 0) return;
    const auto points = plan::IncentiveId::of(id.index());
    if (state.holdings.empty()) state.holdings.push_back({});
    auto& purses = state.holdings[0].purses;
    auto place =
        std::lower_bound(purses.begin(), purses.end(), points,
                         [](const core::Purse& a, plan::IncentiveId b) { return a.points < b; });
    if (place == purses.end() || place->points != points)
      place = purses.insert(place, core::Purse{points, {}});
    if (!ledger::earn(place->lots, {Timestamp::never(), count})) return;
    world_.accounts().spend(plan_.incentives[points.index()].budgets[0], count, Timestamp{0}, {});
  }

  void perform(const check::TestGetsLink& gets) {
    leave_for(gets.at);
    world_.run_to(gets.at, false);
    const std::string& customer = test_.customers[gets.customer];
    world_.customer(customer);
    links_[gets.as] =
        core::invite_code(plan_, plan::ReferralId::of(gets.referral.index()), customer);
  }

  // Friends who were never there before come one after the other.
  void perform(const check::TestClaims& claims) {
    leave_for(claims.at);
    const std::string code = code_of(test_.customers[claims.of], claims.incentive);
    for (std::int64_t i = 0; i < claims.customers; ++i) {
      Event event;
      event.customer = "friend " + std::to_string(++friends_);
      event.id = "claim " + std::to_string(friends_);
      event.type = type_of(EngineEvent::Claimed);
      event.time = claims.at;
      event.fields.resize(plan_.schema[event.type].fields.size());
      event.fields[incentive_field::code] = Value::text(code);
      world_.happen(event);
    }
  }

  // Of the packet that he was given last; empty where he has none.
  std::string code_of(const std::string& customer, check::IncentiveId incentive) {
    const core::State& state = world_.customer(customer);
    std::string code;
    if (!state.holdings.empty())
      for (const core::Grant& grant : state.holdings[0].grants)
        if (grant.incentive.index() == incentive.index()) code = grant.code;
    return code;
  }

  void perform(const check::TestRedeem& redeem) {
    using Deed = check::TestRedeem::Deed;
    leave_for(redeem.at);
    const std::string& customer = test_.customers[redeem.of];
    core::Call call;
    call.kind = redeem.deed == Deed::Redeem ? core::Call::Kind::Redeem
                : redeem.deed == Deed::Lock ? core::Call::Kind::Lock
                                            : core::Call::Kind::RollBack;
    call.id = test_.name + "#" + std::to_string(at_ + 1);
    call.time = redeem.at;
    call.customer = customer;
    call.code = code_of(customer, redeem.coupon);
    call.order = redeem.order.empty() ? call.id : redeem.order;
    call.amount = redeem.amount;
    if (redeem.type) call.facts.push_back({redeem.type, redeem.fields});
    for (const check::IncentiveId other : redeem.beside)
      call.together.push_back(code_of(customer, other));
    call.hold = redeem.hold;
    world_.ask(call);
  }

  void perform(const check::ExpectClaimed& expected) {
    const std::vector<Done>& done = world_.done();
    claimed_.resize(done.size());
    std::int64_t total = 0;
    std::size_t count = 0;
    std::vector<std::string> near;
    for (std::size_t i = expected.since_last_stop ? stop_ : 0; i < done.size(); ++i) {
      const core::Effect& effect = done[i].effect;
      if (effect.action != Action::Claim ||
          effect.gift->incentive.index() != expected.incentive.index())
        continue;
      const std::int64_t amount = effect.gift->amount.raw();
      ++count;
      total += amount;
      claimed_[i] = true;
      if ((expected.least && amount < *expected.least) ||
          (expected.most && amount > *expected.most))
        near.push_back(line(done[i]));
    }
    const auto shown = [&](std::int64_t minor) {
      return plan_.policy.currency_sign + scaled_to_string(minor, plan_.schema.currency_decimals);
    };
    if (count == 0 || (expected.total && total != *expected.total))
      near.push_back(std::to_string(count) + " claimed, in all " + shown(total));
    if (!near.empty()) {
      std::string words = "claimed " + program_.incentives[expected.incentive.index()].symbol.name;
      if (expected.total) words += " total " + shown(*expected.total);
      if (expected.least) words += " each from " + shown(*expected.least);
      if (expected.most) words += " to " + shown(*expected.most);
      disappoint(std::move(words), std::move(near));
    }
    expected_until_ = done.size();
  }

  void perform(const check::GivenFailure& given) {
    world_.fail(plan::ChannelId::of(given.channel.index()), failure_of(given.reason));
  }

  void perform(const check::GivenCodes& given) { world_.accounts().stock(given.pool, given.codes); }

  void perform(const check::ClockTo& clock) {
    line_before_ = stop_;
    leave_for(clock.to);
    world_.run_to(clock.to, true);
  }

  // The clock is about to move to `to`: what was done until here belongs to the stop it leaves.
  void leave_for(Timestamp to) {
    if (!world_.has_begun()) world_.begin(to);
    if (to > world_.clock()) stop_ = world_.done().size();
  }

  void perform(const check::TestEvent& event) {
    leave_for(event.at);
    const std::string customer = event.everyone ? "*" : test_.customers[event.customer];
    Event happening;
    happening.id = test_.name + "#" + std::to_string(at_ + 1);
    happening.type = event.type;
    happening.time = event.at;
    happening.customer = customer;
    happening.fields = event.fields;
    for (const auto& [field, link] : event.links)
      happening.fields[field.index()] = Value::text(links_[link]);
    if (event.everyone) return world_.happen_to_everyone(happening);
    world_.run_to(event.at, false);
    core::State& known = world_.customer(customer);
    if (!known.begun) known.is_label = true;
    const EventType& type = plan_.schema[event.type];
    for (std::size_t i = 0; i < type.fields.size() && i < event.fields.size(); ++i)
      if (const IdentifierId kind = identifier_in(type.fields[i]);
          !kind.is_none() && event.fields[i].kind() == Kind::Text)
        happening.identifiers.push_back({kind, std::string(event.fields[i].as_text())});
    if (world_.happen(happening) == core::Standing::TooLate)
      too_late_.push_back(when(event.at) + "  " + customer + " " + type.symbol.name +
                          " came too late (at " + when(world_.clock()) +
                          ", later than the policy's lateness) and changed nothing");
  }

  // As the door sees it: by the attribute that is set from it, or by its name.
  IdentifierId identifier_in(const Field& field) const {
    return field.links.is_none() ? plan_.schema.find_identifier(field.symbol.name) : field.links;
  }

  // --- what is expected

  void perform(const check::ExpectAction& expected) {
    expect(expected);
    expected_until_ = world_.done().size();
  }

  void expect(const check::ExpectAction& expected) {
    const std::vector<Done>& done = world_.done();
    claimed_.resize(done.size());
    const std::size_t from = expected.since_last_stop ? stop_ : 0;
    if (expected.no) {
      std::vector<std::string> near;
      // What the line before has brought about at its own instant may be what must not be.
      for (std::size_t i = expected.since_last_stop ? line_before_ : 0; i < done.size(); ++i)
        if (fits(expected, done[i])) near.push_back(line(done[i]));
      if (!near.empty()) disappoint(words(expected), std::move(near));
      return;
    }
    for (std::size_t i = from; i < done.size(); ++i) {
      if (claimed_[i] || !fits(expected, done[i])) continue;
      claimed_[i] = true;
      return;
    }
    disappoint(words(expected), near_misses(expected, from));
  }

  void perform(const check::ExpectNothing& expected) {
    const std::vector<Done>& done = world_.done();
    claimed_.resize(done.size());
    std::vector<std::string> near;
    for (std::size_t i = expected.more ? 0 : expected_until_; i < done.size(); ++i)
      if (counts(done[i]) && !(expected.more && claimed_[i])) near.push_back(line(done[i]));
    if (!near.empty()) disappoint(expected.more ? "nothing more" : "nothing", std::move(near));
    expected_until_ = done.size();
  }

  // Does it count as done, for `nothing` and `nothing more`?
  static bool counts(const Done& done) {
    switch (done.effect.action) {
      case Action::Enter:
      case Action::Leave:
      case Action::Goal:
      case Action::Refuse:
      case Action::Take:
      case Action::Claim:
      case Action::ClawBack:
      case Action::Redeem:
      case Action::RollBack:
      case Action::Merge:
      case Action::Split: return false;
      case Action::Send:
      case Action::Reply:
      case Action::Set:
      case Action::Tag:
      case Action::Untag:
      case Action::Emit:
      case Action::Notify:
      case Action::Call:
      case Action::Give:
      case Action::Start: return done.failure == Failure::None;
    }
    KOI_ASSERT(false);
  }

  bool fits(const check::ExpectAction& expected, const Done& done) const {
    const core::Effect& effect = done.effect;
    if ((effect.action == Action::Refuse) != expected.refuse) return false;
    if (subject_of(effect) != action_of(expected.action)) return false;
    if (done.failure != Failure::None) return false;
    return fits_name(expected, effect) && fits_customer(expected, done) &&
           fits_channel(expected, effect) && fits_amount(expected, effect) &&
           (expected.reason.empty() || core::name_of(effect.reason) == expected.reason);
  }
  static bool fits_amount(const check::ExpectAction& expected, const core::Effect& effect) {
    if (!expected.least && !expected.most) return true;
    if (!effect.gift || effect.gift->amount.is_missing()) return false;
    const std::int64_t amount = effect.gift->amount.raw();
    return (!expected.least || amount >= *expected.least) &&
           (!expected.most || amount <= *expected.most);
  }
  bool fits_name(const check::ExpectAction& expected, const core::Effect& effect) const {
    const Symbol symbol = symbol_of(effect);
    return expected.name.empty() || symbol.name == expected.name || symbol.alias == expected.name;
  }
  bool fits_customer(const check::ExpectAction& expected, const Done& done) const {
    if (!expected.customer) return true;
    // Who have turned out to be one person are one, whatever they were called then.
    const std::string& name = test_.customers[*expected.customer];
    return name == done.customer || world_.stays(name) == world_.stays(done.customer);
  }
  static bool fits_channel(const check::ExpectAction& expected, const core::Effect& effect) {
    return expected.channel.is_none() ||
           (!effect.channel.is_none() && effect.channel.index() == expected.channel.index());
  }

  // --- what is told

  void disappoint(std::string expected, std::vector<std::string> near) {
    for (const std::string& each : too_late_) near.push_back(each);
    result_.disappointments.push_back(
        {statement().span, std::move(expected), std::move(near), done_lines()});
  }

  // What came nearest, the nearest first; equally near ones in the order in which they were done.
  std::vector<std::string> near_misses(const check::ExpectAction& expected,
                                       std::size_t from) const {
    std::vector<std::pair<int, std::string>> found;
    const std::vector<Done>& done = world_.done();
    for (std::size_t i = 0; i < done.size(); ++i) {
      const core::Effect& effect = done[i].effect;
      if (subject_of(effect) != action_of(expected.action)) continue;
      const bool same_name = fits_name(expected, effect);
      const bool same_customer = fits_customer(expected, done[i]);
      if (fits(expected, done[i]))
        found.emplace_back(0, line(done[i]) + (i < from ? " (before the clock's last stop)"
                                                        : " (claimed by an expectation before)"));
      else if (same_name && same_customer)
        found.emplace_back(1, line(done[i]));
      else if (same_name)
        found.emplace_back(2, line(done[i]));
      else if (same_customer && expected.action != check::Action::Enter)
        found.emplace_back(3, line(done[i]));
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    if (found.size() > near_at_most) found.resize(near_at_most);
    std::vector<std::string> lines;
    for (auto& each : found) lines.push_back(std::move(each.second));
    return lines;
  }

  std::vector<std::string> done_lines() const {
    const std::vector<Done>& done = world_.done();
    std::vector<std::string> lines;
    const std::size_t first = done.size() > lines_at_most ? done.size() - lines_at_most : 0;
    if (first > 0) lines.push_back("… " + std::to_string(first) + " before these");
    for (std::size_t i = first; i < done.size(); ++i) lines.push_back(line(done[i]));
    return lines;
  }

  // The name of what the effect is about.
  Symbol symbol_of(const core::Effect& effect) const {
    static const plan::Campaign none;  // of what a referral gives, or who claims in vain
    const plan::Campaign& campaign =
        effect.campaign ? plan_.campaigns[effect.campaign.index()] : none;
    switch (subject_of(effect)) {
      case Action::Enter:
      case Action::Leave:
      case Action::Goal: return campaign.symbol;
      case Action::Send:
      case Action::Reply: return plan_.contents[effect.content.index()];
      case Action::Set: return plan_.schema[effect.attribute].symbol;
      case Action::Tag:
      case Action::Untag:
      case Action::Merge:
      case Action::Start: return {std::string(effect.value.as_text()), {}};
      case Action::Emit: return plan_.schema[effect.event].symbol;
      case Action::Notify: return plan_.teams[effect.team.index()];
      case Action::Call: return plan_.webhooks[effect.webhook.index()];
      case Action::Split: return {campaign.arms[effect.arm.index()].name, {}};
      case Action::Give:
      case Action::Take:
      case Action::Claim:
      case Action::ClawBack:
      case Action::Redeem:
      case Action::RollBack:
        if (effect.gift->incentive) return plan_.incentives[effect.gift->incentive.index()].symbol;
        if (effect.gift->referral) return plan_.referrals[effect.gift->referral.index()].symbol;
        return {effect.gift->code, {}};  // that nobody has
      case Action::Refuse: break;
    }
    KOI_ASSERT(false);
  }

  std::string line(const Done& done) const {
    const core::Effect& effect = done.effect;
    const bool refused = effect.action == Action::Refuse;
    const Action subject = subject_of(effect);
    std::string text = when(effect.time) + "  ";
    if (refused) text += "refuse ";
    text += core::name_of(subject);
    text += ' ';
    if (subject == Action::Set) text += "customer.";
    text += symbol_of(effect).name;
    const bool is_to = core::is_message(subject) || subject == Action::Give;
    text += (is_to ? " to " : " for ") + done.customer;
    if (effect.gift && !effect.gift->amount.is_missing())
      text += " amount " + amount_text(effect.gift->amount);
    if (effect.gift && !effect.gift->prize.empty()) text += " prize " + effect.gift->prize;
    if (!effect.channel.is_none())
      text += " via " + plan_.channels[effect.channel.index()].symbol.name;
    if (refused) text.append(" because ").append(core::name_of(effect.reason));
    if (done.failure != Failure::None)
      text.append(" (the delivery failed: ").append(name_of(done.failure)).append(")");
    return text;
  }

  std::string words(const check::ExpectAction& expected) const {
    std::string text;
    if (expected.no) text += "no ";
    if (expected.refuse) text += "refuse ";
    text += core::name_of(action_of(expected.action));
    if (!expected.name.empty()) {
      text += ' ';
      if (expected.action == check::Action::Set) text += "customer.";
      text += expected.name;
    }
    if (expected.customer)
      text += (expected.action == check::Action::Send || expected.action == check::Action::Reply ||
                       expected.action == check::Action::Give
                   ? " to "
                   : " for ") +
              test_.customers[*expected.customer];
    if (expected.least || expected.most) text += " amount " + range_text(expected);
    if (!expected.channel.is_none())
      text += " via " + program_.channels[expected.channel.index()].symbol.name;
    if (!expected.reason.empty()) text += " because " + expected.reason;
    if (expected.since_last_stop) text += " by " + when(world_.clock());
    return text;
  }

  std::string amount_text(const Value& amount) const {
    return amount.kind() == Kind::Money
               ? plan_.policy.currency_sign +
                     scaled_to_string(amount.raw(), plan_.schema.currency_decimals)
               : std::to_string(amount.raw());
  }
  std::string range_text(const check::ExpectAction& expected) const {
    bool is_money = true;
    for (const plan::Incentive& each : plan_.incentives)
      if (each.symbol.name == expected.name)
        is_money = !std::holds_alternative<plan::Points>(each.what);
    const auto shown = [&](std::int64_t amount) {
      return amount_text(is_money ? Value::money(amount) : Value::integer(amount));
    };
    if (expected.least == expected.most) return shown(*expected.least);
    std::string text;
    if (expected.least) text += "from " + shown(*expected.least);
    if (expected.most) text += " to " + shown(*expected.most);
    return text;
  }

  // As a marketer writes it: the date and the time on the program's clocks.
  std::string when(Timestamp at) const {
    const LocalTime local = plan_.policy.zone->local(at);
    return to_string(local.date) + " " + to_string(local.time);
  }

  const check::Program& program_;
  const plan::Plan& plan_;
  const check::Test& test_;
  World world_;
  TestResult result_;
  std::size_t at_ = 0;              // of the statement at hand
  std::size_t stop_ = 0;            // how much had been done when the clock left its last stop
  std::size_t line_before_ = 0;     // and the one before, where this line has moved it
  std::size_t expected_until_ = 0;  // how much had been done at the last expectation
  std::vector<bool> claimed_;       // of what was done
  std::vector<std::string> too_late_;
  std::map<std::string, std::string> links_;  // codes that were handed out, by what they are called
  std::uint64_t friends_ = 0;                 // who have come to claim
};

}  // namespace

TestResult play(const check::Program& program, const plan::Plan& plan, const match::Index& index,
                const check::Test& test, core::Trace* trace) {
  return Player(program, plan, index, test, trace).play();
}

}  // namespace koi::sim
