// Bundle: what a command is given as a program, as the one file `.koib` or as sources, and the keys
// beside it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/source.h"
#include "cli/program.h"
#include "deploy/package.h"

namespace koi::cli {

// Does the path name a package?
bool is_package(const std::string& path);
// Errors: "unreadable", and those of deploy::decode_package.
Result<deploy::Package> read_package(const std::string& path);
// Errors: "unreadable", "keys".
Result<deploy::KeyRing> read_keys(const std::string& path);
// A whole small file. Error "unreadable".
Result<std::string> read_text(const std::string& path);

// The first line of the file; without one what the environment has as KOI_TOKEN, or nothing. Error
// "token".
Result<std::string> read_token(const std::string& file);

// The files' names under the folder that all of them share, by source: where that lies is no part
// of the program.
std::vector<std::string> names_of(const std::vector<Source>& sources);
// The files by these names, and those that its audiences come from, in the order of their names.
std::vector<deploy::Bundle::File> files_of(const LoadedProgram& program);

}  // namespace koi::cli
