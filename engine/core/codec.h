// A customer's state to canonical bytes and back: under one layout equal states give equal bytes.
//
// A layout says what a plan's slots are called: names, and hashes of definitions. A state's bytes
// name their layout by its hash and hold the slots by position, so that a million states do not say
// a million times what they have in common; who keeps them keeps the layout once beside them. A
// plan with another layout finds its own slots by what the old one calls them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "core/state.h"
#include "plan/plan.h"

namespace koi {
class ByteReader;
}

namespace koi::core {

constexpr std::uint8_t state_version = 6;

struct Layout;

// Encodes for one plan, and decodes what was written under any layout that it has learnt. To learn
// is for one thread alone; the rest may be done by several at once.
class Codec {
 public:
  // The plan must outlive it.
  explicit Codec(const plan::Plan& plan);
  Codec(const Codec&) = delete;
  ~Codec();

  // The plan's own layout, as bytes: to be kept wherever states are kept.
  const std::string& layout() const { return layout_; }
  // From here on what was written under that layout can be read. What the plan does not know any
  // more will be dropped; what it newly wants starts empty. Error "corrupt".
  Result<void> learn(std::string_view layout);

  std::string encode(const State& state) const;
  // The same in place of what `into` holds: its room is used again.
  void encode(const State& state, std::string& into) const;
  // Error "corrupt", "version" or "layout" if the bytes are not a state that can be read here.
  Result<State> decode(std::string_view bytes) const;
  // When the state's next timer is due, without the rest of it. The same errors.
  Result<Timestamp> next_due(std::string_view bytes) const;

 private:
  Result<const Layout*> open(ByteReader& in) const;

  const plan::Plan& plan_;
  std::string layout_;
  std::uint64_t number_ = 0;  // of layout_
  std::unordered_map<std::uint64_t, std::unique_ptr<const Layout>> known_;
};

// Whose state it is, by its bytes as a Codec makes them, whatever the layout; valid as long as they
// are. Empty where they are none.
std::string_view customer_in(std::string_view bytes);

// The same with the layout in front of the state: for a state on its own way.
std::string encode(const plan::Plan& plan, const State& state);
Result<State> decode(const plan::Plan& plan, std::string_view bytes);

}  // namespace koi::core
