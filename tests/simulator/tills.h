// Tills: those who ask for something and are answered at once: tills, the page of a packet, who
// spends points, reviewers, and who uploads codes. They know only what they were answered, and ask
// again under the same key while they were not, for a day.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "chance.h"
#include "core/accounts.h"
#include "net/server.h"
#include "record.h"
#include "store/groups.h"

namespace koi::simulator {

// One question as its asker has it.
struct Asking {
  std::string key;
  std::string path, body;
  Timestamp first;                 // when it was asked first
  std::vector<std::string> heard;  // each answer that reached him (in_words)
  std::uint32_t sendings = 0;
  bool is_nobodys = false;  // refused at the door: nobody has its code
};

std::string in_words(const core::Answer& answer);

class Tills {
 public:
  // With `renames` a question gets another key with each sending.
  Tills(Chance chance, Record& record, bool renames);

  // A code that somebody was sent.
  void read(const std::string& body);

  // Whose friends are looked at, where several groups have some.
  store::Group some_group(store::Groups groups) {
    return static_cast<store::Group>(chance_.below(groups.count));
  }
  bool is_due() { return chance_.one_in(3); }
  // What is asked now: something new, or again; `held` are friends that wait for a review.
  std::size_t choose(Timestamp now, const std::vector<core::Accounts::Held>& held);
  // Those who still want an answer, at most `limit`.
  std::vector<std::size_t> unanswered(Timestamp now, std::size_t limit) const;
  net::Asked request(std::size_t which);
  void answered(std::size_t which, std::string words);
  void refused(std::size_t which) { asked_[which].is_nobodys = true; }
  bool is_lost() { return chance_.one_in(30); }    // a question on its way
  bool is_heard() { return !chance_.one_in(20); }  // an answer

  // As Clients.
  void remember();
  void take_back();

  const std::vector<Asking>& asked() const { return asked_; }

 private:
  void ask(Asking& asking, const std::vector<core::Accounts::Held>& held);
  void ask_of_code(Asking& asking);
  void ask_of_points(Asking& asking);
  void upload(Asking& asking);
  std::string person();

  Chance chance_;
  Record& record_;
  bool renames_;
  std::vector<std::string> codes_;
  std::vector<std::pair<std::string, std::string>> spent_;  // orders, and whose
  std::uint64_t uploaded_ = 0;
  std::vector<Asking> asked_;
  std::vector<std::size_t> remembered_;
};

}  // namespace koi::simulator
