// Explaining, of what is decided again: which turns and rows, of whom, and where.
#include "serve/explain.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "deploy/bundles.h"
#include "deploy/carry.h"
#include "deploy/extend.h"
#include "deploy/link.h"
#include "deploy/walk.h"
#include "durable/checkpoint.h"
#include "serve/detail/explaining.h"

namespace koi::serve {

namespace {

constexpr store::Position rows_at_once = 4096;
constexpr std::uint64_t budget = std::uint64_t{16} << 20;
// Where everybody is decided again: what does not fit into memory, in the data directory.
constexpr const char* folder_of_all = "explaining";
constexpr std::uint64_t percent_held = 40;  // of that, until it is written back

// Do groups tell one another by it that somebody is, or may be, one person with him?
bool is_of_merge(const durable::LetterFrom& letter, const std::string& customer) {
  if (const auto* meeting = std::get_if<durable::Meeting>(&letter.told))
    return meeting->mine == customer || meeting->other == customer;
  if (const auto* verdict = std::get_if<durable::Verdict>(&letter.told))
    return verdict->mine == customer || verdict->other == customer;
  if (const auto* arrival = std::get_if<durable::Arrival>(&letter.told))
    return arrival->stays == customer || arrival->goes == customer;
  const auto* passed = std::get_if<durable::Passed>(&letter.told);
  return passed != nullptr && passed->to == customer;
}

}  // namespace

const plan::Campaign* Explaining::campaign() const {
  for (const plan::Campaign& each : plan_.campaigns)
    if (each.symbol.name == question_.campaign &&
        plan::takes_entries_of(plan_, each, question_.customer))
      return &each;
  return nullptr;
}

// What has to be decided again; an attempt is nothing that decides. Calls are asked of those who
// compete alone, and they alone are told something by other groups.
std::optional<durable::Given> Explaining::wanted(durable::Input input) const {
  const auto is_wanted = [&](const std::string& customer) {
    return everybody_ || customer == question_.customer;
  };
  if (auto* event = std::get_if<Event>(&input)) {
    if (!is_wanted(event->customer)) return {};
    deploy::fill(plan_, *event);
    return std::move(*event);
  }
  if (auto* receipt = std::get_if<durable::ReceiptFor>(&input)) {
    if (!is_wanted(receipt->customer)) return {};
    return std::move(*receipt);
  }
  if (!everybody_) return {};
  if (auto* letter = std::get_if<durable::LetterFrom>(&input)) {
    durable::Given given(std::move(*letter));
    deploy::fill(plan_, given);
    return given;
  }
  auto* call = std::get_if<core::Call>(&input);
  if (!call) return {};
  deploy::fill(plan_, *call);
  return std::move(*call);
}

// Whoever came from another group did so under the rules of then, which lack metrics of later.
Result<void> Explaining::extend(const plan::Plan& rules, durable::Given& given) const {
  auto* const letter = std::get_if<durable::LetterFrom>(&given);
  auto* const arrival = letter ? std::get_if<durable::Arrival>(&letter->told) : nullptr;
  if (arrival == nullptr) return {};
  KOI_LET(const core::State state, core::decode(rules, arrival->state));
  arrival->state = core::encode(plan_, state);
  return {};
}

Result<void> Explaining::write_back() {
  durable::Frozen frozen = durable::freeze(*writer_, group(), epoch_, *this);
  const durable::Take take = [&](std::span<const durable::Changed> which,
                                 std::vector<store::Saved>& into) {
    writer_->customers().take(which, into);
    return Result<void>();
  };
  KOI_TRY(durable::write(frozen, journal_, *world_, take));
  writer_->committed();
  return {};
}

// Everybody, from the turn that is over to the next one.
Result<void> Explaining::carry_all(const plan::Plan& next, const deploy::Turn& turn,
                                   std::uint64_t number) {
  KOI_TRY(write_back());
  writer_.reset();
  const deploy::Carry carry(plan_, next, turn.ways);
  if (carry.changes_nothing()) return {};
  const auto carried = deploy::walk({.store = *world_,
                                     .groups = groups_,
                                     .group = group(),
                                     .epoch = epoch_,
                                     .from = plan_,
                                     .to = next,
                                     .carry = carry,
                                     .now = turn.since,
                                     .rules = {},
                                     .complete = {},
                                     .walked = {}},
                                    number);
  return carried ? Result<void>() : carried.error();
}

Result<void> Explaining::take_row(const store::Read& read, const plan::Plan& rules) {
  if (const auto opening = durable::decode_opening(read.row.bytes)) {
    if (std::exchange(is_open_, false)) writer_->close();
    if (everybody_ && writer_->percent_held() >= percent_held) KOI_TRY(write_back());
    is_over_ = opening->stamp > question_.at || found_;
    if (is_over_) return {};
    stamp_ = opening->stamp;
    is_open_ = true;
    return writer_->open(read.position, *opening);
  }
  KOI_LET(durable::Input input, durable::decode_input(rules, read.row.bytes));
  auto given = wanted(std::move(input));
  if (!given) return {};
  KOI_TRY(extend(rules, *given));
  const auto* event = std::get_if<Event>(&*given);
  if (durable::customer_of(*given) != question_.customer) {
    const auto applied = writer_->apply(read.position, read.row.partition, *given);
    return applied ? Result<void>() : applied.error();
  }
  KOI_LET(const core::State* known,
          writer_->customers().of(read.row.partition, question_.customer));
  zone_ = &core::zone_of(plan_, *known);
  if (event) before(*event, *known);
  writer_->customers().unchanged();
  const std::size_t lines = lines_;
  at_hand_ = 0;
  KOI_TRY(writer_->apply(read.position, read.row.partition, *given));
  if (const auto* came = std::get_if<durable::ReceiptFor>(&*given);
      came && came->receipt.failure != Failure::None)
    std::erase_if(sent_, [&](const Sent& sent) { return sent.key == came->receipt.key; });
  if (!event) return {};
  writer_->close();  // what this input decided
  after(*event, lines, at_hand_);
  is_over_ = found_.has_value();  // what came behind it has no part in it
  return {};
}

Result<void> Explaining::make_world() {
  if (everybody_) {
    KOI_LET(states_, deploy::make_states(directory_, groups_, folder_of_all));
    world_ = states_.store.get();
  } else {
    alone_ = std::make_unique<store::MemoryStore>(groups_);
    world_ = alone_.get();
  }
  KOI_LET(epoch_, world_->take(group()));
  return {};
}

Explaining::~Explaining() {
  writer_.reset();
  if (!states_.store) return;
  states_ = {};
  std::error_code fault;  // what is left is removed by whoever asks next
  std::filesystem::remove_all(directory_.path() / folder_of_all, fault);
}

Result<void> Explaining::live(const deploy::Turn& turn, const plan::Plan& rules,
                              store::Position last) {
  const Partition partition = partition_of(question_.customer);
  rules_ = to_hex(turn.bundle);
  index_ = std::make_unique<match::Index>(match::Index::build(plan_));
  if (!everybody_ || !world_) KOI_TRY(make_world());
  writer_ = std::make_unique<durable::Writer>(plan_, *index_, *world_, groups_, group(),
                                              everybody_ ? room_ : budget, *this);
  KOI_TRY(writer_->learn(deploy::rules_of(deploy::name_of(turn))));
  writer_->letters().keep_none();
  writer_->begin_behind(position_, stamp_);
  KOI_LET(auto set_aside, journal_.set_aside(group()));
  writer_->leave_out(std::move(set_aside));
  core::State* state = nullptr;
  if (!everybody_) {
    KOI_LET(state, writer_->customers().of(partition, question_.customer));
    if (!state_.id.empty()) *state = state_;
    writer_->customers().changed();
  }
  has_campaign_ = has_campaign_ || campaign() != nullptr;
  while (position_ < last && !is_over_) {
    const auto rows = journal_.read(group(), position_ + 1,
                                    std::min<store::Position>(rows_at_once, last - position_));
    if (!rows && rows.error().code == "gap")
      return Error{"erased",
                   "the beginning of this customer's history was erased; without it nothing that "
                   "was decided about him can be decided again, and nothing is guessed"};
    if (!rows) return rows.error();
    if (rows->empty()) break;
    for (const store::Read& read : *rows) {
      KOI_TRY(take_row(read, rules));
      if (is_over_) break;
      position_ = read.position;
    }
  }
  if (std::exchange(is_open_, false)) writer_->close();
  return read_state();
}

Result<void> Explaining::read_state() {
  KOI_LET(const core::State* state,
          writer_->customers().of(partition_of(question_.customer), question_.customer));
  state_ = *state;
  writer_->customers().unchanged();
  return {};
}

// Has he been shown to be one person with somebody, or may have been? Whoever that was met others
// in his turn, so that all of them are decided again.
Result<bool> Explaining::has_met_others(const deploy::Deployment& deployment,
                                        const std::vector<const plan::Plan*>& all) const {
  KOI_LET(const store::Position end, journal_.last(group()));
  store::Position at = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_last = i + 1 == all.size();
    const store::Position last = is_last ? end : deployment.turns[i + 1].positions[group()];
    if (all[i]->schema.identifiers.empty()) {
      at = last;
      continue;
    }
    while (at < last) {
      const auto rows =
          journal_.read(group(), at + 1, std::min<store::Position>(rows_at_once, last - at));
      if (!rows && rows.error().code == "gap") return false;  // which is said where it matters
      if (!rows) return rows.error();
      if (rows->empty()) break;
      for (const store::Read& read : *rows) {
        at = read.position;
        if (durable::decode_opening(read.row.bytes)) continue;
        KOI_LET(const durable::Input input, durable::decode_input(*all[i], read.row.bytes));
        if (const auto* letter = std::get_if<durable::LetterFrom>(&input);
            letter != nullptr && is_of_merge(*letter, question_.customer))
          return true;
        const auto* event = std::get_if<Event>(&input);
        if (event == nullptr) continue;
        for (const Met& met : event->met)
          if (event->customer == question_.customer || met.customer == question_.customer)
            return true;
      }
    }
  }
  return false;
}

