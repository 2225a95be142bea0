#include "serve/touches.h"

#include <algorithm>
#include <array>
#include <asio/post.hpp>
#include <utility>

#include "base/assert.h"
#include "base/html.h"
#include "base/json.h"
#include "base/source.h"
#include "channel/crypto.h"

namespace koi::serve {

namespace {

constexpr std::size_t name_bytes = 12, mac_bytes = 8, token_letters = 27;
constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
// A message is decided, sent, delivered, seen and touched; nobody does that faster.
constexpr Duration fastest_person = seconds(2);

// Programs that fetch links which people are shown, by a piece of what they call themselves, in
// lower case.
constexpr std::array<std::string_view, 28> previewers{"bot",
                                                      "crawl",
                                                      "spider",
                                                      "preview",
                                                      "facebookexternalhit",
                                                      "whatsapp",
                                                      "telegram",
                                                      "skypeuri",
                                                      "slack-img",
                                                      "discord",
                                                      "embedly",
                                                      "bitlybot",
                                                      "vkshare",
                                                      "pinterest",
                                                      "wechatshare",
                                                      "outlook-ios",
                                                      "microsoft office",
                                                      "ms-office",
                                                      "proofpoint",
                                                      "mimecast",
                                                      "barracuda",
                                                      "symantec",
                                                      "trendmicro",
                                                      "safelinks",
                                                      "headlesschrome",
                                                      "python-requests",
                                                      "curl/",
                                                      "wget/"};

std::string mac_of(const std::string& secret, std::string_view bytes) {
  return channel::hmac_sha256(secret, bytes).substr(0, mac_bytes);
}

// Base64 for addresses (RFC 4648, 5), without padding.
std::string to_letters(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += letters[bits >> (count - 6) & 63];
  }
  if (count > 0) out += letters[bits << (6 - count) & 63];
  return out;
}

std::optional<std::string> from_letters(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = letters.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 255);
    }
  }
  return out;
}

std::string bytes_of(store::SentName name) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(name.second >> shift & 255);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(name.half >> shift & 255);
  return bytes;
}

bool is_of_web(std::string_view link) {
  return link.starts_with("https://") || link.starts_with("http://");
}

std::string lowered(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

net::Answer page(int status, std::string_view body) {
  net::Answer answer;
  answer.status = status;
  answer.content_type = "text/html; charset=utf-8";
  answer.headers = {{"Cache-Control", "no-store"},
                    {"X-Robots-Tag", "noindex"},
                    {"Content-Security-Policy",
                     "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"}};
  answer.body =
      "<!doctype html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>Koi</title><style>body{font:18px/1.6 "
      "system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem;text-align:center}"
      "button{font:inherit;padding:.5em 2em}</style></head><body>";
  answer.body.append(body).append("</body></html>\n");
  return answer;
}

net::Answer nothing_here() {
  return page(404, "<p>This link leads nowhere any more.<br>此链接已失效。</p>");
}
net::Answer later() {
  net::Answer answer = page(503, "<p>Please try again in a moment.<br>请稍后再试。</p>");
  answer.headers.push_back({"Retry-After", "1"});
  return answer;
}
net::Answer led_to(const std::string& link) {
  net::Answer answer;
  answer.status = 302;
  answer.content_type = "text/plain; charset=utf-8";
  answer.headers = {
      {"Location", as_location(link)}, {"Cache-Control", "no-store"}, {"X-Robots-Tag", "noindex"}};
  return answer;
}
// A picture of one pixel that is not seen.
net::Answer pixel() {
  static constexpr unsigned char gif[] = {
      'G', 'I', 'F', '8', '9', 'a',  1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255,  255, 0x21, 0xf9, 4,
      1,   0,   0,   0,   0,   0x2c, 0, 0, 0, 0, 1,    0, 1, 0, 0, 2, 2,   0x44, 1,   0,    0x3b};
  net::Answer answer;
  answer.content_type = "image/gif";
  answer.headers = {{"Cache-Control", "no-store"}};
  answer.body.assign(reinterpret_cast<const char*>(gif), sizeof gif);
  return answer;
}
net::Answer question() {
  return page(200,
              "<p>No more messages of this kind?<br>不再接收此类消息？</p><form method=\"post\">"
              "<button>Unsubscribe · 退订</button></form>");
}
net::Answer question_to_staff() {
  return page(
      200,
      "<p>Do you take this?<br>由您来处理吗？</p><form method=\"post\"><p><input name=\"by\" "
      "maxlength=\"60\" required autocomplete=\"name\" placeholder=\"Your name · 您的姓名\">"
      "</p><button>I take it · 我来处理</button></form>");
}
net::Answer thanks() { return page(200, "<p>Thank you, it is yours.<br>谢谢，已登记。</p>"); }
net::Answer thanks_again() {
  return page(409,
              "<p>Somebody has taken it already, or it is over.<br>已有人处理，或已超时。</p>");
}
// As he wrote it, on one line; empty where it is none.
std::string name_of_person(std::string_view text) {
  constexpr std::size_t longest = 200;  // bytes
  std::string name;
  if (text.size() > longest || find_invalid_utf8(text) != std::string_view::npos) return name;
  for (const char c : text) name += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  const std::size_t begin = name.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return name.substr(begin, name.find_last_not_of(' ') - begin + 1);
}
net::Answer farewell() { return page(200, "<p>You will get no more of these.<br>您已退订。</p>"); }

std::string line_of(std::string_view type, const store::SentMessage& message, std::string_view id,
                    Timestamp now) {
  std::string line = R"({"id":)";
  const auto member = [&](std::string_view name, std::string_view value) {
    line += name;
    append_json_string(line, value);
  };
  append_json_string(line, id);
  member(R"(,"type":)", type);
  member(R"(,"time":)", to_string(now, utc()));
  member(R"(,"subject":)", message.customer);
  member(R"(,"data":{"content":)", message.content);
  member(R"(,"channel":)", message.channel);
  member(R"(,"campaign":)", message.campaign);
  return line + "}}\n";
}

}  // namespace

