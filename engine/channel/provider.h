// A pretend provider: what a connector's own tests, the suite that every connector passes and the
// simulation try it against. Each connector brings one (`<name>_provider()` in its test).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "channel/settings.h"
#include "model/delivery.h"
#include "model/receipt.h"

namespace koi::channel {

// What the provider does with the next delivery.
enum class Act : std::uint8_t {
  Accept,
  Refuse,       // for good
  Busy,         // not now
  Silent,       // takes it, and never answers
  HangUp,       // takes it, and is gone before it answers
  Nonsense,     // takes it, and answers what nobody can read
  Slow,         // takes it, and answers a byte now and then, without an end
  Broken,       // takes it, and is gone in the middle of its answer
  Unreachable,  // does not take it
  Expired,      // takes it, but has forgotten the token that it lent
  Deaf,         // does not take it: nobody comes to its door
};

class Provider {
 public:
  virtual ~Provider() = default;

  // Those that it can play; Accept is among them.
  virtual std::vector<Act> acts() const = 0;

  // How a connector reaches it. Short time limits, so that silence is soon over.
  virtual Given settings() const = 0;

  // The same, with the batch form in use; to be said where its type has the setting
  // `gather_within`.
  virtual Given settings_to_gather() const { return {}; }

  // Texts that must never be seen in a log.
  virtual std::vector<std::string> secrets() const { return {}; }

  virtual void next(Act act) = 0;

  // Why else it can refuse one, beside what Act::Refuse says; the next delivery is refused so.
  virtual std::vector<Failure> refusals() const { return {}; }
  virtual void refuse_next(Failure /*failure*/) {}

  // For how long it says that it is busy; none: it does not say.
  virtual std::optional<Duration> busy_for() const { return std::nullopt; }

  // Somebody whom it reaches.
  virtual Address person() const { return {"phone", "+8613800138000"}; }

  // Whether it takes a key at all; the keys that it has accepted, as it was told them, each time.
  virtual bool takes_keys() const { return true; }
  virtual std::vector<std::string> accepted() const = 0;

  // How many effects that key had with it: at most one where the provider recognises a key again.
  virtual std::size_t effects(const std::string& key) const = 0;
};

}  // namespace koi::channel
