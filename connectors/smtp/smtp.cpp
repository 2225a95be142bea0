// Smtp: each delivery as an e-mail, handed to a submission server (RFC 6409). SMTP knows no key: an
// attempt whose outcome is unknown is not repeated, and the Message-ID, which is made of the key,
// is how a person finds what became of it.

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/hash.h"
#include "base/html.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/delivery_json.h"
#include "channel/push_crypt.h"
#include "net/mail.h"
#include "smtp/bounce.h"
#include "smtp/message.h"
#include "smtp/reply.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array<std::string_view, 3> securities{"starttls", "tls", "none"};
constexpr std::array settings{
    Setting{.name = "host",
            .kind = Setting::Kind::Text,
            .help = "The submission server: a name or an address."},
    Setting{.name = "port",
            .kind = Setting::Kind::Number,
            .help = "Its port: 587 with STARTTLS, 465 with TLS from the first byte.",
            .otherwise = "587",
            .least = 1,
            .most = 65535},
    Setting{.name = "security",
            .kind = Setting::Kind::Text,
            .help = "How the connection is protected; without it nobody logs in over a network.",
            .otherwise = "starttls",
            .choices = securities},
    Setting{.name = "ca_file",
            .kind = Setting::Kind::Path,
            .help = "Authorities to trust for this server, in PEM; else those of `http`.",
            .optional = true},
    Setting{.name = "user",
            .kind = Setting::Kind::Text,
            .help = "Who logs in; without it nobody does.",
            .optional = true},
    Setting{
        .name = "password", .kind = Setting::Kind::Secret, .help = "The user's.", .optional = true},
    Setting{.name = "hello",
            .kind = Setting::Kind::Text,
            .help = "The name by which the server is greeted; else this machine's.",
            .optional = true},
    Setting{.name = "from",
            .kind = Setting::Kind::Text,
            .help = "The address that messages come from."},
    Setting{.name = "from_name",
            .kind = Setting::Kind::Text,
            .help = "The name shown with it.",
            .optional = true},
    Setting{.name = "reply_to",
            .kind = Setting::Kind::Text,
            .help = "Where answers go; else to `from`.",
            .optional = true},
    Setting{.name = "bounce_to",
            .kind = Setting::Kind::Text,
            .help = "Where what cannot be delivered goes back to, such as "
                    "`bounce+{key}@example.com`; else to `from`.",
            .optional = true},
    Setting{.name = "bounce_secret",
            .kind = Setting::Kind::Secret,
            .help = "Marks each message, so that what comes back is believed; 16 bytes or more.",
            .optional = true},
    Setting{.name = "bounces",
            .kind = Setting::Kind::Path,
            .help = "The Maildir in which what comes back arrives; needs `bounce_secret`.",
            .optional = true},
    Setting{.name = "look_every",
            .kind = Setting::Kind::Duration,
            .help = "How often `bounces` is looked into.",
            .otherwise = "30s",
            .least = 100'000,
            .most = 3'600'000'000},
    Setting{.name = "callback_token",
            .kind = Setting::Kind::Secret,
            .help = "Lets who knows it post what comes back, as `?token=`; needs `bounce_secret`.",
            .optional = true},
    Setting{.name = "unsubscribe_url",
            .kind = Setting::Kind::Url,
            .help = "Where a reader leaves by one click (RFC 8058), with `{token}`, `{customer}`, "
                    "`{channel}`, `{campaign}` or `{key}` in it; else Koi's own, where it has a "
                    "`public_url`.",
            .optional = true},
    Setting{.name = "unsubscribe_secret",
            .kind = Setting::Kind::Secret,
            .help = "Makes `{token}`, which nobody can guess, of customer and channel.",
            .optional = true},
    Setting{.name = "page",
            .kind = Setting::Kind::Path,
            .help = "The HTML part: a file with `{title}`, `{body}`, `{link}` and `{unsubscribe}` "
                    "in it; else one is made of the text.",
            .optional = true},
    Setting{.name = "connect_within",
            .kind = Setting::Kind::Duration,
            .help = "How long connecting and logging in may take.",
            .otherwise = "10s",
            .least = 10'000,
            .most = 60'000'000},
    Setting{.name = "answer_within",
            .kind = Setting::Kind::Duration,
            .help = "How long the whole exchange may take.",
            .otherwise = "1m",
            .least = 10'000,
            .most = 110'000'000},
};

constexpr std::uint32_t connections = 8;
constexpr std::size_t most_mails = 100, longest_bounce = std::size_t{256} << 10;  // at a look

// `text` with each `{name}` replaced; what is put in is not looked at again.
using Values = std::vector<std::pair<std::string_view, std::string>>;
std::string filled(std::string_view text, const Values& values) {
  std::string out;
  while (!text.empty()) {
    const std::size_t brace = std::min(text.find('{'), text.size());
    out += text.substr(0, brace);
    text.remove_prefix(brace);
    bool known = false;
    for (const auto& [name, value] : values) {
      if (known || !text.starts_with(name)) continue;
      out += value;
      text.remove_prefix(name.size());
      known = true;
    }
    if (known || text.empty()) continue;
    out += text.front();
    text.remove_prefix(1);
  }
  return out;
}

// The beginning of an HMAC-SHA256, in hexadecimal.
std::string hmac_of(const Secret& secret, const std::string& bytes, std::size_t count) {
  return hex_of(hmac_sha256(secret.reveal(), bytes).substr(0, count));
}

std::string token_of(const Secret& secret, const Delivery& delivery) {
  return hmac_of(
      secret,
      HashInput().text("unsubscribe").text(delivery.customer).text(delivery.channel).bytes(), 16);
}

std::string in_small_letters(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

Outcome came_of(const Result<net::MailAnswer>& answer, std::uint32_t attempt) {
  if (answer) return outcome_of(*answer, attempt);
  const Error& error = answer.error();
  if (error.code == "unsent") return Deferred{.why = error.what};
  if (error.code == "unanswered") return Unknown{error.what};
  return Refused{Failure::Credentials, error.what};  // of security and of logging in
}

class Smtp final : public Connector {
 public:
  Smtp(const Settings& given, std::string page, net::MailerSettings mailer, Tools tools)
      : tools_(std::move(tools)),
        given_(given),
        page_(std::move(page)),
        mailer_(tools_.executor, std::move(mailer)) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    if (delivery.addresses.empty()) co_return Refused{Failure::Unreachable, "it has no address"};
    net::Mail mail;
    mail.to = delivery.addresses[0].value;
    if (!is_mail_address(mail.to))
      co_return Refused{Failure::Unreachable, "its address is none that plain SMTP carries"};
    const std::string key = marked(to_hex(delivery.key), mail.to);
    mail.from = filled(text_or("bounce_to", given_.text("from")), {{"{key}", key}});

    Letter letter;
    letter.id = key;
    letter.from = given_.text("from");
    letter.from_name = text_or("from_name", "");
    letter.reply_to = text_or("reply_to", "");
    letter.to = mail.to;
    letter.date = tools_.now();
    letter.subject = delivery.title;
    letter.text = delivery.body;
    if (!delivery.link.empty()) letter.text += (letter.text.empty() ? "" : "\n\n") + delivery.link;
    letter.unsubscribe = unsubscribe_of(delivery);
    if (letter.unsubscribe.size() > 900)
      co_return Refused{Failure::BadContent, "the address to unsubscribe is longer than 900 bytes"};
    letter.html = with_mark(html_of(delivery, letter.unsubscribe), delivery.opened_mark);
    mail.message = message_of(letter);
    co_return came_of(co_await mailer_.send(std::move(mail)), delivery.attempt);
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    if (!given_.has("callback_token")) co_return answered(404, "there is no `callback_token`");
    const net::Headers query = net::query_of(asked.query);
    const std::string* const token = net::find(query, "token");
    if (!token || !is_same_secret(*token, given_.secret("callback_token").reveal()))
      co_return answered(403, "the token is wrong");
    Received received = answered(200, "taken\n");
    take(asked.body, received);
    co_return received;
  }

  Duration look_every() const override {
    return given_.has("bounces") ? given_.duration("look_every") : Duration{};
  }

  // New mail of the Maildir; what was kept moves to those that are seen
  // (https://cr.yp.to/proto/maildir.html).
  asio::awaitable<Received> look() override {
    namespace fs = std::filesystem;
    const fs::path folder = given_.text("bounces");
    std::vector<std::string> names;
    std::error_code fault;
    for (fs::directory_iterator each(folder / "new", fault), end; !fault && each != end;
         each.increment(fault))
      if (each->is_regular_file(fault)) names.push_back(each->path().filename().string());
    if (fault) tools_.log(Level::Warning, "smtp: `bounces` cannot be read: " + fault.message());
    std::sort(names.begin(), names.end());
    if (names.size() > most_mails) names.resize(most_mails);
    Received received;
    for (const std::string& name : names) {
      std::ifstream file(folder / "new" / name, std::ios::binary);
      std::string mail(longest_bounce, '\0');
      file.read(mail.data(), static_cast<std::streamsize>(mail.size()));
      mail.resize(static_cast<std::size_t>(file.gcount()));
      take(mail, received);
    }
    received.kept = [folder, names] {
      std::error_code ignored;  // what cannot be moved is told again, and changes nothing
      for (const std::string& name : names)
        fs::rename(folder / "new" / name,
                   folder / "cur" / (name.substr(0, name.find(":2,")) + ":2,S"), ignored);
    };
    co_return received;
  }

 private:
  // The key and, where there is a secret, what proves that it was we who wrote to that person.
  std::string marked(const std::string& key, const std::string& person) const {
    if (!given_.has("bounce_secret")) return key;
    const std::string bytes =
        HashInput().text("bounce").text(key).text(in_small_letters(person)).bytes();
    return key + "." + hmac_of(given_.secret("bounce_secret"), bytes, 8);
  }

  // What a mail that came back tells, where it is about one of ours.
  void take(std::string_view mail, Received& into) const {
    for (const Bounce& bounce : bounces_in(mail)) {
      const std::string hex = bounce.mark.substr(0, bounce.mark.find('.'));
      const auto key = key_from_hex(hex);
      if (!key || !is_same_secret(bounce.mark, marked(hex, bounce.person))) continue;
      const std::string id = "mail:" + hex;
      if (bounce.what == Bounce::What::Complaint)
        into.events.push_back(
            {id + ":complained", "unsubscribed", tools_.now(), bounce.person, {}});
      if (bounce.what != Bounce::What::Failed) continue;
      into.events.push_back(
          {id + ":bounced", "bounced", tools_.now(), bounce.person, {{"status", bounce.status}}});
      into.reports.push_back({*key, Failure::Unreachable});
    }
  }

  std::string text_or(std::string_view name, const std::string& otherwise) const {
    return given_.has(name) ? given_.text(name) : otherwise;
  }

  std::string unsubscribe_of(const Delivery& delivery) const {
    if (!given_.has("unsubscribe_url")) return delivery.unsubscribe;
    Values values{{"{customer}", net::percent_encoded(delivery.customer)},
                  {"{channel}", net::percent_encoded(delivery.channel)},
                  {"{campaign}", net::percent_encoded(delivery.campaign)},
                  {"{key}", to_hex(delivery.key)}};
    if (given_.has("unsubscribe_secret"))
      values.emplace_back("{token}", token_of(given_.secret("unsubscribe_secret"), delivery));
    return filled(given_.text("unsubscribe_url"), values);
  }

  std::string html_of(const Delivery& delivery, const std::string& unsubscribe) const {
    if (page_.empty()) return page_of(delivery.title, delivery.body, delivery.link);
    return filled(page_, {{"{title}", escaped_html(delivery.title)},
                          {"{body}", escaped_html(delivery.body)},
                          {"{link}", escaped_html(delivery.link)},
                          {"{unsubscribe}", escaped_html(unsubscribe)}});
  }

  // The picture that says that the page was looked at stands at its end.
  static std::string with_mark(std::string html, const std::string& mark) {
    if (mark.empty()) return html;
    const std::string picture =
        "<img src=\"" + escaped_html(mark) + "\" width=\"1\" height=\"1\" alt=\"\">";
    const std::size_t end = html.rfind("</body>");
    return html.insert(end == std::string::npos ? html.size() : end, picture);
  }

  Tools tools_;
  Settings given_;
  std::string page_;
  net::Mailer mailer_;
};

bool is_here(std::string_view host) {
  return host == "localhost" || host.starts_with("127.") || host == "[::1]";
}

bool is_host(std::string_view text) {
  return text.size() <= 253 &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") ==
             std::string_view::npos;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '<' && c != '>'; });
}

