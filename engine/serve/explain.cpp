#include "serve/explain.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "core/calendar.h"
#include "core/evaluate.h"
#include "core/gate.h"
#include "deploy/bundles.h"
#include "deploy/carry.h"
#include "deploy/deployment.h"
#include "deploy/extend.h"
#include "deploy/link.h"
#include "deploy/states.h"
#include "deploy/walk.h"
#include "durable/checkpoint.h"
#include "durable/writer.h"
#include "model/partition.h"
#include "plan/listing.h"
#include "runtime/effects.h"
#include "serve/account_name.h"
#include "store/memory.h"

namespace koi::serve {

namespace {

using plan::Op;

constexpr store::Position rows_at_once = 4096;
constexpr std::uint64_t budget = std::uint64_t{16} << 20;
// Where everybody is decided again: what does not fit into memory, in the data directory.
constexpr const char* folder_of_all = "explaining";
constexpr std::uint64_t percent_held = 40;  // of that, until it is written back
constexpr std::size_t attempts_told = 50, waits_told = 50;
constexpr int deepest = 20;  // of conditions within conditions

// --- Conditions ---------------------------------------------------------------------------------

// The type by which a node's value is shown.
Type type_of(const plan::Plan& plan, const plan::Node& node, EventTypeId event) {
  Type type{.kind = node.kind};
  if (node.op == Op::Attribute) return plan.schema.attributes[node.index].type;
  if (node.op == Op::Field && event && node.index < plan.schema[event].fields.size())
    return plan.schema[event].fields[node.index].type;
  return type;
}

// The condition with its truth, the values that it reads, and its parts.
void append_condition(std::string& out, const core::Facts& facts, plan::NodeId id,
                      EventTypeId event, int depth = 0) {
  const plan::Plan& plan = facts.plan;
  const plan::Node& node = plan[id];
  out += R"({"condition":)";
  append_json_string(out, plan::expression(plan, id, event));
  out += std::string(R"(,"holds":)") + (core::holds(facts, id) ? "true" : "false");
  const bool has_parts = node.op == Op::And || node.op == Op::Or || node.op == Op::Not;
  if (has_parts && depth < deepest) {
    out += R"(,"of":[)";
    append_condition(out, facts, node.a, event, depth + 1);
    if (node.b) {
      out += ',';
      append_condition(out, facts, node.b, event, depth + 1);
    }
    out += ']';
  } else if (node.op == Op::Watch && depth < deepest) {
    out += R"(,"of":[)";
    append_condition(out, facts, plan.watches[node.index].condition, {}, depth + 1);
    out += ']';
  } else {
    out += R"(,"values":{)";
    bool is_first = true;
    for (const plan::NodeId part : {node.a, node.b}) {
      if (part.is_none() || plan[part].op == Op::Constant) continue;
      out += std::exchange(is_first, false) ? "" : ",";
      append_json_string(out, plan::expression(plan, part, event));
      out += ':';
      const Value value = core::value_of(facts, part);
      runtime::append_value(out, plan.schema, type_of(plan, plan[part], event), value);
    }
    out += '}';
  }
  out += '}';
}

// --- What is found on the way -------------------------------------------------------------------

// A time at which a trigger's first event came.
struct Attempt {
  Timestamp time;
  std::string event_id;
  std::string json;  // without the braces, and without what follows
  bool decided = false;
  std::int64_t waited = 0;  // the number under which the event waits
};

// An input of his that waited between groups, or does yet.
struct Wait {
  std::int64_t number = 0;
  std::string event;                  // its id; empty: it is none
  std::string json;                   // without the braces, and without what follows
  std::vector<std::string> accounts;  // lists of accounts: one for each time that it was tried
  store::Position decided = 0;        // 0: it waits yet
  Timestamp stamp;                    // of the batch there
  std::vector<Hash128> done;          // the keys of what it came to
};

class Explaining final : public durable::Deeds {
 public:
  Explaining(const store::Directory& directory, const store::Journal& journal, store::Groups groups,
             const Question& question, std::uint64_t room)
      : directory_(directory),
        journal_(journal),
        groups_(groups),
        question_(question),
        room_(room) {}
  ~Explaining() override;

  // The same question, of the campaign and the instant of its message.
  Result<Question> find();
  Result<std::string> run();

