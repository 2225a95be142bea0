#include "serve/account_name.h"

#include "base/json.h"
#include "core/books.h"

namespace koi::serve {

using core::EscrowRow;

std::string account_name(const plan::Plan& plan, const EscrowRow& row) {
  switch (row.kind) {
    case EscrowRow::Kind::Budget: {
      std::string name = "a budget of former rules";
      for (const plan::Budget& each : plan.budgets)
        if (each.definition == row.definition) name = "`" + each.name + "`";
      if (row.begin != Timestamp::ever())
        name += " from " + to_string(row.begin, *plan.policy.zone);
      return name;
    }
    case EscrowRow::Kind::Limit: return "a limit for " + to_hex({row.value, 0}).substr(0, 16);
    case EscrowRow::Kind::Prize: return "the prize `" + row.prize + "` of `" + row.name + "`";
    case EscrowRow::Kind::Numbers: return "the codes of `" + row.name + "`";
    case EscrowRow::Kind::Pool: return "the pool `" + row.name + "`";
  }
  KOI_ASSERT(false);
}

std::string names_of_lacks(const plan::Plan& plan, const durable::Pause& pause) {
  std::string out = "[";
  for (const core::Lack& each : pause.lacks) {
    const auto row = core::escrow_row(core::books::key_of_escrow(each.account), {});
    out += out.size() > 1 ? "," : "";
    append_json_string(out, row ? account_name(plan, *row) : "an account");
  }
  return out + "]";
}

}  // namespace koi::serve