Result<std::string> read_page(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::size_t{1} << 20) + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    return Error{"settings", "`page`: " + path + " cannot be read; does the file exist?"};
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() || text.size() > std::size_t{1} << 20)
    return Error{"settings", "`page`: " + path + " is empty or longer than 1 MiB"};
  return text;
}

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  std::string wrong;
  const auto say = [&](const std::string& what) {
    wrong.append(wrong.empty() ? "" : "\n") += what;
  };
  for (const std::string_view name : {"from", "reply_to", "bounce_to"}) {
    if (!given.has(name)) continue;
    const std::string address = name == "bounce_to"
                                    ? filled(given.text(name), {{"{key}", std::string(49, '0')}})
                                    : given.text(name);
    if (!is_mail_address(address))
      say("`" + std::string(name) +
          "` must be an address such as news@example.com, without a name");
  }
  for (const std::string_view name : {"host", "hello"})
    if (given.has(name) && !is_host(given.text(name)))
      say("`" + std::string(name) + "` must be a name such as mail.example.com, or an address");
  for (const std::string_view name : {"bounces", "callback_token"})
    if (given.has(name) && !given.has("bounce_secret"))
      say("`" + std::string(name) +
          "` needs `bounce_secret`: without it anybody could write that somebody has bounced");
  if (given.has("bounce_secret") && given.secret("bounce_secret").reveal().size() < 16)
    say("`bounce_secret` must have 16 bytes or more; `openssl rand -hex 32` makes such");
  if (given.has("user") != given.has("password"))
    say("`user` and `password` belong together; give both or none");
  if (given.text("security") == "none" && given.has("user") && !is_here(given.text("host")))
    say("`security` is none, and the password would cross the network for all to read; use "
        "starttls or tls");
  const bool wants_token = given.has("unsubscribe_url") &&
                           given.text("unsubscribe_url").find("{token}") != std::string::npos;
  if (wants_token != given.has("unsubscribe_secret"))
    say("`{token}` in `unsubscribe_url` and `unsubscribe_secret` belong together; give both or "
        "none");
  if (given.has("unsubscribe_secret") && given.secret("unsubscribe_secret").reveal().size() < 16)
    say("`unsubscribe_secret` must have 16 bytes or more; `openssl rand -hex 32` makes such");
  if (given.has("unsubscribe_url") && !is_printable(given.text("unsubscribe_url")))
    say("`unsubscribe_url` must be ASCII without <, > and blanks; percent-encode what is not");
  std::string page;
  if (given.has("page")) {
    auto read = read_page(given.text("page"));
    if (read)
      page = *std::move(read);
    else
      say(read.error().what);
  }
  if (!wrong.empty()) return Error{"settings", std::move(wrong)};

  using Security = net::MailerSettings::Security;
  net::MailerSettings mailer;
  mailer.host = given.text("host");
  mailer.port = static_cast<std::uint16_t>(given.number("port"));
  const std::string& security = given.text("security");
  mailer.security = security == "tls"    ? Security::Tls
                    : security == "none" ? Security::None
                                         : Security::StartTls;
  if (given.has("user")) mailer.user = given.text("user");
  if (given.has("password")) mailer.password = given.secret("password").reveal();
  if (given.has("hello")) mailer.hello = given.text("hello");
  if (given.has("ca_file"))
    mailer.ca_file = given.text("ca_file");
  else if (tools.http)
    mailer.ca_file = tools.http->settings().ca_file;
  mailer.connections = connections;
  mailer.connect_within = given.duration("connect_within");
  mailer.answer_within = given.duration("answer_within");
  return std::unique_ptr<Connector>(
      std::make_unique<Smtp>(given, std::move(page), std::move(mailer), std::move(tools)));
}

constexpr std::array forms{Form{.format = Format::Mail}};

}  // namespace

const ConnectorType& smtp() {
  static const ConnectorType type{
      .name = "smtp",
      .summary = "Sends each delivery as an e-mail through a submission server.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither,
                       .at_once = connections,
                       .receives = true,
                       .forms = forms},
      .open = open};
  return type;
}

}  // namespace koi::connectors
