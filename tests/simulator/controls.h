// Control: one rule that is left out, to see that the checkers notice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace koi::simulator {

enum class Control : std::uint8_t {
  None,
  // of the journal
  AnswersBeforeTheSync,   // its syncs do nothing
  AnswersBeforeTheWrite,  // a batch is written when the next one comes
  ReceiptsUnwritten,      // they are stepped, and the journal has something else in their place
  AttemptsUnwritten,
  // of checkpoints
  CheckpointAhead,           // they say that they hold what is committed, though not stepped
  CheckpointWithoutDeeds,    // what is open is not kept
  CheckpointWithoutStamp,    // the clock of the journal is not kept
  CheckpointWithoutChanges,  // one customer of each is left out
  PostingsUnwritten,         // the accounts are kept without their postings
  AccountsUnwritten,         // … or not at all
  PoolsUnwritten,            // … or without the codes of pools
  // of checkpoints, between groups
  LettersUnwritten,   // letters on their way are not kept
  LettersUnmarked,    // which letters were taken is kept as it was a checkpoint before
  LoansUnwritten,     // what is lent is not kept
  MeetingsUnwritten,  // who waits to hear whether he is another is not kept, nor who was asked
  // of the core
  BudgetsUnchecked,  // what is left of a budget is not asked for
  // of calls
  CallsUnwritten,  // they are stepped, and the journal has something else in their place
  CallsRenamed,    // a question gets another key with each sending
  // of ranks
  RankedByNow,  // what was kept of customers at the border is not looked at
  // of payments
  PaidUnderAnotherKey,  // a second attempt has another key
  // of deploys
  DeployUnmarked,  // one that is under way is not marked as such
  BuildUnsynced,   // what is built of new metrics is not synced
  // of restores
  OpenUnsuspected,  // what is open then counts as not attempted
  // of what crashes
  SetAsideUnwritten,  // it is said to be set aside, and is not
  // of the door
  LinksUnsynced,  // an event is journalled before its links are durable
  // of sources
  IdsChanged,  // an event gets a new id with each sending
  // of the outbox
  AskFirst,
  NeverTwice,
  RecordFirst,
  NotAfter,
  Wanted,
};

struct NamedControl {
  Control control;
  std::string_view name;
};
inline constexpr std::array<NamedControl, 32> controls{{
    {Control::None, "none"},
    {Control::AnswersBeforeTheSync, "answers_before_the_sync"},
    {Control::AnswersBeforeTheWrite, "answers_before_the_write"},
    {Control::ReceiptsUnwritten, "receipts_unwritten"},
    {Control::AttemptsUnwritten, "attempts_unwritten"},
    {Control::CheckpointAhead, "checkpoint_ahead"},
    {Control::CheckpointWithoutDeeds, "checkpoint_without_deeds"},
    {Control::CheckpointWithoutStamp, "checkpoint_without_stamp"},
    {Control::CheckpointWithoutChanges, "checkpoint_without_changes"},
    {Control::PostingsUnwritten, "postings_unwritten"},
    {Control::AccountsUnwritten, "accounts_unwritten"},
    {Control::PoolsUnwritten, "pools_unwritten"},
    {Control::LettersUnwritten, "letters_unwritten"},
    {Control::LettersUnmarked, "letters_unmarked"},
    {Control::LoansUnwritten, "loans_unwritten"},
    {Control::MeetingsUnwritten, "meetings_unwritten"},
    {Control::BudgetsUnchecked, "budgets_unchecked"},
    {Control::CallsUnwritten, "calls_unwritten"},
    {Control::CallsRenamed, "calls_renamed"},
    {Control::RankedByNow, "ranked_by_now"},
    {Control::PaidUnderAnotherKey, "paid_under_another_key"},
    {Control::DeployUnmarked, "deploy_unmarked"},
    {Control::BuildUnsynced, "build_unsynced"},
    {Control::OpenUnsuspected, "open_unsuspected"},
    {Control::SetAsideUnwritten, "set_aside_unwritten"},
    {Control::LinksUnsynced, "links_unsynced"},
    {Control::IdsChanged, "ids_changed"},
    {Control::AskFirst, "ask_first"},
    {Control::NeverTwice, "never_twice"},
    {Control::RecordFirst, "record_first"},
    {Control::NotAfter, "not_after"},
    {Control::Wanted, "wanted"},
}};

// Whether only worlds that give money show that it is left out.
inline bool is_of_money(Control control) {
  switch (control) {
    case Control::PostingsUnwritten:
    case Control::AccountsUnwritten:
    case Control::PoolsUnwritten:
    case Control::LettersUnwritten:
    case Control::LettersUnmarked:
    case Control::LoansUnwritten:
    case Control::MeetingsUnwritten:
    case Control::BudgetsUnchecked:
    case Control::CallsUnwritten:
    case Control::CallsRenamed:
    case Control::PaidUnderAnotherKey: return true;
    default: return false;
  }
}

// … and of those, only where several groups serve those who compete.
inline bool is_of_groups(Control control) {
  return control == Control::LettersUnwritten || control == Control::LettersUnmarked ||
         control == Control::LoansUnwritten || control == Control::MeetingsUnwritten;
}

inline std::optional<Control> control_of(std::string_view name) {
  for (const NamedControl& each : controls)
    if (each.name == name) return each.control;
  return std::nullopt;
}
inline std::string_view name_of(Control control) {
  for (const NamedControl& each : controls)
    if (each.control == control) return each.name;
  return {};
}

}  // namespace koi::simulator
