// Meetings: those that cannot be answered for now, since whoever is asked about takes part in
// another one, or has something to decide first (moving.cpp). They are kept, in order, until he is
// free. Part of what is decided. One thread's own.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "durable/input.h"
#include "durable/rows.h"
#include "plan/plan.h"

namespace koi::durable {

class Meetings {
 public:
  struct Kept {
    Meeting meeting;
    bool is_held = false;  // who asks was told so (Verdict::Kind::Held), and is to ask again
  };
  // `rows` must outlive it.
  explicit Meetings(Rows& rows) : rows_(rows) {}

  // A row of the last checkpoint, where it is one of these; false: it is another's. Errors:
  // "corrupt"; "rules", where other rules were to answer it.
  Result<bool> learn(std::string_view key, std::string_view bytes, const plan::Plan& plan,
                     std::uint64_t rules);

  // About that customer, behind the others. `rules` name those under which it is kept.
  void keep(const std::string& customer, Kept what, std::uint64_t rules);
  // All that are kept about him, in order; they are kept no more.
  std::vector<Kept> take(std::string_view customer);
  bool empty() const { return kept_.empty(); }

 private:
  struct Numbered {
    std::uint64_t number = 0;
    Kept what;
  };
  Rows& rows_;
  std::map<std::string, std::deque<Numbered>, std::less<>> kept_;
  std::uint64_t last_ = 0;  // number given; 0 again when nothing is kept
};

}  // namespace koi::durable
