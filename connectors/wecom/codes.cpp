#include "wecom/codes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace koi::connectors {

using namespace channel;

namespace {
template <std::size_t n>
bool is_one_of(std::int64_t code, const std::array<int, n>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}
}  // namespace

bool is_of_wecom_token(std::int64_t code) {
  return is_one_of(code, std::array{40014, 42001, 41001});
}

bool is_of_wecom_tag(std::int64_t code) { return is_one_of(code, std::array{40068, 40071}); }

Outcome wecom_outcome(std::int64_t code) {
  static constexpr std::array of_person{40096, 84061, 41048, 60111, 40003, 81013, 82001, 40031};
  static constexpr std::array of_window{41049, 41050};
  static constexpr std::array of_request{45002, 40058, 40063, 41064, 41065, 40008, 44004};
  static constexpr std::array of_account{40001, 40013, 40091, 60020, 48002, 301002, 40056,
                                         60011, 84074, 60021, 40014, 42001, 41001};
  const std::string why = "it answered " + std::to_string(code);
  if (code == 0 || code == 41051) return Done{};  // 41051: they are talking already
  if (is_one_of(code, of_person)) return Refused{Failure::Unreachable, why};
  if (is_one_of(code, of_window)) return Refused{Failure::WindowClosed, why};
  if (is_one_of(code, of_request)) return Refused{Failure::BadContent, why};
  if (is_one_of(code, of_account)) return Refused{Failure::Credentials, why};
  if (code == 45009 || code == 45033) return Deferred{.throttled = true, .why = why};
  if (code == -1 || code == 41063 || code == 41096) return Deferred{.why = why};
  return Refused{Failure::BadContent, why};
}

std::optional<Failure> wecom_fate(std::int64_t status) {
  switch (status) {
    case 1: return Failure::None;
    case 2: return Failure::Unreachable;   // not a friend of the member any more
    case 3: return Failure::WindowClosed;  // has had another such message
    default: return std::nullopt;
  }
}

}  // namespace koi::connectors
