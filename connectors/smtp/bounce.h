// What comes back of mail: reports on its delivery (RFC 3464) and on complaints about it (ARF,
// RFC 5965), as a mail server hands them over.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace koi::connectors {

struct Bounce {
  enum class What : std::uint8_t { Failed, Delivered, Complaint };
  What what = What::Failed;
  std::string person;  // whom the mail was for
  std::string status;  // "5.1.1" (RFC 3463); empty where none is given
  std::string
      mark;  // what stands before the @ of the mail's Message-ID; empty where it is not there
};

// Nothing where `mail` is no such report, or tells only that something is delayed.
std::vector<Bounce> bounces_in(std::string_view mail);

}  // namespace koi::connectors
