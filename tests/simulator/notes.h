// Notes: what a replay writes down of inputs and of what was decided, whoever decides it.
#pragma once

#include <string>
#include <vector>

#include "core/effect.h"
#include "durable/input.h"
#include "record.h"
#include "replay.h"

namespace koi::simulator {

// Who gave it: a campaign, a referral, or where a claim is refused the gift itself.
std::string source_of(const plan::Plan& plan, const core::Effect& effect);
// Does it tell a customer his level in a tier?
bool tells_level(const plan::Plan& plan, const Event& event);

// Where in which journal, and by what rules.
struct Place {
  const plan::Plan* plan = nullptr;
  store::Group group = 0;
  store::Position position = 0;
};

class Notes {
 public:
  Notes(Replay& into, Record& record) : into_(into), record_(record) {}

  void owners(const plan::Plan& plan, const Event& event);
  void joined(Joined joined);
  void standing(const plan::Plan& plan, const Event& event, core::Standing standing);
  void consent(const Place& at, const Event& event, core::Standing standing);
  // What tiers rank by (programs/figures.koi), and the levels that customers are told.
  void count(const Place& at, const Event& event, core::Standing standing);
  void receipt(const plan::Plan& plan, const durable::ReceiptFor& came, bool is_decided);
  void attempt(Hash128 key);
  // What was decided of him; nothing is left of them.
  void effects(const Place& at, const std::string& customer, std::vector<core::Effect>& effects);

 private:
  void gift(const plan::Plan& plan, const core::Gift& gift, const std::string& customer);

  Replay& into_;
  Record& record_;
};

}  // namespace koi::simulator
