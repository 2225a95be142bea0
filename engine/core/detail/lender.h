// Lender: what becomes of one account's record in one group (escrow.h): what it has, what it asks
// for and lends, what it is told. Pure: it knows neither plans nor ledgers; what an account is by
// the rules, and what of it is taken, its terms say. Private to core.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/escrow.h"

namespace koi::core {

// An account by the rules of now, as the group at hand sees it.
class Terms {
 public:
  virtual ~Terms() = default;

  enum class Unit : std::uint8_t { Amount, Number, Code };
  Unit unit = Unit::Amount;
  std::int64_t amount = 0;  // all in all; Number: those below it; Code: of no matter
  std::uint64_t basis = 0;  // another one: what was lent under it is to be given back first
  bool counts_all = false;  // what groups have taken without asking counts too
  bool lends_all = false;   // whoever asks is lent all there is
  bool is_rolling = false;  // what is taken is there again some time later
  bool comes_back = true;   // else what is taken stays so
  virtual std::string name(Timestamp period) const = 0;  // as Loan has it

  // Amount: what counts of what this group has taken, as of that time, and may be taken by then …
  virtual std::int64_t taken(Timestamp at) const = 0;
  // … and what counts at that time and at all later ones. Nothing: that cannot be said any more.
  virtual std::optional<std::int64_t> taken_since(Timestamp at) const = 0;
  // Code, at home: those that were never lent; one of them.
  virtual std::int64_t fresh() const { return 0; }
  virtual PoolCode take_fresh() { return {}; }
  virtual std::int64_t uploaded() const { return 0; }
};

class Lender {
 public:
  // What it has to say.
  struct Out {
    std::vector<std::pair<std::uint16_t, Loan>> loans;
    struct Answered {
      std::string account;
      std::uint64_t up_to = 0;
      bool is_short = false;
    };
    std::vector<Answered> answered;
  };

  // All must outlive it.
  Lender(Escrow& record, Terms& terms, std::uint16_t own, std::uint16_t home, std::uint16_t groups,
         Out& out)
      : my_(record), terms_(terms), own_(own), home_(home), groups_(groups), out_(out) {}

  // The record is of that period from here on. False: it is of a later one, and this one is over.
  bool enter(Timestamp period);

  // --- Taking

  // What can be taken as of then; below zero where the rules have lowered the amount.
  std::int64_t has(Timestamp at) const;
  // Home: lends itself what is missing for that, where it can be had without asking anybody.
  bool draw(Timestamp at, std::int64_t want);
  // Nothing can come from anywhere else.
  bool has_all(Timestamp at) const;
  // Whoever takes something: the first number, the first code that it has.
  std::optional<std::uint64_t> take_number();
  std::optional<PoolCode> take_code();

  // --- Asking

  // The number of the ask that includes it.
  std::uint64_t ask(Timestamp at, std::int64_t want);
  void take(std::uint16_t from, const Loan& loan);

  // Home: whoever has been lent codes learns how many were uploaded by now.
  void tell_uploaded();

  // So much is taken along from one group into another: what either side does, and the home.
  void move_out(std::uint16_t to, std::int64_t amount);
  void move_in(std::uint16_t from, std::int64_t amount);

 private:
  bool is_home() const { return own_ == home_; }
  std::int64_t lent(std::uint16_t group) const { return my_.lent.empty() ? 0 : my_.lent[group]; }
  std::int64_t& lent_to(std::uint16_t group) {
    my_.lent.resize(groups_);
    return my_.lent[group];
  }
  std::int64_t pool() const;
  bool is_opened() const;
  bool has_lent_elsewhere() const;
  Loan loan(Loan::Kind kind) const;
  std::int64_t share(std::int64_t want) const;
  void take_out(Loan& into, std::int64_t amount);
  void put_back(const Loan& loan);
  void lend(const Escrow::Ask& to, std::int64_t amount, bool is_short, bool is_dry);
  void lend_in_full(const Escrow::Ask& ask);
  void receive(const Loan& loan);
  Loan give_back(Timestamp at);
  void take_ask(const Escrow::Ask& ask);
  void take_back(std::uint16_t from, const Loan& back);
  void serve();
  void call_in(Timestamp at);
  void finish_round();

  Escrow& my_;
  Terms& terms_;
  std::uint16_t own_, home_, groups_;
  Out& out_;
  bool is_serving_ = false;
};

}  // namespace koi::core
