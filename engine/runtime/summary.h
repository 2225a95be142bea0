// Summary: what a run did, in figures; and its telling, as text and as a page.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "core/effect.h"
#include "ledger/ledger.h"
#include "plan/plan.h"
#include "runtime/decode.h"
#include "runtime/experiments.h"

namespace koi::runtime {

constexpr std::size_t reason_count = static_cast<std::size_t>(core::last_reason) + 1;

struct CampaignFigures {
  std::uint64_t entered = 0, left = 0, goals = 0, sent = 0, set = 0;
  std::uint64_t tagged = 0, emitted = 0, notified = 0, called = 0, started = 0;
  std::uint64_t given = 0, taken = 0;
  std::int64_t spent = 0;                             // money in what was given, in minor units
  std::array<std::uint64_t, reason_count> refused{};  // by reason
  void count(const core::Effect& effect);
  void add(const CampaignFigures& other);
};

// A message as its reader sees it.
struct Message {
  Timestamp time;
  std::string customer;
  plan::CampaignId campaign;
  plan::ContentId content;
  plan::ChannelId channel;
  core::Text text;
};

struct Summary {
  std::vector<CampaignFigures> campaigns;  // as in the plan
  CampaignFigures referrals;               // what was given and refused under no campaign
  struct Account {
    std::string name;
    int decimals = 0;           // behind the point; none: pieces, points, messages
    ledger::Balances balances;  // over all its periods
  };
  std::vector<Account> accounts;  // those that something was taken out of, as in the plan
  std::vector<std::uint64_t> sent_by_channel;  // as in the plan
  Experiments arms;
  std::vector<Message> messages;  // the first of each campaign and content, by time
  std::uint64_t records = 0;      // lines or rows that were read
  std::uint64_t events = 0;       // of them events that the program knows
  std::uint64_t late = 0, too_late = 0, duplicates = 0;
  std::uint64_t unknown_events = 0, rejected = 0, left_out = 0, after_until = 0;
  std::uint64_t conflicts = 0;  // identifiers that two customers claim
  std::uint64_t merged = 0;     // customers who have turned out to be others
  std::uint64_t customers = 0;
  std::uint64_t unanswered =
      0;  // receipts that were not followed: deliveries that cause each other
  Timestamp first = Timestamp::never(), last = Timestamp::ever();
  UnknownNames unknown_types, unknown_fields;
  std::string rejects_path;  // where the rejected lines are; empty without any
  bool interrupted = false;
};

// What stands on the screen at the end: ends with a line feed.
std::string render(const plan::Plan& plan, const Summary& summary, Language language);

// A page that needs nothing but itself.
std::string render_html(const plan::Plan& plan, const Summary& summary, Language language);

}  // namespace koi::runtime