  // durable::Deeds
  void take(store::Group, std::vector<durable::Deed> deeds) override {
    for (const durable::Deed& deed : deeds) {
      if (deed.customer != question_.customer) continue;
      const std::size_t lines = lines_;
      decided(deed.effect, deed.waited != 0 ? &deed.waited_since : nullptr);
      if (deed.waited != 0) note_waited(deed, lines_ > lines);
    }
  }
  void waits(store::Group, const durable::Pause& pause) override;
  void goes_on(store::Group, const durable::Pause& pause) override;
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }

 private:
  Result<bool> has_met_others(const deploy::Deployment& deployment,
                              const std::vector<const plan::Plan*>& all) const;
  Result<void> decide_again();
  Result<void> make_world();
  Result<void> live(const deploy::Turn& turn, const plan::Plan& rules, store::Position last);
  Result<void> take_row(const store::Read& read, const plan::Plan& rules);
  std::optional<durable::Given> wanted(durable::Input input) const;
  Result<void> extend(const plan::Plan& rules, durable::Given& given) const;
  Result<void> write_back();
  Result<void> carry_all(const plan::Plan& next, const deploy::Turn& turn, std::uint64_t number);
  Result<void> wait_until_asked();
  Result<void> read_state();
  store::Group group() const { return groups_.group_of(partition_of(question_.customer)); }
  void before(const Event& event, const core::State& state);
  void after(const Event& event, std::size_t lines_before, std::int64_t waited);
  void decided(const core::Effect& effect, const Timestamp* waited_since = nullptr);
  void note_waited(const durable::Deed& deed, bool is_told);
  Wait* wait_of(std::int64_t number);
  void append_waits(std::string& out) const;
  void append_counted(std::string& out, const core::Effect& refusal) const;
  void append_history(std::string& out, const core::Effect& merge) const;
  std::string told();
  std::string time(Timestamp at) const { return to_string(at, *plan_.policy.zone); }
  const plan::Campaign* campaign() const;
  bool is_asked(const plan::Campaign& each) const {
    return question_.campaign.empty() || each.symbol.name == question_.campaign;
  }

  const store::Directory& directory_;
  const store::Journal& journal_;
  const store::Groups groups_;
  const Question& question_;
  const std::uint64_t room_;  // for everybody's states in memory, in bytes
  core::State state_;         // between two turns
  plan::Plan plan_;           // of the turn at hand, with all metrics …
  plan::Plan quiet_;          // … and where no event begins a campaign
  core::State asked_;  // as the event at hand found him: counted, with nothing begun by it yet
  std::unique_ptr<match::Index> index_;
  // Where customers compete, one's inputs alone do not say what he was given: everybody is decided
  // again, and kept here from turn to turn, on the disk as far as memory is full. Else he alone is,
  // and nothing is kept.
  bool everybody_ = false;
  deploy::States states_;  // everybody's
  std::unique_ptr<store::MemoryStore> alone_;
  store::Store* world_ = nullptr;  // one of the two
  store::Epoch epoch_ = 0;
  std::unique_ptr<durable::Writer> writer_;
  store::Position position_ = 0;
  Timestamp stamp_;  // of the batch at hand
  bool is_over_ = false, is_open_ = false, has_campaign_ = false;
  std::optional<Question> found_;  // where the message was decided
  std::string done_;               // effects of the campaign as JSON, commas between
  std::size_t lines_ = 0;
  std::int64_t at_hand_ = 0;  // the number under which the event at hand waits; 0: it does not
  struct Sent {
    Hash128 key;
    Timestamp at;
    plan::CampaignClass campaign_class;
    std::string campaign, content, channel;
  };
  std::vector<Sent> sent_;      // of all campaigns, but for what failed: that counts for no cap
  const Zone* zone_ = nullptr;  // the customer's
  std::vector<Attempt> attempts_;
  std::vector<Wait> waits_;
  std::vector<std::string> reasons_;  // of the event at hand, by trigger
  std::string rules_;
};

const plan::Campaign* Explaining::campaign() const {
  for (const plan::Campaign& each : plan_.campaigns)
    if (each.symbol.name == question_.campaign &&
        plan::takes_entries_of(plan_, each, question_.customer))
      return &each;
  return nullptr;
}

void Explaining::decided(const core::Effect& effect, const Timestamp* waited_since) {
  if (found_) return;
  // A reward of a referral is of no campaign.
  const plan::Campaign* from =
      effect.campaign ? &plan_.campaigns[effect.campaign.index()] : nullptr;
  if (!question_.message.empty() && to_hex(effect.key) == question_.message)
    found_ = {question_.customer, from ? from->symbol.name : "", stamp_, question_.message};
  if (from ? is_asked(*from) : question_.campaign.empty()) {
    std::string line;
    runtime::EffectLines(plan_).append(line, question_.customer, effect);
    line.resize(line.find_last_of('}'));
    if (effect.action == core::Action::Refuse && effect.reason == core::Reason::Cap)
      append_counted(line, effect);
    if (effect.action == core::Action::Merge) append_history(line, effect);
    if (waited_since) line += R"(,"waited_since":")" + time(*waited_since) + '"';
    done_ += (lines_++ == 0 ? "" : ",") + line + "}";
  }
  if (effect.action == core::Action::Send)
    sent_.push_back({effect.key, effect.time, from->campaign_class, from->symbol.name,
                     plan_.contents[effect.content.index()].name,
                     plan_.channels[effect.channel.index()].symbol.name});
}

