// Carry: a customer's state from one plan to another, as if he had always been known by the second:
// what both know goes along, by name or definition; what the second does not know is left behind;
// what it newly wants begins here. Decides nothing and makes no effects.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/state.h"
#include "deploy/deployment.h"
#include "deploy/detail/value_map.h"
#include "deploy/migrate.h"
#include "plan/plan.h"

namespace koi::deploy {

// What carrying has come across.
struct Carried {
  std::uint64_t customers = 0;
  // Journeys that ended, because what they stood in is not there any more; by their campaign.
  std::map<std::string, std::uint64_t> journeys_ended;
  // Those that go on in a version which is not the rules' own; by its full name.
  std::map<std::string, std::uint64_t> journeys_kept;
  // Those that were moved to the rules' own version; by its name.
  std::map<std::string, std::uint64_t> journeys_moved;
  std::uint64_t sends_forgotten = 0;     // whose receipts decide nothing any more
  std::uint64_t consents_forgotten = 0;  // granted for channels that are gone
  std::uint64_t refusals_widened = 0;    // for channels that are gone: they hold for all now
  std::uint64_t schedules_missed = 0;    // that were due, and stood behind those of new campaigns
  // So many customers have come to the same as that one.
  void add(const Carried& other, std::uint64_t times = 1);
  friend auto operator<=>(const Carried&, const Carried&) = default;
};

class Carry {
 public:
  // All must outlive it. `ways` fits to the plans (check_ways).
  Carry(const plan::Plan& from, const plan::Plan& to, const Ways& ways = {});

  // A state under both plans is the same: nothing needs to be walked.
  bool changes_nothing() const { return changes_nothing_; }

  // `now` is the instant of the deploy, not before anything the state has seen. Segments that are
  // new are found out without entering anybody; schedules that are new count from `now` on.
  core::State operator()(core::State state, Timestamp now, Carried& carried) const;

 private:
  struct FieldFrom {
    FieldId field;  // none: nothing
    ValueMap values;
  };
  struct EventTo {
    EventTypeId event;
    std::vector<FieldFrom> fields;  // by the field of `event`
  };
  struct Slot {  // of an attribute, an accumulator or a log
    std::uint32_t from = UINT32_MAX;
    std::vector<ValueMap> values;  // of a log by column, of the others one
  };
  struct CampaignTo {
    plan::CampaignId campaign;
    plan::CampaignId entries;  // where entries into it are noted
    bool same_version = false, same_code = false, same_frame = false, same_leaving = false;
    bool is_stopped = false;
    std::vector<ValueMap> frame;
    plan::CampaignId open;               // the rules' own version of it
    std::optional<Migration> migration;  // to that
  };

  void map_schema();
  void map_incentives();
  void map_metrics();
  void map_watches();
  void map_campaigns();
  void map_ways(const Ways& ways);
  void map_schedules();
  bool find_changes() const;

  void carry_profile(core::State& state, Carried& carried) const;
  void carry_consents(core::State& state, Carried& carried) const;
  void carry_metrics(core::State& state) const;
  void carry_journeys(core::State& state, Timestamp now, Carried& carried) const;
  bool carry_journey(core::Journey& journey, const core::State& state, Timestamp now,
                     Carried& carried) const;
  bool carry_open(core::OpenSend& open) const;
  void carry_recent(core::State& state) const;
  void carry_holdings(core::State& state) const;
  void carry_watches(core::State& state, Timestamp now) const;
  void begin_schedules(core::State& state, Timestamp now, Carried& carried) const;
  void set_timers(core::State& state) const;

  const plan::Plan& from_;
  const plan::Plan& to_;
  std::vector<IdentifierId> identifiers_;      // by the former
  std::vector<Slot> attributes_;               // by the new one's
  std::vector<Slot> accumulators_, logs_;      // by the new one's
  std::vector<plan::WatchId> watches_;         // by the new one's; none: begins here
  std::vector<CampaignTo> campaigns_;          // by the former
  std::vector<plan::ChannelId> channels_;      // by the former
  std::vector<EventTo> events_;                // by the former
  std::vector<plan::IncentiveId> incentives_;  // by the former
  std::vector<plan::ReferralId> referrals_;    // by the former
  std::vector<bool> same_leaving_;             // by the new one's campaign
  std::vector<plan::TriggerRef> old_schedules_, new_schedules_;  // of the new one
  bool same_schedules_ = false;
  bool attributes_turn_ = false;  // some values may be others, though nothing has happened
  bool changes_nothing_ = false;
};

}  // namespace koi::deploy
