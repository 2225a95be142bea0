#include "serve/refusal.h"

#include <string>

#include "base/json.h"

namespace koi::serve {

net::Answer refused(int status, std::string_view code, std::string_view what) {
  net::Answer answer;
  answer.status = status;
  answer.body = R"({"error":)";
  append_json_string(answer.body, code);
  answer.body += R"(,"message":)";
  append_json_string(answer.body, what);
  answer.body += "}\n";
  return answer;
}

}  // namespace koi::serve
