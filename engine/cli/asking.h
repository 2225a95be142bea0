// Asking: a question about a customer to a running server, and its answer for people.
#pragma once

#include <string>

namespace koi::cli {

struct Asking {
  std::string customer, campaign, message;  // of these two one, or none: all campaigns
  std::string at;                           // an instant; empty: now
  std::string server = "http://127.0.0.1:8700", token_file;
};

// Prints the answer, JSON indented for reading; gives the exit status.
int ask(const Asking& asking);

}  // namespace koi::cli
