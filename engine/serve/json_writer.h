// JsonWriter: answers of the API as text, in the plan's words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/decimal.h"
#include "base/json.h"
#include "base/time.h"
#include "model/schema.h"
#include "model/value.h"
#include "plan/plan.h"
#include "runtime/effects.h"

namespace koi::serve {

// JSON text, member by member, in a fixed order.
class JsonWriter {
 public:
  // The plan must outlive it.
  explicit JsonWriter(const plan::Plan& plan) : plan_(plan) {}

  void open(char bracket) {
    before();
    out_ += bracket;
    is_first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    is_first_ = false;
  }
  void key(std::string_view name) {
    before();
    append_json_string(out_, name);
    out_ += ':';
    is_first_ = true;  // the value needs no comma
  }
  void text(std::string_view text) {
    before();
    append_json_string(out_, text);
  }
  void raw(std::string_view json) {
    before();
    out_ += json;
  }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void value(const Type& type, const Value& value) {
    before();
    runtime::append_value(out_, plan_.schema, type, value);
  }
  void money(std::int64_t minor) { text(scaled_to_string(minor, plan_.schema.currency_decimals)); }
  // Null where it is no instant.
  void time(Timestamp at) {
    if (at == Timestamp::never() || at == Timestamp::ever())
      raw("null");
    else
      text(to_string(at, *plan_.policy.zone));
  }
  std::string take() { return std::move(out_); }

 private:
  void before() {
    if (!is_first_) out_ += ',';
    is_first_ = false;
  }
  const plan::Plan& plan_;
  std::string out_;
  bool is_first_ = true;
};

}  // namespace koi::serve
