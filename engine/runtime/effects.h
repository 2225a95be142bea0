// Effects as text: one line of JSON each, as docs/language.md ("Effects out") has it.
#pragma once

#include <string>
#include <string_view>

#include "core/effect.h"
#include "plan/plan.h"

namespace koi::runtime {

// Appends a value as JSON: money as a text, enum values by name, missing as null.
void append_value(std::string& out, const Schema& schema, const Type& type, const Value& value);

// Appends what an Emit or a Call gives, as a JSON object: an event's missing fields are left out.
void append_data(std::string& out, const plan::Plan& plan, const core::Effect& effect);

// Appends effects as lines. Keeps what it knows of the clock between calls; one thread each.
class EffectLines {
 public:
  explicit EffectLines(const plan::Plan& plan) : plan_(plan) {}
  void append(std::string& out, std::string_view customer, const core::Effect& effect);

 private:
  void append_time(std::string& out, Timestamp at);
  std::string_view name_of(const core::Effect& effect) const;

  const plan::Plan& plan_;
  Timestamp time_ = Timestamp::ever();  // of time_text_
  std::string time_text_;
};

}  // namespace koi::runtime
