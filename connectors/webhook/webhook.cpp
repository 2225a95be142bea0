// Webhook: each delivery posted as JSON to one address, signed by the Standard Webhooks
// specification (https://github.com/standard-webhooks/standard-webhooks, version 1.0.0): the
// receiver proves who sent it, and knows a repetition by `webhook-id`, which is the delivery's key.

#include <array>

#include "base/hash.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/delivery_json.h"
#include "channel/push_crypt.h"
#include "webhook/sign.h"
#include "webhook/told.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array settings{
    Setting{.name = "url", .kind = Setting::Kind::Url, .help = "Where each delivery is posted."},
    Setting{.name = "secret",
            .kind = Setting::Kind::Secret,
            .help = "Signs each request: `whsec_` and 24 to 64 random bytes in base64."},
    Setting{.name = "old_secret",
            .kind = Setting::Kind::Secret,
            .help = "Signs as well, while receivers change from it to `secret`.",
            .optional = true},
    Setting{.name = "report_within",
            .kind = Setting::Kind::Duration,
            .help = "How long a report is waited for where the answer is 202; else 202 is done.",
            .optional = true,
            .least = 1'000'000,
            .most = 2'592'000'000'000},
    connect_within,
    answer_within,
};

std::string body_of(const Delivery& delivery, Timestamp now) {
  std::string body = "{";
  append_field(body, "type", "delivery");
  append_field(body, "timestamp", to_string(now, utc()));
  body += R"(,"data":)";
  append_delivery(body, delivery);
  return body + "}";
}

Outcome outcome_of(const net::Response& response, Timestamp now) {
  const int status = response.status;
  const std::string why = "it answered with status " + std::to_string(status);
  if (status >= 200 && status < 300) return Done{};
  if (status == 401 || status == 403 || status == 407) return Refused{Failure::Credentials, why};
  if (status == 408 || status == 425) return Deferred{.why = why};
  if (status == 429) return Deferred{net::retry_after(response.headers, now), true, why};
  if (status >= 400 && status < 500) return Refused{Failure::BadContent, why};
  if (status == 503) return Deferred{net::retry_after(response.headers, now), false, why};
  if (status >= 500) return Unknown{why};  // it may have taken it before it failed
  return Refused{Failure::BadContent,
                 why + "; a redirection is not followed, so give the new address"};
}

class Webhook final : public Connector {
 public:
  Webhook(const Settings& given, std::vector<std::string> keys, Tools tools)
      : tools_(std::move(tools)),
        keys_(std::move(keys)),
        url_(given.text("url")),
        connect_within_(given.duration("connect_within")),
        answer_within_(given.duration("answer_within")) {
    if (given.has("report_within")) report_within_ = given.duration("report_within");
  }

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    const Timestamp now = tools_.now();
    const std::string id = to_hex(delivery.key);
    const std::string second = std::to_string(now.us / 1'000'000);
    net::Request request;
    request.method = "POST";
    request.url = url_;
    request.body = body_of(delivery, now);
    request.headers = {{"Content-Type", "application/json"},
                       {"webhook-id", id},
                       {"webhook-timestamp", second},
                       {"webhook-signature", webhook_signatures(keys_, id, second, request.body)}};
    request.connect_within = connect_within_;
    request.answer_within = answer_within_;
    request.max_body = 4096;  // only the status counts
    const auto response = co_await tools_.http->send(std::move(request));
    if (response && response->status == 202 && report_within_)
      co_return Pending{.within = *report_within_, .why = "it reports on it"};
    if (response) co_return outcome_of(*response, tools_.now());
    if (response.error().code == "unsent") co_return Deferred{.why = response.error().what};
    co_return Unknown{response.error().what};
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    if (!is_signed(asked)) co_return answered(401, "the signature is missing, wrong or old");
    auto told = webhook_told(asked.body);
    if (!told) co_return answered(400, told.error().what);
    Received received = *std::move(told);
    received.answer.status = 204;
    co_return received;
  }

 private:
  // By the same secrets, and not older or newer than five minutes.
  bool is_signed(const net::Asked& asked) const {
    const std::string* const id = net::find(asked.headers, "webhook-id");
    const std::string* const second = net::find(asked.headers, "webhook-timestamp");
    const std::string* const given = net::find(asked.headers, "webhook-signature");
    if (!id || !second || !given || second->empty() || second->size() > 11 ||
        second->find_first_not_of("0123456789") != std::string::npos)
      return false;
    const Duration age = tools_.now() - Timestamp{std::stoll(*second) * 1'000'000};
    if (age > minutes(5) || age < microseconds(0) - minutes(5)) return false;
    for (const std::string& key : keys_) {
      const std::string wanted = webhook_signatures({key}, *id, *second, asked.body);
      for (std::string_view rest = *given; !rest.empty();) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        if (is_same_secret(rest.substr(0, end), wanted)) return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    return false;
  }

  Tools tools_;
  std::vector<std::string> keys_;  // the newest first
  std::string url_;
  Duration connect_within_, answer_within_;
  std::optional<Duration> report_within_;
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  std::vector<std::string> keys;
  for (const std::string_view name : {"secret", "old_secret"}) {
    if (!given.has(name)) continue;
    auto key = webhook_key(given.secret(name).reveal());
    if (!key)
      return Error{"settings",
                   "`" + std::string(name) +
                       "` must be `whsec_` and 24 to 64 bytes in base64; `openssl rand -base64 32` "
                       "makes such bytes"};
    keys.push_back(*std::move(key));
  }
  return std::unique_ptr<Connector>(
      std::make_unique<Webhook>(given, std::move(keys), std::move(tools)));
}

}  // namespace

std::optional<std::string> webhook_key(std::string_view secret) {
  if (secret.starts_with("whsec_")) secret.remove_prefix(6);
  const auto key = from_base64(secret);
  if (!key || key->size() < 24 || key->size() > 64) return std::nullopt;
  return *key;
}

std::string webhook_signatures(const std::vector<std::string>& keys, std::string_view id,
                               std::string_view second, std::string_view body) {
  std::string signed_text;
  signed_text.append(id).append(".").append(second).append(".").append(body);
  std::string signatures;
  for (const std::string& key : keys)
    signatures.append(signatures.empty() ? "v1," : " v1,")
        .append(base64(hmac_sha256(key, signed_text)));
  return signatures;
}

const ConnectorType& webhook() {
  static const ConnectorType type{
      .name = "webhook",
      .summary = "Posts each delivery as JSON to one address, signed by Standard Webhooks.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Recognised,
                       .at_once = 64,
                       .receives = true,
                       .replies = true},
      .open = open};
  return type;
}

}  // namespace koi::connectors
