// Fit: what of the rules an environment's providers would not take, known before anything is sent.
// What only a customer's data makes too long is not: the outbox refuses that.
#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "channel/connector.h"
#include "channel/limits.h"
#include "plan/plan.h"
#include "runtime/environment.h"

namespace koi::runtime {

struct Misfit {
  enum class What : std::uint8_t {
    TooLong,     // a content's variant, whatever the data are
    NoMoney,     // an incentive pays through a channel that carries none
    MoneyAlone,  // a content goes to a channel that carries nothing else
    NoTitle,     // a content has a title, which is not sent
    NotSaid,     // the provider lets a person be sent so much, and the rules do not say so
    Unreadable,  // how the channel's contents go out cannot be known
  };
  What what = What::TooLong;
  std::string channel, connector;
  // TooLong, MoneyAlone, NoTitle, NoMoney: of which content, or incentive; the first three: and
  // where it is sent first.
  std::string content;
  plan::CampaignId campaign;
  std::uint16_t step = 0;
  std::string language, of_channel;  // TooLong: the variant's; empty: it is for all
  channel::Excess excess;            // TooLong
  bool at_least = false;             // TooLong: data come to it
  std::string clause;                // NotSaid: what to write. Unreadable: why

  // Else it is a warning: it may be as it is meant.
  bool is_error() const { return what != What::NoTitle && what != What::NotSaid; }
};

// In the order of the plan's channels, each thing once. The environment must name connectors that
// there are; its settings need not be right.
std::vector<Misfit> misfits(const Environment& environment, const plan::Plan& plan,
                            channel::ConnectorTypes types);

// A sentence without a full stop, as diagnostics have it.
std::string to_string(const Misfit& misfit, Language language);
// All of them in English, or the errors alone, a line each; the last one does not end.
std::string told(const std::vector<Misfit>& misfits, bool errors_alone);

}  // namespace koi::runtime
