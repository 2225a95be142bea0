#include "channel/settings.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "model/entry.h"

namespace koi::channel {

namespace {

using Kind = Setting::Kind;

std::string quoted(std::string_view text) {
  std::string out = "`";
  for (const char c : text.substr(0, 60)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out + (text.size() > 60 ? "…`" : "`");
}

std::string shown(const GivenValue& given) {
  if (const auto* text = std::get_if<std::string>(&given)) return quoted(*text);
  if (const auto* number = std::get_if<std::int64_t>(&given))
    return quoted(std::to_string(*number));
  return std::get<bool>(given) ? "`true`" : "`false`";
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Duration> duration_of(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t us;
  };
  static constexpr Unit units[] = {{"ms", 1000},
                                   {"s", 1'000'000},
                                   {"m", 60'000'000},
                                   {"h", 3'600'000'000},
                                   {"d", 86'400'000'000}};
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
  const auto number = number_of(text.substr(0, digits));
  for (const Unit& unit : units)
    if (number && text.substr(digits) == unit.name && *number <= days(36'525).us / unit.us)
      return Duration{*number * unit.us};
  return std::nullopt;
}

// In the largest unit that is exact, as it would be given.
std::string text_of(Duration span) {
  struct Unit {
    const char* name;
    std::int64_t us;
  };
  for (const Unit& unit :
       {Unit{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}})
    if (span.us % unit.us == 0 && span.us != 0)
      return std::to_string(span.us / unit.us) + unit.name;
  return std::to_string(span.us / 1000) + "ms";
}

std::string bounds_of(const Setting& setting) {
  const auto show = [&](std::int64_t value) {
    return setting.kind == Kind::Duration ? text_of({value}) : std::to_string(value);
  };
  if (setting.most == INT64_MAX) return "at least " + show(setting.least);
  return "from " + show(setting.least) + " to " + show(setting.most);
}

Result<Secret> secret_of(const std::string& reference) {
  if (reference.starts_with("env:")) {
    const std::string name = reference.substr(4);
    const char* const value = std::getenv(name.c_str());
    if (!value || !*value)
      return Error{"secret", "the environment has no variable " + quoted(name) + "; set it"};
    return Secret(value);
  }
  if (reference.starts_with("file:")) {
    const std::string path = reference.substr(5);
    std::ifstream file(path, std::ios::binary);
    std::string text(64 * 1024 + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.is_open() || file.bad())
      return Error{"secret", "the file " + quoted(path) + " cannot be read; does it exist?"};
    text.resize(static_cast<std::size_t>(file.gcount()));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.empty() || text.size() > std::size_t{64} * 1024)
      return Error{"secret", "the file " + quoted(path) + " is empty or longer than 64 KiB"};
    return Secret(std::move(text));
  }
  return Error{"secret",
               "a secret is not written here; write `file:PATH` or `env:NAME`, where it is kept"};
}

}  // namespace

std::string_view name_of(Setting::Kind kind) {
  switch (kind) {
    case Kind::Text: return "text";
    case Kind::Number: return "number";
    case Kind::Flag: return "flag";
    case Kind::Duration: return "duration";
    case Kind::Url: return "URL";
    case Kind::Path: return "path";
    case Kind::Secret: return "secret";
  }
  KOI_ASSERT(false);
}

namespace {

using AnyValue = std::variant<std::string, std::int64_t, bool, Duration, Secret>;

Result<AnyValue> value_of(const Setting& setting, const GivenValue& given) {
  const auto wrong = [&](const std::string& wanted) {
    return Error{"setting", quoted(setting.name) + " is " + shown(given) + "; it takes " + wanted};
  };
  const auto* const text = std::get_if<std::string>(&given);
  switch (setting.kind) {
    case Kind::Text: {
      if (!text || text->empty()) return wrong("a text");
      if (setting.choices.empty()) return AnyValue(*text);
      std::string all;
      for (const std::string_view choice : setting.choices) {
        if (*text == choice) return AnyValue(*text);
        all.append(all.empty() ? "" : ", ").append(choice);
      }
      return wrong("one of " + all);
    }
    case Kind::Path:
      if (!text || text->empty() || text->find('\0') != std::string::npos) return wrong("a path");
      return AnyValue(*text);
    case Kind::Url: {
      std::string room;
      if (text && text->find('@') < text->find_first_of("/?#", text->find("://") + 3))
        return Error{"setting", quoted(setting.name) +
                                    " holds a name or password; give those by a secret setting"};
      if (!text || !entry_of(TextKind::Url, *text, room))
        return wrong("an address that begins with http:// or https://");
      return AnyValue(*text);
    }
    case Kind::Number: {
      const auto* const number = std::get_if<std::int64_t>(&given);
      const auto read = number ? std::optional(*number) : text ? number_of(*text) : std::nullopt;
      if (!read || *read < setting.least || *read > setting.most)
        return wrong("a whole number " + bounds_of(setting));
      return AnyValue(*read);
    }
    case Kind::Flag: {
      if (const auto* const flag = std::get_if<bool>(&given)) return AnyValue(*flag);
      if (text && (*text == "true" || *text == "false")) return AnyValue(*text == "true");
      return wrong("true or false");
    }
    case Kind::Duration: {
      const auto read = text ? duration_of(*text) : std::nullopt;
      if (!read || read->us < setting.least || read->us > setting.most)
        return wrong("a duration " + bounds_of(setting) + ", such as 250ms, 20s, 5m, 2h or 1d");
      return AnyValue(*read);
    }
    case Kind::Secret: {
      if (!text) return Error{"secret", quoted(setting.name) + ": write `file:PATH` or `env:NAME`"};
      auto secret = secret_of(*text);
      if (!secret) return Error{"secret", quoted(setting.name) + ": " + secret.error().what};
      return AnyValue(*std::move(secret));
    }
  }
  KOI_ASSERT(false);
}

const Setting* find(std::span<const Setting> declared, std::string_view name) {
  for (const Setting& setting : declared)
    if (setting.name == name) return &setting;
  return nullptr;
}

}  // namespace

Result<Settings> Settings::read(std::span<const Setting> declared, const Given& given) {
  Settings settings;
  std::string errors;
  const auto wrong = [&](const std::string& what) {
    errors.append(errors.empty() ? "" : "\n").append(what);
  };
  for (const auto& [name, value] : given)
    if (!find(declared, name)) {
      std::string known;
      for (const Setting& setting : declared)
        known.append(known.empty() ? "" : ", ").append(setting.name);
      wrong(quoted(name) +
            " is no setting of it; its settings are: " + (known.empty() ? "none" : known));
    }
  for (const Setting& setting : declared) {
    const auto found = given.find(setting.name);
    if (found == given.end() && setting.otherwise.empty()) {
      if (!setting.optional)
        wrong(quoted(setting.name) + " is missing: " + std::string(setting.help));
      continue;
    }
    auto value = value_of(
        setting, found != given.end() ? found->second : GivenValue(std::string(setting.otherwise)));
    if (!value) {
      wrong(value.error().what);
      continue;
    }
    settings.values_.emplace(setting.name, *std::move(value));
  }
  if (!errors.empty()) return Error{"settings", std::move(errors)};
  return settings;
}

bool Settings::has(std::string_view name) const { return values_.contains(name); }

template <class T>
const T& Settings::value(std::string_view name) const {
  const auto found = values_.find(name);
  KOI_ASSERT(found != values_.end());
  const T* const value = std::get_if<T>(&found->second);
  KOI_ASSERT(value);
  return *value;
}
const std::string& Settings::text(std::string_view name) const { return value<std::string>(name); }
std::int64_t Settings::number(std::string_view name) const { return value<std::int64_t>(name); }
bool Settings::flag(std::string_view name) const { return value<bool>(name); }
Duration Settings::duration(std::string_view name) const { return value<Duration>(name); }
const Secret& Settings::secret(std::string_view name) const { return value<Secret>(name); }

std::string settings_table(std::span<const Setting> declared) {
  if (declared.empty()) return "It has no settings.\n";
  std::string table =
      "| setting | kind | where none is given | what it is for |\n| --- | --- | --- | --- |\n";
  for (const Setting& setting : declared) {
    table.append("| `").append(setting.name).append("` | ").append(name_of(setting.kind));
    for (std::size_t i = 0; i < setting.choices.size(); ++i)
      table.append(i ? ", `" : ": `").append(setting.choices[i]).append("`");
    if ((setting.kind == Kind::Number || setting.kind == Kind::Duration) &&
        (setting.least != 0 || setting.most != INT64_MAX))
      table.append(", ").append(bounds_of(setting));
    table.append(" | ");
    if (!setting.otherwise.empty())
      table.append("`").append(setting.otherwise).append("`");
    else
      table.append(setting.optional ? "none" : "must be given");
    table.append(" | ").append(setting.help).append(" |\n");
  }
  return table;
}

}  // namespace koi::channel
