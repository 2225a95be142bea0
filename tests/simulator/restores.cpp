#include "restores.h"

#include <string_view>

namespace koi::simulator {

namespace {

bool is_of(Restores::Step piece, std::string_view name) {
  switch (piece) {
    case Restores::Step::Customers: return name.starts_with("state-");
    case Restores::Step::Journal: return name.starts_with("journal.db");
    case Restores::Step::Identifiers: return name.starts_with("identifiers.db");
    default: return false;
  }
}

bool is_of_any(std::string_view name) {
  return is_of(Restores::Step::Customers, name) || is_of(Restores::Step::Journal, name) ||
         is_of(Restores::Step::Identifiers, name);
}

}  // namespace

Restores::Step Restores::next() {
  switch (last_) {
    case Step::None: return chance_.one_in(30) ? Step::Customers : Step::None;
    case Step::Customers: return chance_.one_in(6) ? Step::Journal : Step::None;
    case Step::Journal: return chance_.one_in(4) ? Step::Identifiers : Step::None;
    default: return chance_.one_in(30) ? Step::Loss : Step::None;
  }
}

void Restores::copy(Step piece, const Disk& disk) {
  if (piece == Step::Customers) files_.clear();
  files_.merge(disk.copy([&](std::string_view name) { return is_of(piece, name); }));
  last_ = piece;
}

void Restores::break_off() {
  if (last_ != Step::Identifiers) last_ = Step::None;
}

void Restores::put_back(Disk& disk) {
  disk.put_back(is_of_any, files_);
  last_ = Step::None;
  is_held_ = true;
  ++restores_;
}

}  // namespace koi::simulator
