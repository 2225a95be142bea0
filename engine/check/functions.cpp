#include "check/functions.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace koi::check {

std::span<const Function> functions() {
  static constexpr std::array all{
      Function{"days", Op::Days, "a duration", "int", "whole days, rounded down",
               "days(time since last purchase)"},
      Function{"hours", Op::Hours, "a duration", "int", "whole hours, rounded down",
               "hours(time since last purchase)"},
      Function{"round", Op::Round, "a number or money", "int, or money",
               "to the nearest whole number or whole unit of money, a half away from zero",
               "round(spend_90d)"},
      Function{"floor", Op::Floor, "a number or money", "int, or money",
               "down to the whole number or whole unit of money", "floor(spend_90d / 3)"},
      Function{"length", Op::Length, "a text or a list", "int",
               "how many characters, or how many values", "length(customer.name)"},
      Function{"lower", Op::Lower, "a text", "text", "A to Z in small letters",
               "lower(customer.city)"},
  };
  return all;
}

const Function* find_function(std::string_view name) {
  const auto found = std::find_if(functions().begin(), functions().end(),
                                  [&](const Function& each) { return each.name == name; });
  return found == functions().end() ? nullptr : &*found;
}

std::span<const AggregateForm> aggregates() {
  using Written = lang::ast::Aggregate;
  static constexpr std::array all{
      AggregateForm{Written::Count, Aggregate::Count, "count", false, "int: how many events"},
      AggregateForm{Written::Sum, Aggregate::Sum, "sum", true, "the sum of the field's values"},
      AggregateForm{Written::Average, Aggregate::Average, "average", true,
                    "the average of the field's values, rounded half to even; missing of none"},
      AggregateForm{Written::Min, Aggregate::Min, "min", true, "the least value; missing of none"},
      AggregateForm{Written::Max, Aggregate::Max, "max", true,
                    "the greatest value; missing of none"},
      AggregateForm{Written::First, Aggregate::First, "first", true,
                    "the value of the earliest event"},
      AggregateForm{Written::Last, Aggregate::Last, "last", true, "the value of the latest event"},
      AggregateForm{Written::Distinct, Aggregate::Distinct, "distinct", true,
                    "int: how many different values"},
      AggregateForm{Written::TimeSinceLast, Aggregate::TimeSinceLast, "time since last", false,
                    "duration: since the latest event; missing before the first"},
      AggregateForm{Written::StreakOfDays, Aggregate::Streak, "streak of days with", false,
                    "int: consecutive days up to today, or yesterday if there is none yet today"},
      AggregateForm{Written::Ever, Aggregate::Ever, "ever", false,
                    "bool: whether there was an event"},
      AggregateForm{Written::Never, Aggregate::Never, "never", false,
                    "bool: whether there was none"},
      AggregateForm{Written::MostFrequent, Aggregate::MostFrequent, "most frequent", true,
                    "the value that came most often; of equals the latest"},
      AggregateForm{Written::Values, Aggregate::Values, "values", true,
                    "the different values as a list, newest first, at most 100"},
  };
  return all;
}

const AggregateForm& form_of(lang::ast::Aggregate aggregate) {
  const auto found =
      std::find_if(aggregates().begin(), aggregates().end(),
                   [&](const AggregateForm& each) { return each.written == aggregate; });
  KOI_ASSERT(found != aggregates().end());
  return *found;
}

}  // namespace koi::check