Result<void> Explaining::decide_again() {
  KOI_LET(const auto deployment, deploy::read_deployment(directory_));
  if (!deployment || deployment->turns.empty())
    return Error{"campaign", "nothing was put live here yet"};
  const deploy::Bundles bundles(directory_);
  deploy::Plans plans(bundles);
  std::vector<const plan::Plan*> all;
  for (const deploy::Turn& turn : deployment->turns) {
    KOI_LET(const plan::Plan* plan, plans.of(turn));
    everybody_ = everybody_ || plan->has_competition();
    all.push_back(plan);
  }
  if (!everybody_) {
    KOI_LET(everybody_, has_met_others(*deployment, all));
  }
  for (std::size_t i = 0; i < all.size() && !is_over_; ++i) {
    if (i > 0 && deployment->turns[i].since > question_.at) break;
    plan::Plan next = deploy::extend(*all[i], all);
    const deploy::Turn& turn = deployment->turns[i];
    if (i > 0 && everybody_) {
      KOI_TRY(carry_all(next, turn, i));
    } else if (i > 0 && !state_.id.empty()) {
      deploy::Carried carried;
      state_ = deploy::Carry(plan_, next, turn.ways)(std::move(state_), turn.since, carried);
    }
    writer_.reset();
    plan_ = std::move(next);
    plan_.schema.index();
    quiet_ = plan_;
    quiet_.schema.index();
    for (plan::Reaction& reaction : quiet_.reactions) reaction.begins.clear();
    KOI_LET(const store::Position end, journal_.last(group()));
    const bool is_last = i + 1 == all.size();
    KOI_TRY(live(turn, *all[i], is_last ? end : deployment->turns[i + 1].positions[group()]));
  }
  if (const std::string* const other = core::gone_to(state_))
    return Error{"merged", "he has turned out to be the same person as " + *other +
                               "; ask about that one, or say an instant before that"};
  if (state_.created == Timestamp::never())
    return Error{"customer", "nobody by that id was known at that instant"};
  if (found_) return {};
  return wait_until_asked();
}

