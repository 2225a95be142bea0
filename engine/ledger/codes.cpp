#include "ledger/codes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace koi::ledger {

namespace {

// A prime number of them: weights that differ then notice every wrong character and every exchange
// of two neighbours.
constexpr std::string_view letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
constexpr std::uint64_t base = letters.size();
static_assert(base == 31);

// Sum of position × value, with the check character's own weight of one.
std::uint64_t check_of(const std::vector<std::uint64_t>& digits) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) sum += (i + 2) * digits[i];
  return (base - sum % base) % base;
}

// What each place of a pattern counts in that sum, one after the other.
class Weights {
 public:
  explicit Weights(std::string_view pattern)
      : left_(std::count(pattern.begin(), pattern.end(), '#')) {}
  // Of a letter that the pattern says: nought.
  std::uint64_t at(char place) {
    if (place != '#') return 0;
    return --left_ > 0 ? next_++ : 1;
  }

 private:
  std::ptrdiff_t left_;
  std::uint64_t next_ = 2;
};

std::uint64_t round_of(Key key, int round, std::uint64_t half) {
  std::string bytes(1, static_cast<char>(round));
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(half >> (8 * i)));
  return siphash(key, bytes);
}
constexpr int rounds = 10;

char capital(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool is_filler(char c) { return c == '-' || c == ' '; }

}  // namespace

std::optional<CodePattern> CodePattern::read(std::string_view pattern) {
  const auto places = std::count(pattern.begin(), pattern.end(), '#');
  if (places < 4 || places > 13 || pattern.size() > 64) return std::nullopt;
  CodePattern made;
  made.pattern_ = pattern;
  made.capacity_ = 1;
  for (std::ptrdiff_t i = 1; i < places; ++i) made.capacity_ *= base;
  // The smallest square that holds them all.
  std::uint64_t too_small = 0;
  made.side_ = std::uint64_t{1} << 30;
  while (made.side_ - too_small > 1) {
    const std::uint64_t middle = (too_small + made.side_) / 2;
    (middle * middle < made.capacity_ ? too_small : made.side_) = middle;
  }
  return made;
}

std::uint64_t CodePattern::permute(Key key, std::uint64_t number) const {
  do {
    std::uint64_t left = number / side_, right = number % side_;
    for (int round = 0; round < rounds; ++round) {
      const std::uint64_t next = (left + round_of(key, round, right) % side_) % side_;
      left = right;
      right = next;
    }
    number = left * side_ + right;
  } while (number >= capacity_);
  return number;
}

std::uint64_t CodePattern::permute_back(Key key, std::uint64_t number) const {
  do {
    std::uint64_t left = number / side_, right = number % side_;
    for (int round = rounds; round-- > 0;) {
      const std::uint64_t before = (right + side_ - round_of(key, round, left) % side_) % side_;
      right = left;
      left = before;
    }
    number = left * side_ + right;
  } while (number >= capacity_);
  return number;
}

std::string CodePattern::code(Key key, std::uint64_t number) const {
  KOI_ASSERT(number < capacity_);
  std::uint64_t rest = permute(key, number);
  std::vector<std::uint64_t> digits(
      static_cast<std::size_t>(std::count(pattern_.begin(), pattern_.end(), '#') - 1));
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, rest /= base)
    *digit = rest % base;
  digits.push_back(check_of(digits));
  std::string text = pattern_;
  std::size_t at = 0;
  for (char& c : text)
    if (c == '#') c = letters[digits[at++]];
  return text;
}

std::optional<std::uint64_t> CodePattern::number(Key key, std::string_view code) const {
  std::vector<std::uint64_t> digits;
  auto c = code.begin();
  const auto skip = [&] {
    while (c != code.end() && is_filler(*c)) ++c;
  };
  for (const char wanted : pattern_) {
    if (is_filler(wanted)) continue;
    skip();
    if (c == code.end()) return std::nullopt;
    const char found = capital(*c++);
    if (wanted != '#') {
      if (found != capital(wanted)) return std::nullopt;
      continue;
    }
    const auto value = letters.find(found);
    if (value == std::string_view::npos) return std::nullopt;
    digits.push_back(value);
  }
  skip();
  if (c != code.end()) return std::nullopt;
  const std::uint64_t check = digits.back();
  digits.pop_back();
  if (check_of(digits) != check) return std::nullopt;
  std::uint64_t number = 0;
  for (const std::uint64_t digit : digits) number = number * base + digit;
  return permute_back(key, number);
}

bool CodePattern::could_make(std::string_view code) const {
  if (code.size() != pattern_.size()) return false;
  std::vector<std::uint64_t> digits;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (pattern_[i] != '#') {
      if (code[i] != pattern_[i]) return false;
      continue;
    }
    const auto value = letters.find(code[i]);
    if (value == std::string_view::npos) return false;
    digits.push_back(value);
  }
  const std::uint64_t check = digits.back();
  digits.pop_back();
  return check_of(digits) == check;
}

// Each pattern's check says that the sum of position × value over its places is nought, modulo 31:
// two equations, in which the places that both leave open are the unknowns.
bool CodePattern::could_make_same_as(const CodePattern& other) const {
  if (pattern_.size() != other.pattern_.size()) return false;
  Weights own_weights(pattern_), other_weights(other.pattern_);
  std::uint64_t own_sum = 0, other_sum = 0;  // of the places that the other one says
  std::vector<std::pair<std::uint64_t, std::uint64_t>> open;
  for (std::size_t i = 0; i < pattern_.size(); ++i) {
    const char own = pattern_[i], others = other.pattern_[i];
    if (own != '#' && others != '#') {
      if (own != others) return false;
      continue;
    }
    const std::uint64_t own_weight = own_weights.at(own), other_weight = other_weights.at(others);
    if (own == others) {
      open.emplace_back(own_weight, other_weight);
      continue;
    }
    const auto value = letters.find(own == '#' ? others : own);
    if (value == std::string_view::npos) return false;
    own_sum += own_weight * value;
    other_sum += other_weight * value;
  }
  if (open.empty()) return own_sum % base == 0 && other_sum % base == 0;
  // 31 is a prime and no weight a multiple of it: two equations that are no multiples of each other
  // have a solution, and of two that are, one has to say what the other says.
  const auto [own_first, other_first] = open.front();
  for (const auto& [own_weight, other_weight] : open)
    if (own_first * other_weight % base != other_first * own_weight % base) return true;
  return other_first * own_sum % base == own_first * other_sum % base;
}

bool may_be_uploaded(std::string_view code) {
  constexpr std::size_t longest = 64;
  constexpr std::string_view of_addresses = "/?#%\"\\<>";
  return !code.empty() && code.size() <= longest && code != "." && code != ".." &&
         std::all_of(code.begin(), code.end(), [&](char c) {
           return c > ' ' && c < 0x7f && of_addresses.find(c) == std::string_view::npos;
         });
}

}  // namespace koi::ledger