// Of whoever has come from another group: until then what was decided for him is told under his id.
void Explaining::append_history(std::string& out, const core::Effect& merge) const {
  const std::string other(merge.value.as_text());
  if (groups_.group_of(partition_of(other)) == group()) return;
  out += R"(,"history":)";
  append_json_string(out, "koi explain " + other + " --at " + to_string(merge.time, utc()) +
                              ", or before, tells what was decided for him until then");
}

// The messages that each cap counted which was full.
void Explaining::append_counted(std::string& out, const core::Effect& refusal) const {
  const plan::Campaign& from = plan_.campaigns[refusal.campaign.index()];
  const Zone& zone = zone_ ? *zone_ : *plan_.policy.zone;
  out += R"(,"caps":[)";
  bool is_first = true;
  for (const plan::Cap& cap : plan_.policy.caps) {
    const std::string channel =
        cap.channel ? plan_.channels[cap.channel.index()].symbol.name : std::string();
    if (cap.campaign_class ? *cap.campaign_class != from.campaign_class
                           : cap.channel != refusal.channel)
      continue;
    std::string counted;
    std::size_t count = 0;
    for (const Sent& sent : sent_) {
      if (cap.campaign_class ? sent.campaign_class != *cap.campaign_class : sent.channel != channel)
        continue;
      if (core::stops_counting(cap, sent.at, zone) <= refusal.time) continue;
      counted += count++ == 0 ? "{" : ",{";
      counted += R"("time":")" + time(sent.at) + R"(","campaign":)";
      append_json_string(counted, sent.campaign);
      counted += R"(,"name":)";
      append_json_string(counted, sent.content);
      counted += R"(,"channel":)";
      append_json_string(counted, sent.channel);
      counted += '}';
    }
    const std::uint32_t limit = cap.limit + (from.priority >= cap.more_from ? cap.more : 0);
    if (count < limit) continue;
    out += std::exchange(is_first, false) ? "{" : ",{";
    out += R"("limit":)" + std::to_string(limit) + R"(,"counted":[)" + counted + "]}";
  }
  out += ']';
}

// --- Waiting between groups ---------------------------------------------------------------------

// The last one under that number: numbers begin again when nobody waits.
Wait* Explaining::wait_of(std::int64_t number) {
  const auto found = std::find_if(waits_.rbegin(), waits_.rend(),
                                  [&](const Wait& each) { return each.number == number; });
  return found == waits_.rend() ? nullptr : &*found;
}

void Explaining::waits(store::Group, const durable::Pause& pause) {
  if (pause.customer != question_.customer || found_) return;
  Wait* wait = wait_of(pause.number);
  if (!wait || wait->decided > 0) {  // else it was tried again
    Wait began;
    began.number = pause.number;
    if (const auto* event = pause.given ? std::get_if<Event>(pause.given) : nullptr) {
      began.json = R"("event":)";
      append_json_string(began.json, event->id);
      began.event = event->id;
      at_hand_ = pause.number;
    } else if (const auto* came =
                   pause.given ? std::get_if<durable::ReceiptFor>(pause.given) : nullptr) {
      began.json = R"("receipt":")" + to_hex(came->receipt.key) + '"';
    } else if (const auto* call = pause.given ? std::get_if<core::Call>(pause.given) : nullptr) {
      began.json = R"("call":)";
      append_json_string(began.json, call->id);
    } else {
      began.json = pause.given ? R"("message":true)" : R"("timers":")" + time(pause.due) + '"';
    }
    began.json += R"(,"came":{"position":)" + std::to_string(pause.position) + R"(,"time":")" +
                  time(pause.since) + R"("})";
    waits_.push_back(std::move(began));
    if (waits_.size() > waits_told) waits_.erase(waits_.begin());
    wait = &waits_.back();
  }
  if (!pause.lacks.empty()) wait->accounts.push_back(names_of_lacks(plan_, pause));
}

