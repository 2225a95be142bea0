#include "smtp/pretend_server.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/ssl.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "base/scratch.h"
#include "quietly.h"

namespace koi::connectors {

using asio::ip::tcp;
using channel::Act;

namespace {

constexpr const char* password = "s3cret of the test";

// A key and a certificate that it signed itself, for 127.0.0.1, in PEM; made once.
struct Identity {
  std::string certificate, key;
  Scratch folder;
  const std::string file = (folder / "certificate.pem").string();
  Identity() {
    EVP_PKEY* const pair = EVP_EC_gen("P-256");
    X509* const x509 = X509_new();
    KOI_ASSERT(pair && x509);
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("pretend"), -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_set_pubkey(x509, pair);
    for (const auto& [id, text] : {std::pair{NID_subject_alt_name, "IP:127.0.0.1"},
                                   std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
      X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, text);
      KOI_ASSERT(extension);
      X509_add_ext(x509, extension, -1);
      X509_EXTENSION_free(extension);
    }
    KOI_ASSERT(X509_sign(x509, pair, EVP_sha256()) > 0);
    const auto text_of = [](auto write) {
      BIO* const bio = BIO_new(BIO_s_mem());
      KOI_ASSERT(write(bio) == 1);
      char* bytes = nullptr;
      const long size = BIO_get_mem_data(bio, &bytes);
      std::string text(bytes, static_cast<std::size_t>(size));
      BIO_free(bio);
      return text;
    };
    certificate = text_of([&](BIO* bio) { return PEM_write_bio_X509(bio, x509); });
    key = text_of([&](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, pair, nullptr, nullptr, 0, nullptr, nullptr);
    });
    X509_free(x509);
    EVP_PKEY_free(pair);
    std::ofstream(file) << certificate;
  }
};
const Identity& identity() {
  static const Identity made;
  return made;
}

std::string decoded(const std::string& base64) {
  std::string bytes(base64.size() / 4 * 3 + 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(base64.data()),
                                     static_cast<int>(base64.size()));
  if (length < 0) return {};
  bytes.resize(static_cast<std::size_t>(length));
  for (std::size_t i = base64.size(); i > 0 && base64[i - 1] == '='; --i) bytes.pop_back();
  return bytes;
}

std::string between(const std::string& line, char begin, char end) {
  const std::size_t from = line.find(begin), to = line.find(end, from);
  return to == std::string::npos ? std::string() : line.substr(from + 1, to - from - 1);
}

}  // namespace

struct PretendServer::State {
  State() : acceptor(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    const Identity& own = identity();
    tls.use_certificate(asio::buffer(own.certificate), asio::ssl::context::pem);
    tls.use_private_key(asio::buffer(own.key), asio::ssl::context::pem);
    port = acceptor.local_endpoint().port();
    asio::co_spawn(context, listen(), asio::detached);
    thread = std::thread([this] { context.run(); });
  }
  ~State() {
    context.stop();
    thread.join();
  }

