// Escrow: how groups share an account that has an end, without ever waiting for one another. An
// account is a budget, a limit by an attribute, the stock of a prize, the numbers of codes, the
// codes of a pool. Its home, one of the groups, lends parts of it; every group, the home too, takes
// from the part alone that it was lent: its slice. Who has too little asks the home; the home that
// has too little calls in what the others have not taken. Nothing else takes a slice back.
//
// What holds at every moment, over the records of all groups (Escrow, under `e` in books.h):
//   of an amount:      home.amount's account = home.free + Σ home.lent, and for each group
//                      lent[g] = its slice + Lends on the way to it + Backs (and Moveds) on the way
//   of a group:        what its customers have taken and counts now ≤ its slice, unless the rules
//                      have lowered the amount, or have given the account an end since
//   of numbers, codes: each is in one place: at home, in one group, on the way, or taken; lent[g]
//                      counts those that went there and have not come back
// So nobody ever takes more than there is, and what nobody has taken can be lent to whoever asks.
//
// This file has the plain values: what is kept, and what goes between groups. Lender (detail) moves
// them; Accounts knows what the accounts are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace koi {
class ByteReader;
class ByteWriter;
}  // namespace koi

namespace koi::core {

// Numbers from `from` on, `to` not among them.
struct Range {
  std::uint64_t from = 0, to = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

// A code of a pool, and its number in it.
struct PoolCode {
  std::uint64_t number = 0;
  std::string code;
  friend bool operator==(const PoolCode&, const PoolCode&) = default;
};

// What one group tells another about an account.
struct Loan {
  enum class Kind : std::uint8_t {
    Ask,     // holder to home: `amount` is wanted, under the number `ask`
    Lend,    // the answer: `amount` (ranges, codes) is the holder's
    CallIn,  // home to holder: give back what nobody has taken, as of `at`
    Back,    // the answer. Below zero: more is taken than the home knew
    Moved,   // a customer has taken so much along to `group`
  };
  Kind kind = Kind::Ask;
  std::string account;  // as Lack has it
  std::uint64_t ask = 0;
  std::int64_t amount = 0;
  // Of rolling accounts. Ask: when it is wanted; Lend, Back: it is good from then on.
  Timestamp at = Timestamp::ever();
  std::vector<Range> ranges;
  std::vector<PoolCode> codes;
  // Lend of a pool's codes: so many were ever uploaded. It may bring that alone, and no codes.
  std::int64_t left = 0;
  bool is_short = false;    // Lend: it is less than what was asked for, and all there was
  bool is_dry = false;      // beside that: and there never will be any, under these rules
  std::uint16_t group = 0;  // Moved: where to
  friend bool operator==(const Loan&, const Loan&) = default;
};
void write(ByteWriter& out, const Loan& loan);
bool read(ByteReader& in, Loan& loan);  // false: it is none

// What a turn would have needed of an account, and its group had not: it is undone.
struct Lack {
  std::string account;
  std::int64_t want = 0;
  Timestamp at = Timestamp::ever();
  std::uint64_t ask = 0;  // the number of the ask that includes it; 0: not asked yet
  // It was answered, with less than that: what is there now is all that there is for this turn.
  bool answered = false;
  friend bool operator==(const Lack&, const Lack&) = default;
};
void write(ByteWriter& out, const Lack& lack);
bool read(ByteReader& in, Lack& lack);

// The record of one account in one group. What stands in one is of no use without the rules.
struct Escrow {
  struct Ask {
    std::uint16_t group = 0;
    std::uint64_t number = 0;
    std::int64_t want = 0;
    Timestamp at = Timestamp::ever();
    friend bool operator==(const Ask&, const Ask&) = default;
  };
  // The period of a limit that all of this is of; an earlier one is over.
  Timestamp period = Timestamp::ever();

  // As of any group.
  std::uint64_t basis = 0;  // of the rules under which its slice was lent
  std::int64_t slice = 0;
  Timestamp from = Timestamp::ever();    // of rolling accounts: it is good from then on
  Timestamp latest = Timestamp::ever();  // and this is the latest that was asked for
  std::vector<Range> ranges;             // what its slice has of numbers, and of codes
  std::vector<PoolCode> codes;
  std::int64_t uploaded = 0;   // to the pool, as the home has said last: with each upload and Lend
  std::uint64_t asked = 0;     // the number of its last ask …
  bool is_open = false;        // … which is not answered
  std::int64_t next_want = 0;  // of the next one; 0: there is none
  Timestamp next_at = Timestamp::ever();
  std::int64_t dry = 0;  // where the account has this amount, nothing will ever be left; 0: unknown

  // As the home.
  std::uint64_t opened = 0;                 // the rules under which it knows what all groups have
  std::vector<std::int64_t> lent;           // to each group, itself too; empty: nothing yet
  Timestamp pool_from = Timestamp::ever();  // what is not lent is good from then on
  std::uint64_t next_number = 0;            // none from here on was ever lent
  std::vector<Range> pool_ranges;           // nor are those that came back
  std::vector<PoolCode> pool_codes;
  std::vector<Ask> waiting;             // first come, first served
  std::vector<std::uint16_t> awaited;   // who was called in and has not answered
  std::uint32_t covers = 0;             // so many of `waiting` are served with what comes back
  Timestamp round = Timestamp::ever();  // what comes back is good from then on

  friend bool operator==(const Escrow&, const Escrow&) = default;
};
std::string encode(const Escrow& escrow);          // empty where there is nothing to keep
Result<Escrow> escrow_of(std::string_view bytes);  // error "corrupt"; empty bytes are nothing

// Of a pool's codes, how many were given in the group whose record it is: those that came and are
// neither there nor back at home.
std::int64_t codes_given(const Escrow& pool);

// The account that a row of the books (`e`) is of, and what it says: for those who go over all.
struct EscrowRow {
  enum class Kind : std::uint8_t { Budget, Limit, Prize, Numbers, Pool };
  Kind kind = Kind::Budget;
  std::uint64_t definition = 0;         // of the budget, of the limit
  Timestamp begin = Timestamp::ever();  // of the budget's period
  std::uint64_t value = 0;              // of the limit: a hash of the attribute's value
  std::string name, prize;              // of the incentive or the pool; of a draw's prize
  std::string account;                  // what Lack and Loan call it; of a limit without period
  Escrow escrow;
};
Result<EscrowRow> escrow_row(std::string_view key, std::string_view bytes);  // error "corrupt"

// The group that lends an account of that name: `account` as EscrowRow has it.
std::uint16_t home_of(std::string_view account, std::uint16_t groups);

}  // namespace koi::core
