// Decode: one line of JSON (docs/language.md, "Events in") to the engine's event, typed and checked
// against the program's schema. Every input is hostile: what is not exactly right is refused with a
// sentence that names the field, what was seen and the remedy, and quotes nothing of a person's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/event.h"
#include "plan/plan.h"

namespace koi::runtime {

constexpr std::size_t longest_line = 1u << 20;  // in bytes, without its line feed
constexpr int deepest_json = 64;                // objects and lists in one another

// An event as it came in: typed, its customer not yet looked up.
struct Incoming {
  Event event;                // `customer` is the subject's text: an id, or what follows `kind:`
  IdentifierId subject_kind;  // none: the subject is a customer id
  bool to_everyone = false;   // the subject is `*`, and so is the event's customer
};

enum class Decoded : std::uint8_t {
  Event,
  UnknownType,  // no such event is declared: counted by name
  Rejected,     // reason() says why
};

// Names that the program does not know, with how often each was seen. At most `most` names are
// kept, each cut to 100 bytes; the rest is counted together.
class UnknownNames {
 public:
  void count(std::string_view name);
  void add(const UnknownNames& other);
  const std::map<std::string, std::uint64_t, std::less<>>& names() const { return names_; }
  std::uint64_t others() const { return others_; }

 private:
  static constexpr std::size_t most = 1000;
  std::map<std::string, std::uint64_t, std::less<>> names_;
  std::uint64_t others_ = 0;
};

// A row of a source that knows only texts (CSV), its columns named as the event's parts.
struct Texts {
  std::string_view id, type, subject;
  Timestamp time;
  std::span<const std::pair<std::string_view, std::string_view>> fields;  // empty text: missing
};

// Not for two threads at once; `plan` must outlive it.
class Decoder {
 public:
  explicit Decoder(const plan::Plan& plan);
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  // `line` is without its line feed. `into` is used again from call to call: nothing is allocated
  // for texts that fit into a Value. It holds an event only after Decoded::Event.
  Decoded decode(std::string_view line, Incoming& into);
  Decoded decode(const Texts& row, Incoming& into);

  // When the line's event happened, and no more than that is looked at; nothing where it has no
  // acceptable time. Agrees with decode().
  std::optional<Timestamp> time_of(std::string_view line);

  // Why the last line was rejected: a sentence without a full stop.
  const std::string& reason() const;
  // Event types, and fields as `type.field`, that the program does not declare.
  const UnknownNames& unknown_types() const;
  const UnknownNames& unknown_fields() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::runtime
