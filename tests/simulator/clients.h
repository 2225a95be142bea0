// Clients: those who send events. They know only what was acknowledged, and send again what was
// not; they also send again what was, in another order, late, ahead of time, and nonsense.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "chance.h"
#include "record.h"
#include "serve/door.h"

namespace koi::simulator {

// One event as its source has it.
struct Told {
  std::string id;
  std::string rest;               // of its JSON, behind its id; all of it where it is no good
  bool is_good = true;            // the door should take it
  std::vector<serve::Came> came;  // each answer that reached the client
  std::uint32_t sendings = 0;
  bool is_safe() const { return !came.empty(); }
};

class Clients {
 public:
  // With `changes_ids` an event gets another id with each sending: `e1#2`. With `meets` customers
  // turn out to be others. Who wants money knows how to be brought by a customer (`invite` gives
  // his code), and uses what codes he hears of.
  using Invite = std::function<std::string(const std::string& customer)>;
  Clients(Chance chance, Record& record, bool changes_ids, bool meets, Invite invite);
  // What somebody was sent.
  void read(const std::string& body);

  // An event that has just happened.
  void make(Timestamp now);
  // Some events to send together: new ones, unanswered ones, now and then answered ones.
  std::vector<std::size_t> choose();
  // Those that are not answered, at most `limit`.
  std::vector<std::size_t> unanswered(std::size_t limit) const;
  std::string body(const std::vector<std::size_t>& which, bool is_lines);
  void answered(const std::vector<std::size_t>& which, const std::vector<serve::LineResult>& came);

  // The deployment is taken back to a moment: remember() was called then, and what was acknowledged
  // since is not any more.
  void remember();
  void take_back();

  const std::vector<Told>& told() const { return told_; }

 private:
  std::string subject();
  std::string data(std::string& type);
  std::string data_of_money(std::string& type);
  std::string phone(std::uint64_t person) const;

  Chance chance_;
  Record& record_;
  bool changes_ids_, meets_;
  Invite invite_;  // empty: nothing is given
  std::vector<std::string> codes_;
  std::uint64_t people_;
  std::vector<Told> told_;
  std::vector<std::size_t> remembered_;  // of each of these by then, how many answers
};

}  // namespace koi::simulator
