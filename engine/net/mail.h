// E-mail submission (RFC 6409, RFC 5321): one message to one recipient at a time, over STARTTLS or
// TLS, with AUTH, by libcurl. libcurl waits for the answer to a message's end inside one call, on
// its multi interface too; so each connection has a thread of its own, and the executor's thread
// never waits. A mailer belongs to the one thread that runs its executor.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace koi::net {

struct MailerSettings {
  enum class Security : std::uint8_t {
    StartTls,  // the connection begins plain and must become TLS before anything is said
    Tls,
    None,
  };
  std::string host;
  std::uint16_t port = 587;
  Security security = Security::StartTls;
  std::string user, password;  // of AUTH; no user: none
  std::string hello;           // the name by which we greet; empty: this machine's
  std::string ca_file;         // PEM of the authorities to trust; empty: the system's
  std::size_t connections = 8;
  Duration connect_within = seconds(10);
  Duration answer_within = seconds(60);  // the whole exchange, connecting included
};

struct Mail {
  std::string from, to;  // the envelope's, without <>; `from` may be empty
  std::string message;   // its lines end with CR LF, and it holds no other CR or LF and no NUL
};

// What the server said to the last thing that it was told.
struct MailAnswer {
  enum class To : std::uint8_t { Greeting, Login, Sender, Recipient, Message };

  bool taken = false;  // the message is the server's now
  To to = To::Greeting;
  int code = 0;          // "550"
  std::string enhanced;  // "5.1.1" (RFC 3463); empty where it gave none
};

class Mailer {
 public:
  Mailer(asio::any_io_executor executor, MailerSettings settings);
  // What is under way ends with an error. May take a second or two: as long as libcurl needs to
  // notice.
  ~Mailer();
  Mailer(const Mailer&) = delete;
  Mailer& operator=(const Mailer&) = delete;

  // Errors: "unsent", where the message surely was not taken (no such host, refused, cancelled or
  // timed out before its end was sent); "unanswered", where it may have been; "security", where the
  // server does not offer the TLS that is asked for; "login", where it offers no way to log in that
  // is known here. Their words hold host and cause, never an address nor a text. Cancelling the
  // coroutine ends it at once, with "unsent" or "unanswered".
  asio::awaitable<Result<MailAnswer>> send(Mail mail);

 private:
  class Pool;
  std::shared_ptr<Pool> pool_;
};

}  // namespace koi::net
