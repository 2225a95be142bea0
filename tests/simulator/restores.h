// Restores: a backup of the simulated disk, taken piece by piece in the order in which
// serve::back_up() copies the files while everything goes on; then the loss of the disk, and what a
// restored deployment begins with.
#pragma once

#include <cstdint>

#include "chance.h"
#include "disk.h"

namespace koi::simulator {

class Restores {
 public:
  explicit Restores(Chance chance) : chance_(chance) {}

  enum class Step : std::uint8_t { None, Customers, Journal, Identifiers, Loss };
  // What of it happens now.
  Step next();
  // One of the pieces, in their order.
  void copy(Step piece, const Disk& disk);
  // The process is gone, and with it a backup that is not whole.
  void break_off();
  // The disk is a new one, with the backup on it. Between two processes.
  void put_back(Disk& disk);

  // From the loss on until somebody opens what was restored.
  bool is_held() const { return is_held_; }
  void open() { is_held_ = false; }
  std::uint64_t restores() const { return restores_; }

 private:
  Chance chance_;
  Step last_ = Step::None;  // of the backup at hand
  Disk::Copy files_;
  bool is_held_ = false;
  std::uint64_t restores_ = 0;
};

}  // namespace koi::simulator
