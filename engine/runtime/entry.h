// Entry: texts from outside as typed values, for JSON and CSV alike. What is refused comes with a
// sentence that names the field and the remedy, and quotes nothing of a person's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/entry.h"
#include "model/schema.h"
#include "model/value.h"

namespace koi::runtime {

constexpr std::size_t longest_id = 1024;   // of an event or a customer, in bytes
constexpr std::size_t longest_quote = 40;  // of what was seen, in a sentence

// Reads texts as values of declared types. Keeps a buffer; not for two threads at once.
class EntryReader {
 public:
  explicit EntryReader(const Schema& schema) : schema_(schema) {}

  // `text` as a value of `type`, where the source had a text. Sets `fault` to what is wrong ("is
  // not a date as 2026-11-11") where it is not one, quoting `text` only if `quotes`.
  bool from_text(const Type& type, std::string_view text, bool quotes, Value& value,
                 std::string& fault);
  // The same for the digits of a number as JSON writes them.
  bool from_number(const Type& type, std::string_view digits, bool quotes, Value& value,
                   std::string& fault);
  // For sources that know only texts (CSV): int and bool from texts too.
  bool from_bare_text(const Type& type, std::string_view text, bool quotes, Value& value,
                      std::string& fault);
  // A named text kind as it is kept, valid until the next call; nothing where it is refused.
  std::optional<std::string_view> text_of(TextKind kind, std::string_view text) {
    return entry_of(kind, text, room_);
  }

 private:
  const Schema& schema_;
  std::string room_;
};

// `text` between back-quotes, cut to longest_quote bytes at a character's border, controls as ?.
std::string quoted(std::string_view text);
// "a text", "an amount of money as \"12.50\"", "one of `female`, `male`": for a sentence.
std::string description_of(const Schema& schema, const Type& type);

}  // namespace koi::runtime
