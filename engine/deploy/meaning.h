// Meaning: parts of a plan told by names, hashed, so that two plans can be compared though their
// numbers differ.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "plan/plan.h"

namespace koi::deploy {

// Where a slot of a campaign's frame comes from.
struct SlotSource {
  EventTypeId event;  // none: any event
  FieldId field;
  friend bool operator==(const SlotSource&, const SlotSource&) = default;
};
// By slot; none() in both where nothing fills it.
std::vector<SlotSource> slots_of(const plan::Campaign& campaign);

// The type of an event's field; that of an instant for its time.
Type type_of(const Schema& schema, EventTypeId event, FieldId field);

// Of one plan, which must outlive it.
class Meaning {
 public:
  explicit Meaning(const plan::Plan& plan) : plan_(plan) {}

  // What a journey stands in: the frame, the triggers and the steps. Equal ones can be gone on
  // with. Texts, priority, audience, goal and what it is left by are not part of it.
  Hash128 code_of(const plan::Campaign& campaign);
  // The frame alone: what a goal reads.
  Hash128 frame_of(const plan::Campaign& campaign) const;
  Hash128 leaving_of(const plan::Campaign& campaign);
  // Of a trigger of the campaign, wherever its steps begin.
  Hash128 parts_of(const plan::Campaign& campaign, const plan::Trigger& trigger);
  // Of a trigger by a schedule: its times and whom it is for.
  Hash128 schedule_of(const plan::Trigger& trigger);
  // Of an expression whose fields are those of that event (none: it reads no event).
  Hash128 of(plan::NodeId node, EventTypeId event);

  // All that the campaign says, its texts too; a closed one's is what it was when it was live.
  std::uint64_t version_of(const plan::Campaign& campaign);

 private:
  void add(HashInput& hash, plan::TemplateId text);
  Hash128 of_node(plan::NodeId node, EventTypeId event);
  void add(HashInput& hash, plan::NodeId node, EventTypeId event);
  void add(HashInput& hash, const plan::EventMatch& match);
  void add(HashInput& hash, const plan::Binding& binding);
  void add(HashInput& hash, const plan::Trigger& trigger);
  void add(HashInput& hash, const plan::Schedule& schedule) const;
  void add(HashInput& hash, const plan::Step& step, const plan::Campaign& campaign);
  void add_act(HashInput& hash, const plan::Step& step, const plan::Campaign& campaign);
  void add(HashInput& hash, const plan::Give& give);
  void add_event(HashInput& hash, EventTypeId event) const;
  void add_field(HashInput& hash, EventTypeId event, FieldId field) const;
  EnumId enumeration_of(plan::NodeId node, EventTypeId event) const;
  void add_constant(HashInput& hash, const Value& value, EnumId enumeration) const;

  const plan::Plan& plan_;
  std::vector<SlotSource> frame_;  // of the campaign at hand: what its slots mean
  std::map<std::pair<EventTypeId, plan::NodeId>, Hash128> known_;
};

void put(HashInput& hash, Hash128 part);

}  // namespace koi::deploy
