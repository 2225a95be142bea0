// Watched: tells the crash watch, while it lives, what a group is stepping. Inside durable only.
#pragma once

#include <optional>

#include "durable/crash_watch.h"

namespace koi::durable {

class Watched {
 public:
  // `outer`: what is being stepped again when this is over; none: nothing is.
  Watched(CrashWatch* watch, store::Group group, store::SetAside what,
          std::optional<store::SetAside> outer = {})
      : watch_(watch), group_(group), outer_(outer) {
    if (watch_) watch_->stepping(group_, what);
  }
  ~Watched() {
    if (!watch_) return;
    if (outer_)
      watch_->stepping(group_, *outer_);
    else
      watch_->rests(group_);
  }
  Watched(const Watched&) = delete;

 private:
  CrashWatch* watch_;
  store::Group group_;
  std::optional<store::SetAside> outer_;
};

}  // namespace koi::durable
