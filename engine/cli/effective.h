// `koi check --effective`: each campaign with all that decides about it, and what a program keeps
// for each customer.
#pragma once

#include <string>

#include "cli/program.h"

namespace koi::cli {

// For people. The program must have no errors.
std::string effective(const LoadedProgram& program, Language language);

}  // namespace koi::cli
