// Use: of a statement that is kept from one use to the next.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace koi::store::detail {

// Resets the statement however its use ends, so that no read transaction stays open.
class Use {
 public:
  explicit Use(SQLite::Statement& statement) : statement_(statement) {}
  ~Use() { statement_.tryReset(); }
  Use(const Use&) = delete;

 private:
  SQLite::Statement& statement_;
};

}  // namespace koi::store::detail