// --- Addresses ----------------------------------------------------------------------------------

MessageLinks::MessageLinks(std::string base, std::string secret)
    : base_(std::move(base)), secret_(std::move(secret)) {}

std::string MessageLinks::token_of(store::SentName name) const {
  const std::string bytes = bytes_of(name);
  return to_letters(bytes + mac_of(secret_, bytes));
}

std::optional<store::SentName> MessageLinks::read(std::string_view token) const {
  if (token.size() != token_letters) return std::nullopt;
  const auto bytes = from_letters(token);
  if (!bytes || bytes->size() != name_bytes + mac_bytes) return std::nullopt;
  const std::string named = bytes->substr(0, name_bytes), wanted = mac_of(secret_, named);
  if (!channel::is_same_secret(wanted, std::string_view(*bytes).substr(name_bytes)))
    return std::nullopt;
  store::SentName name;
  for (std::size_t i = 0; i < name_bytes; ++i) {
    const auto byte = static_cast<unsigned char>(named[i]);
    if (i < 4)
      name.second = name.second << 8 | byte;
    else
      name.half = name.half << 8 | byte;
  }
  return name;
}

void MessageLinks::dress(Delivery& delivery, Timestamp decided) const {
  const std::string token = token_of(store::SentMessage{decided, delivery.key}.name());
  if (delivery.take_by != Timestamp::never()) {
    delivery.link = base_ + "/t/" + token;
    return;
  }
  if (delivery.content.empty()) return;
  if (is_of_web(delivery.link)) delivery.link = base_ + "/l/" + token;
  delivery.opened_mark = base_ + "/o/" + token;
  delivery.unsubscribe = base_ + "/u/" + token;
}

std::string as_location(std::string_view link) {
  std::string out;
  for (const char c : link) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = byte > 0x20 && byte < 0x7f &&
                          std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
    if (is_plain)
      out += c;
    else
      out.append(1, '%')
          .append(1, "0123456789ABCDEF"[byte >> 4])
          .append(1, "0123456789ABCDEF"[byte & 15]);
  }
  return out;
}

Visitor visitor_of(const net::Asked& asked, Timestamp decided, Timestamp now) {
  if (asked.method == "HEAD") return Visitor::Preview;
  for (const std::string_view name : {"Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"})
    if (const std::string* const purpose = net::find(asked.headers, name))
      if (lowered(*purpose).find("pre") != std::string::npos) return Visitor::Preview;
  const std::string* const agent = net::find(asked.headers, "User-Agent");
  // Browsers name themselves; "Mozilla/5.0" alone is a mail program's proxy that fetches
  // everything.
  if (!agent || agent->empty() || *agent == "Mozilla/5.0") return Visitor::Preview;
  const std::string name = lowered(*agent);
  if (std::any_of(previewers.begin(), previewers.end(),
                  [&](std::string_view piece) { return name.find(piece) != std::string::npos; }))
    return Visitor::Preview;
  return now < decided + fastest_person ? Visitor::Scanner : Visitor::Person;
}

// --- Visits -------------------------------------------------------------------------------------

