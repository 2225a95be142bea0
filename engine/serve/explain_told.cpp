// Explaining, of what is told: effects with the messages that a cap counted, waits between groups,
// the attempts at coming in with the conditions and the values that these had, and the whole.
#include <algorithm>
#include <utility>

#include "base/json.h"
#include "core/calendar.h"
#include "core/evaluate.h"
#include "core/gate.h"
#include "plan/listing.h"
#include "runtime/effects.h"
#include "serve/account_name.h"
#include "serve/detail/explaining.h"

namespace koi::serve {

namespace {

using plan::Op;

constexpr std::size_t attempts_told = 50, waits_told = 50;
constexpr int deepest = 20;  // of conditions within conditions

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

}  // namespace

// --- Effects ------------------------------------------------------------------------------------

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
Explaining::Wait* Explaining::wait_of(std::int64_t number) {
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

// --- Attempts at coming in -----------------------------------------------------------------------

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

// --- The whole -----------------------------------------------------------------------------------

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

}  // namespace koi::serve