// What time alone brings between the last input and then.
Result<void> Explaining::wait_until_asked() {
  stamp_ = question_.at;
  if (everybody_) {
    const Timestamp behind = question_.at + microseconds(1);  // what is due then has been done
    KOI_TRY(writer_->open(position_, {.stamp = behind, .timers = UINT32_MAX}));
    writer_->close();
    return read_state();
  }
  std::vector<core::Effect> effects;
  core::Accounts accounts(plan_);
  core::decide(plan_, state_, core::Tick{question_.at, true}, effects, nullptr, &accounts);
  for (const core::Effect& effect : effects) decided(effect);
  return {};
}

Result<Question> Explaining::find() {
  KOI_TRY(decide_again());
  if (found_) return *std::move(found_);
  std::string what = "nothing with that key was decided about this customer up to that instant";
  for (std::size_t i = 0; i < state_.same.size(); ++i)
    what += (i == 0 ? "; he was known before as " : ", ") + state_.same[i];
  if (!state_.same.empty()) what += ": ask under that id as well";
  return Error{"message", std::move(what)};
}

Result<std::string> Explaining::run() {
  KOI_TRY(decide_again());
  if (!has_campaign_ && !question_.campaign.empty())
    return Error{"campaign", "no rules up to that instant have a campaign by that name"};
  return told();
}

Result<std::string> explain(const store::Directory& directory, const store::Journal& journal,
                            store::Groups groups, const Question& question, std::uint64_t room) {
  if (question.message.empty()) return Explaining(directory, journal, groups, question, room).run();
  KOI_LET(const Question of_message, Explaining(directory, journal, groups, question, room).find());
  return Explaining(directory, journal, groups, of_message, room).run();
}

}  // namespace koi::serve