void Explaining::goes_on(store::Group, const durable::Pause& pause) {
  if (pause.customer != question_.customer || found_) return;
  Wait* const wait = wait_of(pause.number);
  if (!wait) return;
  wait->decided = pause.position;
  wait->stamp = pause.stamp;
}

// What it came to. An event that could have let him in has an attempt too.
void Explaining::note_waited(const durable::Deed& deed, bool is_told) {
  Wait* const wait = wait_of(deed.waited);
  if (!wait || wait->decided != deed.position) return;
  wait->done.push_back(deed.effect.key);
  for (Attempt& each : attempts_)
    if (each.waited == deed.waited && each.event_id == wait->event)
      each.decided = each.decided || is_told;
}

void Explaining::append_waits(std::string& out) const {
  out += R"(,"waits":[)";
  for (const Wait& each : waits_) {
    out += out.back() == '[' ? "{" : ",{";
    out += each.json + R"(,"for":[)";
    for (const std::string& list : each.accounts)
      out += (out.back() == '[' ? "" : ",") + list.substr(1, list.size() - 2);
    out += ']';
    if (each.decided > 0) {
      out += R"(,"decided":{"position":)" + std::to_string(each.decided) + R"(,"time":")" +
             time(each.stamp) + R"("},"done":[)";
      for (const Hash128 key : each.done) {
        out += out.back() == '[' ? "\"" : ",\"";
        out += to_hex(key) + '"';
      }
      out += ']';
    }
    out += '}';
  }
  out += ']';
}

// --- Deciding again -----------------------------------------------------------------------------

// Why he could not come in, as far as it stands before the event, and the state in which it is
// asked whether he meets the conditions.
void Explaining::before(const Event& event, const core::State& state) {
  reasons_.clear();
  const plan::Campaign* into = campaign();
  if (!into) return;
  asked_ = state;
  Event past = event;
  past.time = std::min(past.time, stamp_);
  std::vector<core::Effect> dropped;
  // A copy, so that nothing that is given here is gone.
  std::optional<core::Accounts> accounts;
  if (everybody_) accounts.emplace(writer_->shared());
  core::decide(quiet_, asked_, past, dropped, nullptr, accounts ? &*accounts : nullptr);
  const auto id = plan::CampaignId::of(static_cast<std::size_t>(into - plan_.campaigns.data()));
  const auto is_version = [&](plan::CampaignId each) {
    return each == id ||
           std::find(into->others.begin(), into->others.end(), each) != into->others.end();
  };
  for (const plan::Trigger& trigger : into->triggers) {
    const bool is_first = trigger.kind == plan::Trigger::Kind::Event ||
                          trigger.kind == plan::Trigger::Kind::Sequence ||
                          trigger.kind == plan::Trigger::Kind::Absence;
    std::string& why = reasons_.emplace_back();
    if (!is_first || (trigger.first.match.type && trigger.first.match.type != event.type)) continue;
    why = R"("in_already":)";
    const bool is_in = std::any_of(
        state.journeys.begin(), state.journeys.end(), [&](const core::Journey& journey) {
          return is_version(journey.campaign) && journey.phase != core::Journey::Phase::Ended;
        });
    why += is_in ? "true" : "false";
    const auto noted = into->entries ? into->entries : id;
    Timestamp last = Timestamp::ever();
    for (const core::Entered& entered : state.entries)
      if (entered.campaign == noted) last = std::max(last, entered.at);
    if (last != Timestamp::ever()) why += R"(,"entered_before":")" + time(last) + '"';
  }
}

