#include "deploy/migrate.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/calendar.h"
#include "core/evaluate.h"
#include "deploy/meaning.h"

namespace koi::deploy {

namespace {

std::string in_marks(std::string_view text) { return "`" + std::string(text) + "`"; }

// What a step does and to what; empty where nobody sees it, or a wait.
std::string name_of(const plan::Plan& plan, const plan::Step& step) {
  if (const auto* send = std::get_if<plan::Send>(&step)) {
    const plan::ContentId content = plan.messages[send->message].content;
    return (send->is_reply() ? "reply " : "send ") +
           (content ? plan.contents[content.index()].name : std::string("?"));
  }
  if (const auto* wait = std::get_if<plan::WaitFor>(&step)) {
    const EventTypeId event = wait->binding.match.type;
    return "wait for " + (event ? plan.schema[event].symbol.name : std::string("any event"));
  }
  if (const auto* set = std::get_if<plan::Set>(&step))
    return "set " + plan.schema[set->attribute].symbol.name;
  if (const auto* tag = std::get_if<plan::Tag>(&step))
    return (tag->remove ? "untag " : "tag ") + tag->tag;
  if (const auto* emit = std::get_if<plan::Emit>(&step))
    return "emit " + plan.schema[emit->event].symbol.name;
  if (const auto* notify = std::get_if<plan::Notify>(&step))
    return "notify " + plan.teams[notify->team.index()].name;
  if (const auto* call = std::get_if<plan::Call>(&step))
    return "call " + plan.webhooks[call->webhook.index()].name;
  if (const auto* start = std::get_if<plan::Start>(&step)) return "start " + start->campaign;
  if (std::holds_alternative<plan::Again>(step)) return "repeat";
  return {};
}

bool is_wait(const plan::Step& step) {
  return std::holds_alternative<plan::Wait>(step) || std::holds_alternative<plan::WaitUntil>(step);
}

// Can anybody be at it between two inputs? At a `send` while it is delayed.
bool can_stand_at(const plan::Step& step) {
  return is_wait(step) || std::holds_alternative<plan::WaitFor>(step) ||
         std::holds_alternative<plan::Send>(step) || std::holds_alternative<plan::Again>(step);
}

// Where a repetition keeps its passes means nothing outside of one.
bool can_follow(const plan::Step& former, const plan::Step& next) {
  return can_stand_at(next) &&
         (std::holds_alternative<plan::Again>(next) == std::holds_alternative<plan::Again>(former));
}

// What a slot is told by in any plan: the names of its event and field.
std::string source_of(const Schema& schema, const SlotSource& source) {
  if (source.field == plan::event_time_field)
    return "time of " + (source.event ? schema[source.event].symbol.name : "any event");
  if (source.field == plan::event_id_field)
    return "id of " + (source.event ? schema[source.event].symbol.name : "any event");
  if (source.event.is_none() || source.field.is_none()) return {};
  const EventType& event = schema[source.event];
  return event.fields[source.field.index()].symbol.name + " of " + event.symbol.name;
}

std::vector<const plan::Repeat*> repeats_of(const plan::Campaign& campaign) {
  std::vector<const plan::Repeat*> all;
  for (const plan::Step& step : campaign.steps)
    if (const auto* repeat = std::get_if<plan::Repeat>(&step)) all.push_back(repeat);
  return all;
}

std::array<plan::SlotId, 3> slots_of(const plan::Passes& passes) {
  return {passes.since, passes.counted, passes.all};
}

}  // namespace

std::vector<std::string> step_names(const plan::Plan& plan, const plan::Campaign& campaign) {
  std::vector<std::string> names;
  std::map<std::string, int> seen;
  std::string last;
  for (const plan::Step& step : campaign.steps) {
    std::string name = is_wait(step)
                           ? "wait " + (last.empty() ? "at the beginning" : "after " + last)
                           : name_of(plan, step);
    if (const int number = name.empty() ? 1 : ++seen[name]; number > 1)
      name += " #" + std::to_string(number);
    if (!name.empty() && !is_wait(step)) last = name;
    names.push_back(std::move(name));
  }
  return names;
}

// --- What goes where ----------------------------------------------------------------------------

Migration::Migration(const plan::Plan& from, plan::CampaignId former, const plan::Plan& to,
                     plan::CampaignId version)
    : from_(from), to_(to), former_(former), version_(version) {
  map_slots();
  map_triggers();
}

Result<Migration> Migration::make(const plan::Plan& from, plan::CampaignId former,
                                  const plan::Plan& to, plan::CampaignId version,
                                  const std::vector<StepMove>& steps) {
  Migration made(from, former, to, version);
  KOI_TRY(made.map_steps(steps));
  return made;
}

// The second slot of a source is told from the first by being the second.
void Migration::map_slots() {
  std::map<std::string, std::vector<std::uint16_t>> known;
  const auto old_slots = deploy::slots_of(former()), slots = deploy::slots_of(version());
  for (std::size_t i = 0; i < old_slots.size(); ++i)
    if (const std::string source = source_of(from_.schema, old_slots[i]); !source.empty())
      known[source].push_back(static_cast<std::uint16_t>(i));
  std::map<std::string, std::size_t> taken;
  for (const SlotSource& slot : slots) {
    SlotFrom& place = frame_.emplace_back();
    const std::string source = source_of(to_.schema, slot);
    if (source.empty()) continue;
    const auto& there = known[source];
    const std::size_t which = taken[source]++;
    if (which >= there.size()) continue;
    const SlotSource& old = old_slots[there[which]];
    place.values = ValueMap(from_.schema, type_of(from_.schema, old.event, old.field), to_.schema,
                            type_of(to_.schema, slot.event, slot.field));
    if (place.values.carries()) place.slot = there[which];
  }
  const auto old_repeats = repeats_of(former()), repeats = repeats_of(version());
  for (std::size_t i = 0; i < std::min(old_repeats.size(), repeats.size()); ++i) {
    const auto old = slots_of(old_repeats[i]->passes), now = slots_of(repeats[i]->passes);
    for (std::size_t part = 0; part < now.size(); ++part) {
      const Type type{.kind = part == 0 ? Kind::Instant : Kind::Int};
      frame_[now[part].index()] = {old[part].value, ValueMap(from_.schema, type, to_.schema, type)};
    }
  }
}

// One in parts is the same only where it keeps the same in the same slots.
void Migration::map_triggers() {
  Meaning old_meaning(from_), meaning(to_);
  const auto keeps_its_slots = [&](const plan::Trigger& trigger) {
    const auto is_same = [&](const plan::Binding& binding) {
      return std::all_of(binding.captures.begin(), binding.captures.end(), [&](const auto& each) {
        return frame_[each.slot.index()].slot == each.slot.value;
      });
    };
    return is_same(trigger.first) &&
           std::all_of(trigger.thens.begin(), trigger.thens.end(), is_same);
  };
  for (const plan::Trigger& wanted : former().triggers) {
    std::optional<std::uint16_t>& place = triggers_.emplace_back();
    for (std::size_t i = 0; i < version().triggers.size() && !place; ++i) {
      const plan::Trigger& trigger = version().triggers[i];
      if (old_meaning.parts_of(former(), wanted) == meaning.parts_of(version(), trigger) &&
          keeps_its_slots(trigger))
        place = static_cast<std::uint16_t>(i);
    }
  }
}

Result<void> Migration::map_steps(const std::vector<StepMove>& moves) {
  const std::string& campaign = version().symbol.name;
  const auto old_names = step_names(from_, former()), names = step_names(to_, version());
  for (const StepMove& move : moves) {
    const auto place = std::find(names.begin(), names.end(), move.to);
    if (place == names.end() ||
        !can_stand_at(version().steps[static_cast<std::size_t>(place - names.begin())])) {
      std::string there;
      for (std::size_t i = 0; i < names.size(); ++i)
        if (can_stand_at(version().steps[i])) there += (there.empty() ? "" : ", ") + names[i];
      return Error{"migrate", "campaign " + in_marks(campaign) + " has no step " +
                                  in_marks(move.to) +
                                  " to go on from; it has: " + (there.empty() ? "none" : there)};
    }
  }
  for (std::size_t i = 0; i < former().steps.size(); ++i) {
    std::optional<std::uint16_t>& target = steps_.emplace_back();
    const plan::Step& step = former().steps[i];
    if (!can_stand_at(step)) continue;
    const auto move = std::find_if(moves.begin(), moves.end(),
                                   [&](const StepMove& each) { return each.from == old_names[i]; });
    const std::string& wanted = move == moves.end() ? old_names[i] : move->to;
    const auto found = std::find(names.begin(), names.end(), wanted);
    if (found == names.end()) continue;
    const auto place = static_cast<std::uint16_t>(found - names.begin());
    if (!can_follow(step, version().steps[place])) {
      if (move == moves.end()) continue;
      return Error{"migrate", "campaign " + in_marks(campaign) + ": who stands at " +
                                  in_marks(move->from) + " cannot go on at " + in_marks(move->to) +
                                  ": where a repetition stands, it alone knows"};
    }
    KOI_TRY(check(place));
    target = place;
  }
  return {};
}

// Would all be known there that the version has kept by then?
Result<void> Migration::check(std::uint16_t target) const {
  const auto slots = deploy::slots_of(version());
  const auto missing = [&](std::string_view what) {
    return Error{"migrate", "campaign " + in_marks(version().symbol.name) +
                                " cannot be migrated: where it goes on at " +
                                in_marks(step_names(to_, version())[target]) + " it has kept the " +
                                std::string(what) +
                                ", which the former version did not keep; let who is under way "
                                "finish as he began, or do without it there"};
  };
  const auto check_binding = [&](const plan::Binding& binding) -> Result<void> {
    for (const plan::Capture& capture : binding.captures)
      if (!frame_[capture.slot.index()].slot)
        return missing(source_of(to_.schema, slots[capture.slot.index()]));
    return {};
  };
  for (const plan::Trigger& trigger : version().triggers) {
    KOI_TRY(check_binding(trigger.first));
    for (const plan::Binding& then : trigger.thens) KOI_TRY(check_binding(then));
  }
  for (std::size_t i = 0; i < version().steps.size(); ++i) {
    const plan::Step& step = version().steps[i];
    if (const auto* wait = std::get_if<plan::WaitFor>(&step); wait && i < target)
      KOI_TRY(check_binding(wait->binding));
    const auto* again = std::get_if<plan::Again>(&step);
    if (again && again->back <= target && target <= i && !frame_[again->passes.all.index()].slot)
      return missing("passes of a repetition");
  }
  return {};
}

// --- A journey ----------------------------------------------------------------------------------

Timestamp Migration::due_at(const core::Journey& moved, std::uint16_t came_from,
                            const core::State& state, Timestamp now) const {
  const plan::Step& step = version().steps[moved.pc];
  const Zone& zone = core::zone_of(to_, state);
  if (std::holds_alternative<plan::Again>(step)) return moved.due;
  if (std::holds_alternative<plan::Send>(step))
    return std::holds_alternative<plan::Send>(former().steps[came_from]) ? moved.due : now;
  Timestamp due = moved.since;
  if (const auto* wait = std::get_if<plan::Wait>(&step)) {
    due = add(moved.since, wait->span, zone);
  } else if (const auto* wait_for = std::get_if<plan::WaitFor>(&step)) {
    due = add(moved.since, wait_for->up_to, zone);
  } else {
    const core::Facts facts{to_, state, moved.since, {}, {}, moved.frame};
    due = core::target_of(std::get<plan::WaitUntil>(step), facts, zone);
  }
  return std::max(due, now);
}

List<Value> Migration::frame_of(const List<Value>& former) const {
  List<Value> frame;
  frame.resize(frame_.size());
  for (std::size_t i = 0; i < frame_.size(); ++i)
    if (frame_[i].slot && *frame_[i].slot < former.size())
      frame[i] = frame_[i].values(former[*frame_[i].slot]);
  return frame;
}

Timestamp Migration::goal_until(const core::Journey& moved, const Zone& zone) const {
  const auto& goal = version().goal;
  return goal && goal->within ? add(moved.entered, *goal->within, zone) : Timestamp::never();
}

bool Migration::move(core::Journey& journey, const core::State& state, Timestamp now) const {
  using Phase = core::Journey::Phase;
  const Zone& zone = core::zone_of(to_, state);
  if (journey.phase == Phase::Ended) {
    if (!version().goal || !version().goal->within || journey.goal_reached) return false;
    journey.campaign = version_;
    journey.trigger = 0;
    journey.frame = frame_of(journey.frame);
    journey.arms.clear();
    journey.goal_until = goal_until(journey, zone);
    return true;
  }
  const bool is_forming = journey.phase == Phase::Forming;
  const auto trigger =
      journey.trigger < triggers_.size() ? triggers_[journey.trigger] : std::nullopt;
  const auto step = !is_forming && journey.pc < steps_.size() ? steps_[journey.pc] : std::nullopt;
  if (is_forming ? !trigger : !step) return false;

  core::Journey moved = journey;
  moved.campaign = version_;
  moved.trigger = trigger.value_or(0);
  moved.frame = frame_of(journey.frame);
  if (!is_forming) {
    moved.arms.clear();
    for (const plan::ArmId arm : journey.arms)
      for (std::size_t i = 0; i < version().arms.size(); ++i)
        if (version().arms[i].name == former().arms[arm.index()].name)
          moved.arms.push_back(plan::ArmId::of(i));
    moved.pc = *step;
    ++moved.occurrence;  // what its steps do from here on has names of its own
    moved.goal_until = goal_until(moved, zone);
    moved.due = due_at(moved, journey.pc, state, now);
  }
  journey = std::move(moved);
  return true;
}

bool Migration::move(core::OpenSend& open) const {
  // What counts for a cap is told by its class.
  if (former().campaign_class != version().campaign_class) return false;
  const auto target = open.step < steps_.size() ? steps_[open.step] : std::nullopt;
  const auto* send = target ? std::get_if<plan::Send>(&version().steps[*target]) : nullptr;
  if (send == nullptr) return false;
  const auto& channels = std::get<plan::Send>(former().steps[open.step]).channels;
  std::size_t place = send->channels.size();  // behind the last one, where it waits there
  if (open.channel < channels.size()) {
    const std::string& name = from_.channels[channels[open.channel].index()].symbol.name;
    const auto there = std::find_if(
        send->channels.begin(), send->channels.end(),
        [&](plan::ChannelId each) { return to_.channels[each.index()].symbol.name == name; });
    if (there == send->channels.end()) return false;
    place = static_cast<std::size_t>(there - send->channels.begin());
  }
  open.campaign = version_;
  open.step = *target;
  open.channel = static_cast<std::uint16_t>(place);
  open.occurrence += occurrences_apart;
  if (!open.frame.empty()) open.frame = frame_of(open.frame);
  return true;
}

// --- Before it is done --------------------------------------------------------------------------

namespace {

plan::CampaignId open_version(const plan::Plan& plan, std::string_view name) {
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i)
    if (!plan.campaigns[i].closed && plan.campaigns[i].symbol.name == name)
      return plan::CampaignId::of(i);
  return {};
}

// The versions of a campaign that are not the rules' own.
std::vector<plan::CampaignId> former_versions(const plan::Plan& from, const plan::Plan& to,
                                              std::string_view name) {
  const plan::CampaignId open = open_version(to, name);
  Meaning old_meaning(from), meaning(to);
  std::vector<plan::CampaignId> versions;
  for (std::size_t i = 0; i < from.campaigns.size(); ++i) {
    const plan::Campaign& each = from.campaigns[i];
    if (each.symbol.name != name) continue;
    if (open && old_meaning.version_of(each) == meaning.version_of(to.campaigns[open.index()]))
      continue;
    versions.push_back(plan::CampaignId::of(i));
  }
  return versions;
}

bool has_campaign(const plan::Plan& plan, std::string_view name) {
  return std::any_of(plan.campaigns.begin(), plan.campaigns.end(),
                     [&](const plan::Campaign& each) { return each.symbol.name == name; });
}

Result<void> check_move(const plan::Plan& from, const plan::Plan& to, const CampaignMove& move) {
  const plan::CampaignId open = open_version(to, move.campaign);
  if (open.is_none() || !has_campaign(from, move.campaign))
    return Error{"migrate", "there is no campaign " + in_marks(move.campaign) +
                                (open ? " in the rules that are live" : " in the new rules") +
                                "; who is under way is moved from one version to another"};
  std::vector<std::string> names;
  for (const plan::CampaignId former : former_versions(from, to, move.campaign)) {
    KOI_TRY(Migration::make(from, former, to, open, move.steps));
    const auto more = step_names(from, from.campaigns[former.index()]);
    names.insert(names.end(), more.begin(), more.end());
  }
  for (const StepMove& step : move.steps)
    if (std::find(names.begin(), names.end(), step.from) == names.end())
      return Error{"migrate", "no former version of campaign " + in_marks(move.campaign) +
                                  " has a step " + in_marks(step.from)};
  return {};
}

std::string many(std::uint64_t number) {
  return "  " + std::to_string(number) + (number == 1 ? " journey" : " journeys");
}

}  // namespace

