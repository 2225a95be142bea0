#include "wechat_official/codes.h"

#include <array>
#include <optional>
#include <string>

namespace koi::connectors {

using namespace channel;

namespace {

enum class Class : std::uint8_t { Person, Window, Bad, Account, Quota, Slower, Later };

struct Row {
  std::int64_t code;
  Class what;
};
constexpr std::array rows{
    Row{40003, Class::Person},   // no such openid
    Row{40031, Class::Person},   //
    Row{46004, Class::Person},   // no such user
    Row{43004, Class::Person},   // must follow
    Row{50005, Class::Person},   // does not follow
    Row{43101, Class::Person},   // has refused, or has had what he subscribed to
    Row{43019, Class::Person},   // on our own black list
    Row{48002, Class::Person},   // has switched messages off
    Row{49003, Class::Person},   // follows another account
    Row{45015, Class::Window},   // 48 hours, or a minute, are over
    Row{45047, Class::Window},   // so many are sent
    Row{43117, Class::Window},   // so many for this person
    Row{45028, Class::Quota},    // mass sends
    Row{45009, Class::Quota},    // calls a day
    Row{45040, Class::Quota},    //
    Row{45011, Class::Slower},   //
    Row{45066, Class::Slower},   //
    Row{45067, Class::Bad},      // client_msg_id is too long
    Row{40036, Class::Bad},      // template
    Row{40037, Class::Bad},      //
    Row{47003, Class::Bad},      // the template's values
    Row{41030, Class::Bad},      // page
    Row{40165, Class::Bad},      // mini-program
    Row{40166, Class::Bad},      //
    Row{45002, Class::Bad},      // too long
    Row{45003, Class::Bad},      //
    Row{45004, Class::Bad},      //
    Row{45005, Class::Bad},      //
    Row{45008, Class::Bad},      //
    Row{45012, Class::Bad},      //
    Row{45013, Class::Bad},      //
    Row{45014, Class::Bad},      //
    Row{47001, Class::Bad},      // JSON
    Row{40033, Class::Bad},      // characters
    Row{40035, Class::Bad},      //
    Row{40038, Class::Bad},      //
    Row{44002, Class::Bad},      // empty
    Row{44003, Class::Bad},      //
    Row{44004, Class::Bad},      //
    Row{45168, Class::Bad},      // words that may not be sent
    Row{45056, Class::Bad},      // tags: there are as many as there may be
    Row{45158, Class::Bad},      // its name is too long
    Row{45059, Class::Bad},      // he has as many as he may
    Row{45058, Class::Bad},      // it is one of the platform's
    Row{40164, Class::Account},  // our address is not on the list
    Row{40013, Class::Account},  // app_id
    Row{40125, Class::Account},  // app_secret
    Row{40243, Class::Account},  // app_secret is frozen
    Row{89501, Class::Account},  // our address must be confirmed
    Row{89503, Class::Account},  //
    Row{43102, Class::Account},  // kind of template
    Row{43104, Class::Account},  // no permission
    Row{43106, Class::Account},  //
    Row{43107, Class::Account},  //
    Row{48001, Class::Account},  //
    Row{48004, Class::Account},  // banned
    Row{48008, Class::Account},  //
    Row{50001, Class::Account},  //
    Row{50002, Class::Account},  // the account is limited
    Row{-1, Class::Later},       // the system is busy
};

std::optional<Class> class_of(std::int64_t code) {
  for (const Row& row : rows)
    if (row.code == code) return row.what;
  return std::nullopt;
}

}  // namespace

bool is_of_token(std::int64_t code) {
  return code == 40001 || code == 40014 || code == 42001 || code == 41001;
}

bool is_of_tag(std::int64_t code) { return code == 45159 || code == 45157; }

Outcome wechat_outcome(std::int64_t code) {
  constexpr std::int64_t seen_before = 45065;  // under this client_msg_id
  if (code == 0 || code == seen_before) return Done{};
  const std::string why = "it answered " + std::to_string(code);
  if (is_of_token(code)) return Refused{Failure::Credentials, why + " to a new token"};
  // An error that is new: it says that the message was not taken, and not why.
  switch (class_of(code).value_or(Class::Bad)) {
    case Class::Person: return Refused{Failure::Unreachable, why};
    case Class::Window: return Refused{Failure::WindowClosed, why};
    case Class::Bad: return Refused{Failure::BadContent, why};
    case Class::Account: return Refused{Failure::Credentials, why};
    case Class::Quota: return Refused{Failure::Quota, why};
    case Class::Slower: return Deferred{.throttled = true, .why = why};
    case Class::Later: return Deferred{.why = why};
  }
  KOI_ASSERT(false);
}

Outcome wechat_token_outcome(std::int64_t code) {
  const std::string why = "asked for a token, it answered " + std::to_string(code);
  switch (class_of(code).value_or(Class::Account)) {
    case Class::Quota: return Refused{Failure::Quota, why};
    case Class::Slower: return Deferred{.throttled = true, .why = why};
    case Class::Later: return Deferred{.why = why};
    default: return Refused{Failure::Credentials, why};
  }
}

}  // namespace koi::connectors