struct Touches::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor on, const MessageLinks& with, const runtime::Clock& by, Ways given)
      : executor(std::move(on)), links(with), clock(by), ways(std::move(given)) {}

  using Place = std::shared_ptr<net::Reply>;

  asio::any_io_executor executor;
  const MessageLinks& links;
  const runtime::Clock& clock;
  Ways ways;
  Figures figures;

  void found(char kind, const std::string& token, const net::Asked& asked, const Place& place,
             const Result<std::optional<store::SentMessage>>& message) {
    if (!message) return place->send(later());
    if (!*message) {
      ++figures.unknown;
      return place->send(nothing_here());
    }
    // What was told to the staff has no content, and no other address than that to take it.
    if ((kind == 't') != (*message)->content.empty()) return place->send(nothing_here());
    if (kind == 't') return give(asked, place, **message);
    if (kind == 'u') return leave(token, asked, place, **message);
    visit(kind, token, asked, place, **message);
  }

  void visit(char kind, const std::string& token, const net::Asked& asked, const Place& place,
             const store::SentMessage& message) {
    const bool is_link = kind == 'l';
    if (is_link && !is_of_web(message.link)) return place->send(nothing_here());
    const Timestamp now = clock.now();
    const net::Answer answer = is_link ? led_to(message.link) : pixel();
    switch (visitor_of(asked, message.time, now)) {
      case Visitor::Preview: ++figures.previews; return place->send(answer);
      case Visitor::Scanner: ++figures.scanners; return place->send(answer);
      case Visitor::Person: break;
    }
    // A mark is looked at once; who taps a link twice in a second means it once.
    const std::string id =
        is_link ? "clicked:" + token + ":" + std::to_string(now.us / 1'000'000) : "opened:" + token;
    tell(line_of(is_link ? "clicked" : "opened", message, id, now),
         [this, is_link, place, answer](bool kept) {
           ++(!kept ? figures.lost : is_link ? figures.clicks : figures.opens);
           place->send(answer);  // he goes on his way whether or not we could note it
         });
  }

  void leave(const std::string& token, const net::Asked& asked, const Place& place,
             const store::SentMessage& message) {
    if (asked.method != "POST") return place->send(question());
    const Timestamp now = clock.now();
    const std::string id = "unsubscribed:" + token + ":" + std::to_string(now.us / 1'000'000);
    tell(line_of("unsubscribed", message, id, now), [this, place](bool kept) {
      ++(kept ? figures.unsubscribes : figures.lost);
      place->send(kept ? farewell() : later());
    });
  }

  void give(const net::Asked& asked, const Place& place, const store::SentMessage& message) {
    if (asked.method != "POST") return place->send(question_to_staff());
    const net::Headers form = net::query_of(asked.body);
    const std::string* const by = net::find(form, "by");
    const std::string name = by ? name_of_person(*by) : "";
    if (name.empty()) return place->send(question_to_staff());
    if (!ways.taken(message.key, name)) return place->send(thanks_again());
    ++figures.taken;
    place->send(thanks());
  }

  void tell(std::string line, std::function<void(bool kept)> then) {
    ways.take(std::move(line), [weak = weak_from_this(), on = executor,
                                then = std::move(then)](Result<std::vector<LineResult>> results) {
      const bool kept = results && results->size() == 1 &&
                        results->front().came != Came::Rejected &&
                        results->front().came != Came::UnknownType;
      asio::post(on, [weak, then, kept] {
        if (const auto alive = weak.lock()) then(kept);
      });
    });
  }
};

Touches::Touches(asio::any_io_executor executor, const MessageLinks& links,
                 const runtime::Clock& clock, Ways ways)
    : state_(std::make_shared<State>(std::move(executor), links, clock, std::move(ways))) {}
Touches::~Touches() = default;

bool Touches::is_of(const net::Asked& asked) {
  return asked.path.size() > 3 && asked.path[0] == '/' && asked.path[2] == '/' &&
         std::string_view("lout").find(asked.path[1]) != std::string_view::npos;
}

void Touches::take(net::Asked asked, net::Reply reply) {
  State& state = *state_;
  const char kind = asked.path[1];
  const std::string token = asked.path.substr(3);
  const auto name = state.links.read(token);
  if (!name) {
    ++state.figures.unknown;
    return reply.send(nothing_here());
  }
  const bool may = asked.method == "GET" || asked.method == "HEAD" ||
                   ((kind == 'u' || kind == 't') && asked.method == "POST");
  if (!may) return reply.send(page(405, "<p>GET</p>"));
  auto place = std::make_shared<net::Reply>(std::move(reply));
  auto about = std::make_shared<net::Asked>(std::move(asked));
  state.ways.later([weak = std::weak_ptr(state_), find = state.ways.find, on = state.executor, kind,
                    token, about, place, name = *name] {
    asio::post(on, [weak, kind, token, about, place, message = find(name)] {
      if (const auto alive = weak.lock()) alive->found(kind, token, *about, place, message);
    });
  });
}

const Touches::Figures& Touches::figures() const { return state_->figures; }

}  // namespace koi::serve
