// Settings of a connector: declared as a table, read from what an operator gave, and printed into
// its page. Whoever reads the values need not check them again. Secrets are given by reference and
// cannot be printed by accident.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace koi::channel {

struct Setting {
  enum class Kind : std::uint8_t { Text, Number, Flag, Duration, Url, Path, Secret };

  std::string_view name;
  Kind kind = Kind::Text;
  std::string_view help;       // one sentence for its page
  std::string_view otherwise;  // the value where none is given, as it would be given
  bool optional = false;       // may be missing without a value; else it must be given
  std::int64_t least = 0, most = INT64_MAX;   // Number (itself) and Duration (microseconds)
  std::span<const std::string_view> choices;  // Text: no other is allowed; empty: any
};
std::string_view name_of(Setting::Kind kind);  // "text", "number", …

// What every connector that asks over the network lets be set. Attempts are cancelled after two
// minutes, so an answer is waited for less long than that.
inline constexpr Setting connect_within{.name = "connect_within",
                                        .kind = Setting::Kind::Duration,
                                        .help = "How long connecting may take.",
                                        .otherwise = "5s",
                                        .least = 10'000,
                                        .most = 60'000'000};
inline constexpr Setting answer_within{.name = "answer_within",
                                       .kind = Setting::Kind::Duration,
                                       .help = "How long the whole request may take.",
                                       .otherwise = "20s",
                                       .least = 10'000,
                                       .most = 110'000'000};

// A text that is not for eyes. There is no way to print it but to ask for it.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  const std::string& reveal() const { return text_; }

 private:
  std::string text_;
};

// A value as it stands in a file of settings.
using GivenValue = std::variant<std::string, std::int64_t, bool>;
using Given = std::map<std::string, GivenValue, std::less<>>;

// Values that were checked. To ask for one that was not declared so is a bug in the connector.
class Settings {
 public:
  // Every error is in one text, a line each, and names the setting and the remedy; a given value is
  // quoted only where it is no secret. Secrets are "env:NAME" or "file:PATH" (without the line feed
  // at the file's end); durations "250ms", "20s", "5m", "2h", "1d"; flags true or false.
  static Result<Settings> read(std::span<const Setting> declared, const Given& given);

  bool has(std::string_view name) const;                 // given, or with a value for otherwise
  const std::string& text(std::string_view name) const;  // Text, Url, Path
  std::int64_t number(std::string_view name) const;
  bool flag(std::string_view name) const;
  Duration duration(std::string_view name) const;
  const Secret& secret(std::string_view name) const;

 private:
  using Value = std::variant<std::string, std::int64_t, bool, Duration, Secret>;
  template <class T>
  const T& value(std::string_view name) const;
  std::map<std::string, Value, std::less<>> values_;
};

// A Markdown table: setting, kind, what it is where none is given, what it is for.
std::string settings_table(std::span<const Setting> declared);

}  // namespace koi::channel
