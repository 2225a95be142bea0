#include "serve/teller.h"

#include <chrono>
#include <optional>

#include "serve/log.h"

namespace koi::serve {

namespace {

constexpr auto between_tellings = std::chrono::milliseconds(100);
constexpr int tellings_between_drops = 6000;
constexpr Duration kept_in_timeline = days(90);
constexpr Duration links_lead = days(400);  // for so long after their message

}  // namespace

Teller::Teller(Deliveries& deliveries, store::Timeline& timeline, store::Sent& sent,
               const runtime::Clock& clock)
    : deliveries_(deliveries), timeline_(timeline), sent_(sent), clock_(clock), thread_([this] {
        run();
      }) {}

Teller::~Teller() {
  over_.because(std::nullopt);
  thread_.join();
  tell();
}

void Teller::run() {
  for (int turns = 0; !over_.wait_for(between_tellings); ++turns) {
    tell();
    if (turns % tellings_between_drops != 0) continue;
    for (const auto& dropped :
         {timeline_.drop(clock_.now() - kept_in_timeline), sent_.drop(clock_.now() - links_lead)})
      if (!dropped) log(channel::Level::Warning, dropped.error().what);
  }
}

void Teller::tell() {
  const auto told = deliveries_.tell(timeline_), saved = deliveries_.save(sent_);
  const auto& came = told ? saved : told;
  if (!came && !is_failing_) log(channel::Level::Warning, came.error().what);
  is_failing_ = !came;
}

}  // namespace koi::serve