  asio::awaitable<void> listen() {
    while (true) {
      auto [error, socket] = co_await acceptor.async_accept(quietly);
      if (error) co_return;
      {
        const std::lock_guard guard(mutex);
        ++connections;
      }
      asio::co_spawn(context, serve(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    if (!co_await say(socket, "220 pretend ESMTP")) co_return;
    if (!co_await talk(socket, false)) co_return;
    asio::ssl::stream<tcp::socket&> secured(socket, tls);
    auto [error] = co_await secured.async_handshake(asio::ssl::stream_base::server, quietly);
    if (!error) co_await talk(secured, true);
  }

  template <class Stream>
  asio::awaitable<bool> say(Stream& stream, std::string line) {
    line += "\r\n";
    auto [error, written] = co_await asio::async_write(stream, asio::buffer(line), quietly);
    co_return !error;
  }
  template <class Stream>
  asio::awaitable<std::string> hear(Stream& stream, std::string& buffer, std::string_view end) {
    auto [error, size] = co_await asio::async_read_until(
        stream, asio::dynamic_buffer(buffer, std::size_t{4} << 20), std::string(end), quietly);
    if (error) co_return std::string();
    std::string heard = buffer.substr(0, size);
    buffer.erase(0, size);
    co_return heard;
  }

  // The script's line for a command, or `usual`.
  std::string line_for(const std::string& command, std::string usual) {
    const std::lock_guard guard(mutex);
    const auto found = answers.find(command);
    return found == answers.end() ? std::move(usual) : found->second;
  }
  void complain(const std::string& what) {
    const std::lock_guard guard(mutex);
    wrong += what + "\n";
  }

  // True: TLS is to begin.
  template <class Stream>
  asio::awaitable<bool> talk(Stream& stream, bool secured) {
    std::string buffer;
    bool logged_in = false;
    Taken mail;
    enum { None, Mail, Recipient } so_far = None;
    while (true) {
      const std::string line = co_await hear(stream, buffer, "\r\n");
      if (line.empty()) co_return false;
      if (line.find('\n') != line.size() - 1) complain("a bare line feed in a command");
      const std::string command = line.substr(0, line.find_first_of(" :\r"));
      std::string reply;
      if (command == "EHLO") {
        const std::lock_guard guard(mutex);
        reply = "250-pretend\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n";
        if (!secured && starttls) reply += "250-STARTTLS\r\n";
        if (secured && auth) reply += "250-AUTH LOGIN PLAIN\r\n";
        reply += "250 ENHANCEDSTATUSCODES";
      } else if (command == "STARTTLS") {
        if (!buffer.empty()) complain("something was said before TLS began");
        if (!co_await say(stream, "220 2.0.0 go on")) co_return false;
        co_return true;
      } else if (command == "QUIT") {
        co_await say(stream, "221 2.0.0 bye");
        co_return false;
      } else if (command == "RSET") {
        so_far = None;
        reply = "250 2.0.0 OK";
      } else if (!secured) {
        complain(command + " without TLS");
        reply = "530 5.7.0 Must issue a STARTTLS command first";
      } else if (command == "AUTH") {
        std::string given = line.size() > 13 ? line.substr(11, line.size() - 13) : "";
        if (given.empty()) {
          if (!co_await say(stream, "334 ")) co_return false;
          given = co_await hear(stream, buffer, "\r\n");
          given.resize(given.size() - std::min<std::size_t>(2, given.size()));
        }
        using namespace std::string_literals;
        logged_in = decoded(given) == "\0koi\0"s + password;
        reply = line_for("AUTH", logged_in ? "235 2.7.0 welcome" : "535 5.7.8 who are you");
        logged_in = logged_in && reply.starts_with("235");
      } else if (!logged_in) {
        reply = "530 5.7.0 Authentication required";
      } else if (command == "MAIL" && so_far == None) {
        mail = {.from = between(line, '<', '>')};
        reply = line_for("MAIL", "250 2.1.0 OK");
        if (reply.starts_with("250")) so_far = Mail;
      } else if (command == "RCPT" && so_far == Mail) {
        mail.to = between(line, '<', '>');
        reply = line_for("RCPT", "250 2.1.5 OK");
        if (reply.starts_with("250")) so_far = Recipient;
      } else if (command == "DATA" && so_far == Recipient) {
        so_far = None;
        reply = line_for("DATA", "354 go on");
        if (reply.starts_with("354")) {
          if (!co_await say(stream, reply)) co_return false;
          std::string text = co_await hear(stream, buffer, "\r\n.\r\n");
          if (text.empty()) co_return false;
          take(mail, text);
          reply = line_for(".", "250 2.0.0 OK: queued as 1");
        }
      } else {
        reply = "503 5.5.1 bad sequence of commands";
      }
      if (reply.starts_with("late ")) {
        asio::steady_timer timer(context, std::chrono::milliseconds(2500));
        co_await timer.async_wait(quietly);
        reply.erase(0, 5);
      }
      if (reply == "silence") {  // it never answers
        asio::steady_timer timer(context, std::chrono::hours(1));
        co_await timer.async_wait(quietly);
      }
      while (reply == "slow") {  // its answer has no end
        if (!co_await say(stream, "250-and")) co_return false;
        asio::steady_timer timer(context, std::chrono::milliseconds(30));
        co_await timer.async_wait(quietly);
      }
      if (reply == "broken") {  // it is gone in the middle of it
        co_await asio::async_write(stream, asio::buffer("25", 2), quietly);
        co_return false;
      }
      if (reply.empty() || !co_await say(stream, reply)) co_return false;
      if (reply.starts_with("421")) co_return false;
    }
  }

  void take(Taken mail, std::string text) {
    text.resize(text.size() - 3);  // the dot
    std::string plain;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find("\r\n", at);
      std::string_view line = std::string_view(text).substr(at, end - at);
      if (line.size() > 998) complain("a line of more than 998 bytes");
      if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
        complain("a line with a bare CR, LF or NUL in it");
      if (line.starts_with('.')) line.remove_prefix(1);
      plain.append(line).append("\r\n");
      at = end + 2;
    }
    mail.message = std::move(plain);
    const std::lock_guard guard(mutex);
    const auto refuses = answers.find(".");
    if (refuses == answers.end() || refuses->second.empty() || refuses->second[0] < '4' ||
        refuses->second[0] > '5')
      taken.push_back(std::move(mail));
  }

  asio::io_context context;
  asio::ssl::context tls{asio::ssl::context::tls_server};
  tcp::acceptor acceptor;
  std::uint16_t port = 0;
  mutable std::mutex mutex;
  std::map<std::string, std::string> answers;
  bool starttls = true, auth = true, reachable = true, soon_over = false;
  std::size_t connections = 0;
  std::vector<Taken> taken;
  std::string wrong;
  std::thread thread;
};

PretendServer::PretendServer() : state_(std::make_unique<State>()) {
  setenv("KOI_TEST_SMTP_PASSWORD", password, 1);
  setenv("KOI_TEST_UNSUBSCRIBE", "unsubscribe-secret-of-the-test", 1);
}
PretendServer::~PretendServer() = default;

std::vector<Act> PretendServer::acts() const {
  return {Act::Accept,   Act::Refuse, Act::Busy,   Act::Silent,     Act::HangUp,
          Act::Nonsense, Act::Slow,   Act::Broken, Act::Unreachable};
}

channel::Given PretendServer::settings() const {
  const std::lock_guard guard(state_->mutex);
  return {{"host", "127.0.0.1"},
          {"port", state_->reachable ? std::int64_t{state_->port} : std::int64_t{1}},
          {"ca_file", identity().file},
          {"user", "koi"},
          {"password", "env:KOI_TEST_SMTP_PASSWORD"},
          {"from", "news@shop.example"},
          {"from_name", "小店 Shop"},
          {"unsubscribe_url", "https://shop.example/leave?c={customer}&t={token}"},
          {"unsubscribe_secret", "env:KOI_TEST_UNSUBSCRIBE"},
          {"answer_within", state_->soon_over ? "1500ms" : "20s"}};
}

std::vector<std::string> PretendServer::secrets() const {
  return {password, "unsubscribe-secret-of-the-test"};
}

void PretendServer::next(Act act) {
  const std::lock_guard guard(state_->mutex);
  state_->answers.clear();
  state_->reachable = act != Act::Unreachable;
  state_->soon_over = act == Act::Silent || act == Act::Nonsense || act == Act::Slow;
  if (act == Act::Refuse) state_->answers["RCPT"] = "550 5.1.1 no such user here";
  if (act == Act::Busy) state_->answers["RCPT"] = "450 4.3.2 not now";
  if (act == Act::Silent) state_->answers["."] = "silence";
  if (act == Act::HangUp) state_->answers["."] = "";
  if (act == Act::Nonsense) state_->answers["."] = "<html>";
  if (act == Act::Slow) state_->answers["."] = "slow";
  if (act == Act::Broken) state_->answers["."] = "broken";
}

std::vector<Failure> PretendServer::refusals() const {
  return {Failure::Unreachable, Failure::BadContent, Failure::Quota, Failure::Credentials};
}

void PretendServer::refuse_next(Failure failure) {
  next(Act::Accept);
  if (failure == Failure::Unreachable) answer("RCPT", "553 5.1.2 no such domain");
  if (failure == Failure::BadContent) answer(".", "552 5.3.4 too long");
  if (failure == Failure::Quota) answer("MAIL", "550 5.4.5 enough for today");
  if (failure == Failure::Credentials) answer("MAIL", "550 5.7.60 not as him");
}

void PretendServer::answer(std::string command, std::string line) {
  const std::lock_guard guard(state_->mutex);
  state_->answers.insert_or_assign(std::move(command), std::move(line));
}

void PretendServer::offer(bool starttls, bool auth) {
  const std::lock_guard guard(state_->mutex);
  state_->starttls = starttls;
  state_->auth = auth;
}

std::vector<std::string> PretendServer::accepted() const {
  std::vector<std::string> keys;
  for (const Taken& mail : taken()) {
    const std::size_t at = mail.message.find("\r\nMessage-ID: <");
    keys.push_back(at == std::string::npos ? "" : mail.message.substr(at + 15, 32));
  }
  return keys;
}

std::size_t PretendServer::effects(const std::string& key) const {
  const auto keys = accepted();
  return static_cast<std::size_t>(std::count(keys.begin(), keys.end(), key));
}

std::vector<PretendServer::Taken> PretendServer::taken() const {
  const std::lock_guard guard(state_->mutex);
  return state_->taken;
}

std::size_t PretendServer::connections() const {
  const std::lock_guard guard(state_->mutex);
  return state_->connections;
}

std::string PretendServer::wrong() const {
  const std::lock_guard guard(state_->mutex);
  return state_->wrong;
}

}  // namespace koi::connectors
