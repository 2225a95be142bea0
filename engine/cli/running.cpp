#include "cli/running.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <thread>
#include <utility>

#include "check/beside.h"
#include "core/accounts.h"
#include "ledger/codes.h"

namespace koi::cli {

ProgressBar::ProgressBar(const plan::Plan& plan)
    : plan_(plan), shown_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::draw(const runtime::Progress& progress) {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
  drawn_ = true;
  last_ = now;
  constexpr std::uint64_t width = 30;
  const std::uint64_t all = std::max<std::uint64_t>(progress.records_in_all, 1);
  const std::uint64_t done = std::min(progress.records * width / all, width);
  std::string bar;
  for (std::uint64_t i = 0; i < width; ++i) bar += i < done ? "█" : "░";
  std::fprintf(
      stderr, "\r\033[K%s %3llu%%  %s", bar.c_str(),
      static_cast<unsigned long long>(std::min<std::uint64_t>(progress.records * 100 / all, 100)),
      to_string(progress.clock, *plan_.policy.zone).c_str());
}

Result<Timestamp> instant_of(const std::string& option, const std::string& text, const Zone& zone) {
  std::optional<Timestamp> instant = parse_instant(text);
  if (const auto local = parse_local(text); !instant && local) instant = zone.instant(*local);
  if (const auto date = parse_date(text); !instant && date) instant = zone.instant({*date, {}});
  if (!instant)
    return Error{"usage", "`" + option + " " + text +
                              "` is no time; write it as 2026-11-11, \"2026-11-11 20:00\" or "
                              "2026-11-11T20:00:00+08:00"};
  if (*instant < earliest_accepted || *instant > latest_accepted)
    return Error{"usage", "`" + option + "` is not between the years 1970 and 2199"};
  return *instant;
}

unsigned threads_of(unsigned wanted) {
  return wanted != 0 ? wanted : std::clamp(std::thread::hardware_concurrency(), 1u, 64u);
}

Result<std::vector<runtime::RunOptions::Pool>> pools_of(const LoadedProgram& program,
                                                        const plan::Plan& plan) {
  const check::ReadBeside read = check::beside_on_disk(program.sources);
  std::vector<runtime::RunOptions::Pool> pools;
  for (const check::Incentive& incentive : program.program.incentives) {
    const auto* coupon = std::get_if<check::Coupon>(&incentive.what);
    if (coupon == nullptr || coupon->pool.empty()) continue;
    const auto text = read(incentive.span.source, coupon->pool);
    if (!text) {
      std::fprintf(stderr, "note: `%s` is not beside the rules: its pool is empty\n",
                   coupon->pool.c_str());
      continue;
    }
    runtime::RunOptions::Pool pool{coupon->pool, {}};
    std::istringstream lines(*text);
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (line.ends_with('\r')) line.pop_back();
      if (line.empty()) continue;
      if (!ledger::may_be_uploaded(line))
        return Error{"pool", "line " + std::to_string(number) + " of `" + coupon->pool +
                                 "` is no code: up to 64 visible characters of ASCII without "
                                 "/ ? # % \" \\ < >"};
      if (const plan::Incentive* const maker = core::maker_of(plan.incentives, line))
        return Error{"pool", "line " + std::to_string(number) + " of `" + coupon->pool +
                                 "` looks like a code that the coupon `" + maker->symbol.name +
                                 "` generates; have others made, or give that coupon a pattern "
                                 "with a beginning of its own"};
      pool.codes.push_back(std::move(line));
    }
    pools.push_back(std::move(pool));
  }
  return pools;
}

}  // namespace koi::cli