Result<void> check_ways(const plan::Plan& from, const plan::Plan& to, const Ways& ways) {
  for (const std::string& name : ways.stop) {
    if (!has_campaign(from, name))
      return Error{"stop", "there is no campaign " + in_marks(name) + " to be stopped"};
    for (const CampaignMove& move : ways.migrate)
      if (move.campaign == name)
        return Error{"stop", "campaign " + in_marks(name) + " is to be stopped and migrated"};
  }
  for (const CampaignMove& move : ways.migrate) KOI_TRY(check_move(from, to, move));
  return {};
}

std::string told(const plan::Plan& from, const plan::Plan& to, const Ways& ways,
                 const Census& census) {
  std::string text;
  for (const CampaignMove& move : ways.migrate) {
    text += "migrate " + move.campaign + "\n";
    const plan::CampaignId open = open_version(to, move.campaign);
    const auto names = step_names(to, to.campaigns[open.index()]);
    for (const plan::CampaignId former : former_versions(from, to, move.campaign)) {
      const auto made = Migration::make(from, former, to, open, move.steps);
      KOI_ASSERT(made);
      const UnderWay& there = census[former.index()];
      const auto old_names = step_names(from, from.campaigns[former.index()]);
      for (const auto& [step, count] : there.standing) {
        const auto target = made->target_of(step);
        text += many(count) + " at " + in_marks(old_names[step]);
        if (!target)
          text += ": there is no such step; they finish as they began\n";
        else if (names[*target] == old_names[step])
          text += " of the former version: at the same step\n";
        else
          text += ": at " + in_marks(names[*target]) + "\n";
      }
      if (there.forming > 0)
        text += many(there.forming) +
                " in the parts of a trigger: moved where the new version has the same one\n";
    }
  }
  for (const std::string& name : ways.stop) {
    std::uint64_t ends = 0;
    for (std::size_t i = 0; i < census.size(); ++i)
      if (from.campaigns[i].symbol.name == name) ends += census[i].journeys;
    text += "stop " + name + "\n" + many(ends) + (ends == 1 ? " ends\n" : " end\n");
  }
  return text;
}

}  // namespace koi::deploy
