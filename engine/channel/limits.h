// Limits: what a connector's provider takes of one message, as the connector's type declares it
// (Capabilities::forms), under the settings that were given. The one place where it is held to:
// by the outbox before an attempt, by `koi check --env` before anything is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "channel/connector.h"

namespace koi::channel {

std::uint64_t length_in(Unit unit, std::string_view text);

// The text of that name; empty where none is given. Of use to ConnectorType::way_of.
std::string given_text(const Given& given, std::string_view name);

std::string to_string(const Length& length);  // "its text has at most 4000 bytes"
std::string to_string(const Amount& amount);  // "30 requests a second"

// What is too long of a text.
struct Excess {
  Length::Of of = Length::Of::Whole;
  Unit unit = Unit::Bytes;
  std::uint64_t is = 0, most = 0;
};
// "its text has 4,210 bytes, of 4,000 that are taken"
std::string to_string(const Excess& excess);

// Does not change: any thread.
class Limits {
 public:
  // Nothing is asked of `given` but what decides how contents go out; secrets are not read. Error
  // "settings": what way_of says.
  static Result<Limits> of(const ConnectorType& type, const Given& given);

  // By which form a content goes, or an answer (Delivery::reply_to).
  struct Going {
    const Form* form = nullptr;  // as long as the connector's type
    std::string before;
  };
  Going going(std::string_view content, bool is_answer) const;
  Going going(const Delivery& delivery) const {
    return going(delivery.content, !delivery.reply_to.empty());
  }

  // What of these is longer than the provider takes.
  struct Texts {
    std::string_view title, body, link;
  };
  std::optional<Excess> excess(const Going& going, const Texts& texts) const;

  // Why its provider would not take it, in words for a log; empty: it would.
  std::string refusal(const Delivery& delivery) const;

 private:
  std::uint64_t most(const Length& length) const;

  const ConnectorType* type_ = nullptr;
  Given given_;
  WayOf way_of_;  // empty: all by the first form
};

}  // namespace koi::channel
