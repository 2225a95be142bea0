// Rows: what a group keeps in its checkpoints beside customers and accounts, under keys that the
// accounts do not have: letters (letters.h), what waits (waiting.h), and meetings that are kept
// (meetings.h). Few and short-lived, so all of it is in memory.
//
// A key begins with what it is of:
//   >l  a letter on its way               to whom, its number
//   >s  the last number of letters        to whom
//   >t  the last number taken             from whom
//   ?a  what somebody who waits has asked for    the customer
//   ?f  an input that waits before those  its number among them
//   ?i  an input that waits               its number among them
//   ?m  that his first input has asked about somebody    the customer
//   ?n  the last number given to them
//   @   a meeting that is kept            its number among them
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace koi::durable {

class Rows {
 public:
  void put(std::string key, std::string bytes);
  void erase(const std::string& key);

  // Calls `each` with what the group's last checkpoint has. Errors are the store's and those of
  // `each`.
  template <class Each>
  Result<void> learn(const store::Store& store, store::Group group, Each each);

  // What has changed since the last freeze; one freeze at a time.
  void freeze(std::vector<store::Shared>& into);
  void committed();
  void failed();
  bool has_changed() const { return !changed_.empty(); }

 private:
  std::map<std::string, std::string> rows_;
  std::set<std::string> stored_;  // keys that the store has, or may have: not all are in rows_
  std::set<std::string> changed_, frozen_;
};

constexpr char letters_mark = '>', waiting_mark = '?', meetings_mark = '@';
// Is the key one of these?
inline bool is_row(std::string_view key) {
  return !key.empty() && key.front() >= letters_mark && key.front() <= meetings_mark;
}

// Are letters on their way from the group, or do inputs wait in it, as of its last checkpoint?
Result<bool> has_open(const store::Store& store, store::Group group);

template <class Each>
Result<void> Rows::learn(const store::Store& store, store::Group group, Each each) {
  constexpr std::size_t at_once = 256;
  static_assert(letters_mark + 1 == waiting_mark && waiting_mark + 1 == meetings_mark);
  for (std::string last(1, letters_mark);;) {
    KOI_LET(const auto piece, store.shared_behind(group, last, at_once));
    for (const store::Shared& row : piece) {
      if (!is_row(row.key)) return {};
      rows_.emplace(row.key, row.bytes);
      stored_.insert(row.key);
      const Result<void> learnt = each(row.key, row.bytes);
      if (!learnt) return learnt;
      last = row.key;
    }
    if (piece.size() < at_once) return {};
  }
}

}  // namespace koi::durable
