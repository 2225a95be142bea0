// Amounts of red packets, in minor units: at random with a mean, and a total split among friends.
// Integers throughout; the same chance gives the same amounts.
#pragma once

#include <cstdint>
#include <vector>

#include "ledger/chance.h"

namespace koi::ledger {

struct Bounds {
  std::int64_t from = 0, to = 0;  // both can be drawn
  std::int64_t mean = 0;          // from <= mean <= to
};

// Evenly below the mean or evenly above it: with probability (to - mean) / (to - from) one of
// from … mean, else one of mean … to. Either side's average is the middle of its side, and weighed
// so they make the mean exactly:
//   p (from + mean) / 2 + (1 - p) (mean + to) / 2 = mean   where   p from + (1 - p) to = mean.
std::int64_t random_amount(const Bounds& bounds, Chance& chance);

// The total in `shares` parts that differ by one unit at most; the larger ones stand first. Nothing
// is lost: they sum to the total. shares >= 1, total >= 0.
std::vector<std::int64_t> split_equally(std::int64_t total, std::size_t shares);

// Can the total be split so that everyone has the minimum?
bool can_split(std::int64_t total, std::size_t shares, std::int64_t at_least);

// By luck: everyone has the minimum, and of what is left above it each in turn is given evenly
// between nothing and twice the average of what is left for those who are still to come ("double
// mean", the rule by which WeChat's group packets are commonly described). The last has the rest.
// So the parts sum to the total, and each of them is worth the same before it is drawn: nobody is
// better off for being early. (A double mean that is no whole number is rounded up or down by
// chance, in proportion, which keeps that exact.) can_split() must hold.
std::vector<std::int64_t> split_by_luck(std::int64_t total, std::size_t shares,
                                        std::int64_t at_least, Chance& chance);

}  // namespace koi::ledger
