#include "core/periods.h"

#include <algorithm>

#include "core/accounts.h"
#include "core/calendar.h"

namespace koi::core {

namespace {

Duration slice_of(const plan::Per& per) {
  const Duration shortest = days(28 * std::int64_t{per.span.months}) + per.span.fixed;
  return std::max(seconds(1), Duration{shortest.us / 100});
}

}  // namespace

Timestamp pot_begin(const plan::Per& per, Timestamp now, const Zone& zone) {
  if (per.kind != plan::Per::Kind::Rolling) return begin_of(per, now, zone);
  const std::int64_t length = slice_of(per).us;
  const std::int64_t within = now.us % length;
  return {now.us - (within < 0 ? within + length : within)};
}

std::vector<Timestamp> pots_at(const plan::Per& per, Timestamp now, const Zone& zone) {
  const Timestamp here = pot_begin(per, now, zone);
  std::vector<Timestamp> begins{here};
  if (per.kind != plan::Per::Kind::Rolling) return begins;
  const Duration slice = slice_of(per);
  for (Timestamp begin = here - slice; add(begin + slice, per.span, zone) > now;
       begin = begin - slice)
    begins.push_back(begin);
  const Timestamp end = add(now, per.span, zone);
  for (Timestamp begin = here + slice; begin < end; begin = begin + slice) begins.push_back(begin);
  return begins;
}

}  // namespace koi::core
