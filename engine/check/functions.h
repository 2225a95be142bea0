// The functions and the aggregates of the language as tables, from which the checker and the
// reference (`koi docs`) are fed.
#pragma once

#include <span>
#include <string_view>

#include "check/program.h"
#include "lang/ast.h"

namespace koi::check {

struct Function {
  std::string_view name;  // in English; the Chinese one is a built-in word (keywords.def)
  Op op;
  std::string_view takes;
  std::string_view gives;
  std::string_view means;
  std::string_view example;
};
std::span<const Function> functions();
const Function* find_function(std::string_view name);  // or null

struct AggregateForm {
  lang::ast::Aggregate written;
  Aggregate aggregate;
  std::string_view words;  // in English
  bool needs_field;        // `sum purchase.amount`; else it takes the event alone
  std::string_view gives;
};
std::span<const AggregateForm> aggregates();
const AggregateForm& form_of(lang::ast::Aggregate aggregate);

}  // namespace koi::check
