// Codes of coupons and invitations: a pattern such as "NEW-########", in which each # is one of 31
// letters and digits (no 0 O, 1 I L, which look alike), the last # a check character: one that is
// misread (a 2 for a Z) makes no code.
//
// Code number n is n under a keyed permutation of all codes that the pattern has. So no two numbers
// give the same code, whatever the key and however many are issued, and without the key neither the
// next code nor a valid one can be told from the ones that are known. The permutation is a Feistel
// network (M. Luby, C. Rackoff: How to construct pseudorandom permutations from pseudorandom
// functions, 1988) of ten rounds over SipHash, walked until it is inside (J. Black, P. Rogaway:
// Ciphers with arbitrary finite domains, 2002).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/chance.h"

namespace koi::ledger {

// A code that somebody else made and may be uploaded: up to 64 visible characters of ASCII, but
// none that means something in an address.
bool may_be_uploaded(std::string_view code);

// Of the codes that lead to a person, not to a coupon: an invitation's, and a packet's that friends
// share. Long enough that a hash is as good as a number of its own, and cannot be guessed.
constexpr std::string_view pattern_of_links = "#############";

class CodePattern {
 public:
  // Nothing where the pattern has fewer than 4 or more than 13 of #, or is longer than 64 bytes.
  static std::optional<CodePattern> read(std::string_view pattern);

  // How many codes there are.
  std::uint64_t capacity() const { return capacity_; }
  // Of number < capacity().
  std::string code(Key key, std::uint64_t number) const;
  // The number behind a code; nothing where it is none of this pattern, or its check character is
  // wrong. Small letters are read as capitals, and blanks and hyphens do not matter.
  std::optional<std::uint64_t> number(Key key, std::string_view code) const;
  // Is it a code of this pattern to the letter, of whatever number under whatever key?
  bool could_make(std::string_view code) const;
  // Is there a code that could_make() says is of both? Keys and numbers are not asked: one of each
  // may come to be that code.
  bool could_make_same_as(const CodePattern& other) const;

 private:
  std::uint64_t permute(Key key, std::uint64_t number) const;
  std::uint64_t permute_back(Key key, std::uint64_t number) const;

  std::string pattern_;
  std::uint64_t capacity_ = 0;
  std::uint64_t side_ = 0;  // the network's square has this side
};

}  // namespace koi::ledger