void Explaining::after(const Event& event, std::size_t lines_before, std::int64_t waited) {
  const core::State& state = asked_;
  const plan::Campaign* into = campaign();
  if (!into) return;
  for (std::size_t i = 0; i < into->triggers.size() && i < reasons_.size(); ++i) {
    if (reasons_[i].empty()) continue;
    const plan::Trigger& trigger = into->triggers[i];
    const Timestamp at = std::min(event.time, stamp_);
    const core::Facts facts{plan_, state, std::max(at, state.clock), event.fields, at};
    Attempt attempt{event.time, event.id, reasons_[i]};
    std::vector<Value> frame(into->frame_size);
    for (const plan::Capture& capture : trigger.first.captures)
      frame[capture.slot.index()] = capture.field == plan::event_time_field
                                        ? Value::instant(event.time)
                                        : event.fields[capture.field.index()];
    if (trigger.first.match.where) {
      attempt.json += R"(,"where":)";
      append_condition(attempt.json, facts, trigger.first.match.where, event.type);
    }
    if (into->audience) {
      const core::Facts entering{plan_, state, facts.now, event.fields, at, frame};
      attempt.json += R"(,"for":)";
      append_condition(attempt.json, entering, into->audience, event.type);
    }
    attempt.decided = lines_ > lines_before;
    attempt.waited = waited;
    attempts_.push_back(std::move(attempt));
    if (attempts_.size() > attempts_told) attempts_.erase(attempts_.begin());
  }
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

// --- The answer ---------------------------------------------------------------------------------

std::string Explaining::told() {
  std::string out = R"({"customer":)";
  append_json_string(out, question_.customer);
  if (!question_.campaign.empty()) {
    out += R"(,"campaign":)";
    append_json_string(out, question_.campaign);
  }
  if (!question_.message.empty()) out += R"(,"message":")" + question_.message + '"';
  out += R"(,"at":")" + time(question_.at) + R"(","rules":")" + rules_ + R"(","journeys":[)";
  bool is_first = true;
  for (const core::Journey& journey : state_.journeys) {
    const plan::Campaign& in = plan_.campaigns[journey.campaign.index()];
    if (!is_asked(in) || journey.phase == core::Journey::Phase::Ended) continue;
    out += std::exchange(is_first, false) ? "{" : ",{";
    out += R"("version":)";
    append_json_string(out, plan::full_name_of(in));
    out += journey.phase == core::Journey::Phase::Forming ? R"(,"phase":"forming")"
                                                          : R"(,"phase":"active")";
    out += R"(,"entered":")" + time(journey.entered) + '"';
    if (journey.phase == core::Journey::Phase::Active)
      out += R"(,"step":)" + std::to_string(journey.pc);
    if (journey.due != Timestamp::never())
      out += R"(,"held_back_until":")" + time(journey.due) + '"';
    out += std::string(R"(,"held_out":)") + (journey.held_out ? "true" : "false") + "}";
  }
  out += R"(],"done":[)" + done_ + R"(],"attempts":[)";
  is_first = true;
  for (const Attempt& attempt : attempts_) {
    out += std::exchange(is_first, false) ? "{" : ",{";
    out += R"("time":")" + time(attempt.time) + R"(","event":)";
    append_json_string(out, attempt.event_id);
    out += "," + attempt.json + R"(,"decided":)" + (attempt.decided ? "true" : "false") + "}";
  }
  out += "]";
  if (!waits_.empty()) append_waits(out);
  out += R"(,"triggers":[)";
  const plan::Campaign* into = campaign();
  const core::Facts facts{plan_, state_, std::max(question_.at, state_.clock)};
  is_first = true;
  if (into)
    for (const plan::Trigger& trigger : into->triggers) {
      std::string why;
      if (trigger.watch) {
        why = std::string(R"("when":")") +
              (trigger.kind == plan::Trigger::Kind::Enters ? "enters" : "leaves") +
              R"(","inside":)" + (state_.watches[trigger.watch.index()].inside ? "true" : "false") +
              R"(,"is":)";
        append_condition(why, facts, plan_.watches[trigger.watch.index()].condition, {});
      } else if (trigger.kind == plan::Trigger::Kind::Schedule) {
        const Timestamp next =
            core::next_occurrence(trigger.schedule, facts.now, core::zone_of(plan_, state_));
        why = R"("when":"schedule")";
        if (next != Timestamp::never()) why += R"(,"next":")" + time(next) + '"';
        if (trigger.condition) {
          why += R"(,"is":)";
          append_condition(why, facts, trigger.condition, {});
        }
      } else {
        why = R"("when":)";
        append_json_string(why, trigger.first.match.type
                                    ? plan_.schema[trigger.first.match.type].symbol.name
                                    : "any event");
      }
      out += (std::exchange(is_first, false) ? "{" : ",{") + why + "}";
    }
  return out + "]}\n";
}

namespace {

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

}  // namespace

Result<std::string> explain(const store::Directory& directory, const store::Journal& journal,
                            store::Groups groups, const Question& question, std::uint64_t room) {
  if (question.message.empty()) return Explaining(directory, journal, groups, question, room).run();
  KOI_LET(const Question of_message, Explaining(directory, journal, groups, question, room).find());
  return Explaining(directory, journal, groups, of_message, room).run();
}

}  // namespace koi::serve
