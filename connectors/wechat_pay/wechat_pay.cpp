// WechatPay: money to people: cash red packets (APIv2), and transfers that the person confirms
// (APIv3, transfer-bills). Both know a bill's number again, which is made of the delivery's key,
// and can be asked about it; what is not known for sure is asked, and never paid under another
// number.

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/delivery_json.h"
#include "channel/limits.h"
#include "channel/xml.h"
#include "json_text.h"
#include "wechat_pay/codes.h"
#include "wechat_pay/crypt.h"
#include "wechat_pay/platform_keys.h"

namespace koi::connectors {

using namespace channel;

namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 2> products{"red_packet", "transfer"};
constexpr std::array<std::string_view, 2> signs{"md5", "hmac_sha256"};
constexpr std::array settings{
    Setting{.name = "product",
            .kind = Setting::Kind::Text,
            .help = "What is paid by: cash red packets, or transfers that the person confirms.",
            .choices = products},
    Setting{.name = "mch_id", .kind = Setting::Kind::Text, .help = "The merchant's number."},
    Setting{.name = "app_id",
            .kind = Setting::Kind::Text,
            .help = "The official account (or mini-program) whose openids are paid."},
    Setting{.name = "api_key",
            .kind = Setting::Kind::Secret,
            .help = "Red packets: the APIv2 key, 32 characters.",
            .optional = true},
    Setting{.name = "sign_by",
            .kind = Setting::Kind::Text,
            .help = "Red packets: how requests are signed.",
            .otherwise = "md5",
            .choices = signs},
    Setting{.name = "certificate",
            .kind = Setting::Kind::Path,
            .help = "Red packets: the merchant's certificate, apiclient_cert.pem.",
            .optional = true},
    Setting{.name = "certificate_key",
            .kind = Setting::Kind::Path,
            .help = "The merchant's private key, apiclient_key.pem; transfers are signed with it."},
    Setting{.name = "send_name",
            .kind = Setting::Kind::Text,
            .help = "Red packets: the name shown as the sender.",
            .optional = true},
    Setting{.name = "scene_id",
            .kind = Setting::Kind::Text,
            .help = "Red packets: PRODUCT_1 to PRODUCT_8; needed below ¥1 and above ¥200.",
            .optional = true},
    Setting{.name = "client_ip",
            .kind = Setting::Kind::Text,
            .help = "Red packets: this machine's address as the platform is told it.",
            .otherwise = "127.0.0.1"},
    Setting{.name = "lapses_after",
            .kind = Setting::Kind::Duration,
            .help = "Red packets: when an unopened one goes back.",
            .otherwise = "24h",
            .least = 3'600'000'000,
            .most = 259'200'000'000},
    Setting{.name = "serial_no",
            .kind = Setting::Kind::Text,
            .help = "Transfers: the serial number of the merchant's certificate.",
            .optional = true},
    Setting{.name = "api_v3_key",
            .kind = Setting::Kind::Secret,
            .help = "Transfers: the APIv3 key, 32 bytes.",
            .optional = true},
    Setting{.name = "platform_key",
            .kind = Setting::Kind::Path,
            .help = "Transfers: the platform's public key, pub_key.pem; without it its "
                    "certificates are fetched.",
            .optional = true},
    Setting{.name = "platform_key_id",
            .kind = Setting::Kind::Text,
            .help = "Its id: PUB_KEY_ID_ and digits.",
            .optional = true},
    Setting{.name = "scene",
            .kind = Setting::Kind::Text,
            .help = "Transfers: the transfer scene's number; 1000 is cash marketing.",
            .otherwise = "1000"},
    Setting{.name = "as_packet",
            .kind = Setting::Kind::Flag,
            .help = "Transfers: shown as a red packet.",
            .otherwise = "false"},
    Setting{.name = "notify_url",
            .kind = Setting::Kind::Url,
            .help = "Transfers: the channel's callback address; without it states are only asked.",
            .optional = true},
    Setting{.name = "url",
            .kind = Setting::Kind::Url,
            .help = "The platform's address.",
            .otherwise = "https://api.mch.weixin.qq.com"},
    connect_within,
    // An attempt may be two requests: the second is not to be cut off.
    Setting{.name = "answer_within",
            .kind = Setting::Kind::Duration,
            .help = "How long a request may take.",
            .otherwise = "20s",
            .least = 10'000,
            .most = 50'000'000},
};

// https://pay.weixin.qq.com/doc/v2/merchant/4011974053, and of transfers the page of
// transfer-bills.
constexpr std::array per_person{
    PerPerson{"red packets", "limit 10 per customer per day", "red_packet"},
    PerPerson{"money", "limit ¥1000.00 per customer per day", "red_packet"},
};
constexpr std::array packet_amounts{Amount{30, Amount::Per::Second, Amount::Of::Requests}};
constexpr std::array transfer_amounts{Amount{100, Amount::Per::Second, Amount::Of::Requests}};
constexpr std::array forms{
    Form{.name = "red_packet", .format = Format::Payment, .amounts = packet_amounts},
    Form{.name = "transfer", .format = Format::Payment, .amounts = transfer_amounts}};

constexpr std::string_view transfer_bills = "/v3/fund-app/mch-transfer/transfer-bills";

std::string chance_hex() { return hex_of(random_bytes(16)); }

// A red packet's number has at most 28 characters: the key's first 112 bits.
std::string packet_number(Hash128 key) { return to_hex(key).substr(0, 28); }

// As many whole characters as fit into so many bytes.
std::string cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return std::string(text.substr(0, bytes));
}

struct Reach {
  std::string url;
  Duration connect_within, answer_within;
  net::Request request(std::string method, const std::string& path, std::string body) const {
    net::Request made;
    made.method = std::move(method);
    made.url = url + path;
    made.body = std::move(body);
    made.connect_within = connect_within;
    made.answer_within = answer_within;
    made.max_body = std::size_t{256} << 10;
    return made;
  }
};

// What a payment says of itself, whoever pays it; nothing where it can be paid.
std::optional<Outcome> not_payable(const Delivery& delivery, std::int64_t least,
                                   std::int64_t most) {
  if (delivery.addresses.empty()) return Refused{Failure::Unreachable, "it has no address"};
  if (!delivery.payout) return Refused{Failure::BadContent, "it pays nothing"};
  if (delivery.payout->currency != "CNY")
    return Refused{Failure::BadContent, "only CNY can be paid here"};
  if (delivery.payout->amount < least || delivery.payout->amount > most)
    return Refused{Failure::BadContent, "the amount is not between " + std::to_string(least) +
                                            " and " + std::to_string(most) + " fen"};
  return std::nullopt;
}

// --- Red packets --------------------------------------------------------------------------------

class RedPackets final : public Connector {
 public:
  RedPackets(const Settings& given, Tools tools)
      : tools_(std::move(tools)),
        given_(given),
        reach_{given.text("url"), given.duration("connect_within"),
               given.duration("answer_within")},
        sign_by_(given.text("sign_by") == "md5" ? PaySign::Md5 : PaySign::HmacSha256) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    const bool has_scene = given_.has("scene_id");
    if (const auto refused =
            not_payable(delivery, has_scene ? 1 : 100, has_scene ? 500'000 : 20'000))
      co_return *refused;
    std::map<std::string, std::string> fields{
        {"mch_billno", packet_number(delivery.key)},
        {"mch_id", given_.text("mch_id")},
        {"wxappid", given_.text("app_id")},
        {"send_name", cut(given_.text("send_name"), 32)},
        {"re_openid", delivery.addresses[0].value},
        {"total_amount", std::to_string(delivery.payout->amount)},
        {"total_num", "1"},
        {"wishing", cut(delivery.body.empty() ? given_.text("send_name") : delivery.body, 128)},
        {"client_ip", given_.text("client_ip")},
        {"act_name", cut(delivery.campaign, 32)},
        {"remark",
         cut(delivery.payout->remark.empty() ? delivery.campaign : delivery.payout->remark, 256)}};
    if (has_scene) fields.emplace("scene_id", given_.text("scene_id"));
    net::Request request = request_of("/mmpaymkttransfers/sendredpack", std::move(fields));
    const auto response = co_await tools_.http->send(std::move(request));
    if (!response && response.error().code == "unsent")
      co_return Deferred{.why = response.error().what};
    if (!response) co_return Unknown{response.error().what};
    const auto reply = read(*response);
    if (!reply) co_return reply_outcome(reply.error());
    if (reply->text_of("result_code") != "SUCCESS")
      co_return red_packet_outcome(reply->text_of("err_code"));
    if (reply->text_of("mch_billno") != packet_number(delivery.key))
      co_return Unknown{"it answered about another packet"};
    co_return red_packet_state("SENT", given_.duration("lapses_after"));
  }

  asio::awaitable<Outcome> ask(Hash128 key) override {
    net::Request request =
        request_of("/mmpaymkttransfers/gethbinfo", {{"mch_billno", packet_number(key)},
                                                    {"mch_id", given_.text("mch_id")},
                                                    {"appid", given_.text("app_id")},
                                                    {"bill_type", "MCHT"}});
    const auto response = co_await tools_.http->send(std::move(request));
    if (!response) co_return Unknown{response.error().what};
    const auto reply = read(*response);
    if (!reply) co_return Unknown{reply.error().what};
    const std::string& code = reply->text_of("err_code");
    // It may still be on its way there; given again under its number it is one packet all the same.
    if (code == "NOT_FOUND")
      co_return Deferred{.wait = minutes(5), .why = "it knows no such packet"};
    if (reply->text_of("result_code") != "SUCCESS") co_return Unknown{"asked, it gave no state"};
    if (reply->text_of("mch_billno") != packet_number(key))
      co_return Unknown{"it answered about another packet"};
    co_return red_packet_state(reply->text_of("status"), given_.duration("lapses_after"));
  }

 private:
  net::Request request_of(const std::string& path,
                          std::map<std::string, std::string> fields) const {
    fields.emplace("nonce_str", chance_hex());
    fields.emplace("sign", pay_sign(fields, given_.secret("api_key").reveal(), sign_by_));
    std::string body = "<xml>";
    for (const auto& [name, value] : fields)
      if (!value.empty()) append_xml(body, name, value);
    net::Request request = reach_.request("POST", path, body + "</xml>");
    request.headers = {{"Content-Type", "text/xml; charset=utf-8"}};
    if (given_.has("certificate")) {
      request.certificate_file = given_.text("certificate");
      request.key_file = given_.text("certificate_key");
    }
    return request;
  }

  // An answer whose return_code is SUCCESS. Error "denied" where the platform does not take who we
  // are, "unreadable" where it says nothing that can be read. These answers carry no signature: TLS
  // says whose they are.
  static Result<XmlElement> read(const net::Response& response) {
    auto reply = parse_xml(response.body);
    if (response.status != 200 || !reply || reply->text_of("return_code").empty())
      return Error{"unreadable", "it answered what cannot be read, with status " +
                                     std::to_string(response.status)};
    if (reply->text_of("return_code") != "SUCCESS")
      return Error{"denied", "it does not take our signature, certificate or fields"};
    return reply;
  }
  static Outcome reply_outcome(const Error& error) {
    if (error.code == "denied") return Refused{Failure::Credentials, error.what};
    return Unknown{error.what};
  }

  Tools tools_;
  Settings given_;
  Reach reach_;
  PaySign sign_by_;
};

// --- Transfers ----------------------------------------------------------------------------------

class Transfers final : public Connector {
 public:
  Transfers(const Settings& given, RsaKey own, PlatformKeys platform, Tools tools)
      : tools_(std::move(tools)),
        given_(given),
        reach_{given.text("url"), given.duration("connect_within"),
               given.duration("answer_within")},
        own_(std::move(own)),
        platform_(std::move(platform)) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    // From ¥2,000 on the platform wants the person's name, which Koi does not have.
    if (const auto refused = not_payable(delivery, 30, 199'999)) co_return *refused;
    net::Request request = signed_request("POST", std::string(transfer_bills), body_of(delivery));
    const auto response = co_await tools_.http->send(std::move(request));
    if (!response && response.error().code == "unsent")
      co_return Deferred{.why = response.error().what};
    if (!response) co_return Unknown{response.error().what};
    co_return co_await outcome_of(*response, delivery.key);
  }

  asio::awaitable<Outcome> ask(Hash128 key) override {
    net::Request request =
        signed_request("GET", std::string(transfer_bills) + "/out-bill-no/" + to_hex(key), "");
    const auto response = co_await tools_.http->send(std::move(request));
    if (!response) co_return Unknown{response.error().what};
    if (response->status == 404)
      co_return Deferred{.wait = minutes(5), .why = "it knows no such transfer"};
    Outcome outcome = co_await outcome_of(*response, key);
    // What refuses the question says nothing about the transfer.
    if (response->status != 200) co_return Unknown{to_string(outcome)};
    co_return outcome;
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    if (!co_await is_of_platform(asked.headers, asked.body)) co_return failed(401, "SIGN_ERROR");
    const Json json = Json::parse(asked.body, nullptr, false);
    const Json& resource =
        json.is_object() && json.contains("resource") ? json["resource"] : Json();
    if (!resource.is_object()) co_return failed(400, "PARAM_ERROR");
    Received received;
    received.answer.status = 204;
    if (text_of(json, "event_type") != "MCHTRANSFER.BILL.FINISHED") co_return received;
    const auto plain =
        pay_decrypt(given_.secret("api_v3_key").reveal(), text_of(resource, "nonce"),
                    text_of(resource, "associated_data"), text_of(resource, "ciphertext"));
    if (!plain) co_return failed(400, "DECRYPT_ERROR");
    const Json bill = Json::parse(*plain, nullptr, false);
    if (!bill.is_object()) co_return failed(400, "PARAM_ERROR");
    const auto key = key_from_hex(text_of(bill, "out_bill_no"));
    const Outcome state = transfer_state(text_of(bill, "state"), text_of(bill, "fail_reason"), "");
    if (!key) co_return received;  // somebody else's bill
    if (std::holds_alternative<Done>(state)) received.reports.push_back({*key, Failure::None});
    if (const auto* const refused = std::get_if<Refused>(&state))
      received.reports.push_back({*key, refused->failure});
    co_return received;
  }

 private:
  static Received failed(int status, const char* code) {
    Received received;
    received.answer.status = status;
    received.answer.body = std::string(R"({"code":")") + code + R"(","message":"FAIL"})";
    return received;
  }

  std::string body_of(const Delivery& delivery) const {
    const Payout& payout = *delivery.payout;
    const std::string activity = delivery.campaign;
    const std::string reward = payout.remark.empty() ? delivery.content : payout.remark;
    std::string body = "{";
    append_field(body, "appid", given_.text("app_id"));
    append_field(body, "out_bill_no", to_hex(delivery.key));
    append_field(body, "transfer_scene_id", given_.text("scene"));
    append_field(body, "openid", delivery.addresses[0].value);
    body += R"(,"transfer_amount":)" + std::to_string(payout.amount);
    append_field(body, "transfer_remark", cut(reward, 32));
    if (given_.has("notify_url")) append_field(body, "notify_url", given_.text("notify_url"));
    if (given_.flag("as_packet")) body += R"(,"user_recv_style":{"type":"RED_PACKET"})";
    body += R"(,"transfer_scene_report_infos":[{)";
    append_field(body, "info_type", "活动名称");
    append_field(body, "info_content", cut(activity, 32));
    body += "},{";
    append_field(body, "info_type", "奖励说明");
    append_field(body, "info_content", cut(reward, 32));
    return body + "}]}";
  }

  net::Request signed_request(const std::string& method, const std::string& path,
                              std::string body) const {
    const std::string second = std::to_string(tools_.now().us / 1'000'000), nonce = chance_hex();
    const std::string signature = own_.sign(pay_request_text(method, path, second, nonce, body));
    net::Request request = reach_.request(method, path, std::move(body));
    request.headers = {
        {"Accept", "application/json"},
        {"Content-Type", "application/json"},
        {"User-Agent", "Koi"},
        {"Authorization", "WECHATPAY2-SHA256-RSA2048 mchid=\"" + given_.text("mch_id") +
                              "\",nonce_str=\"" + nonce + "\",timestamp=\"" + second +
                              "\",serial_no=\"" + given_.text("serial_no") + "\",signature=\"" +
                              signature + "\""}};
    // Says which of its keys the platform should sign with.
    if (given_.has("platform_key_id"))
      request.headers.push_back({"Wechatpay-Serial", given_.text("platform_key_id")});
    return request;
  }

  asio::awaitable<Outcome> outcome_of(const net::Response& response, Hash128 key) {
    const Json json = Json::parse(response.body, nullptr, false);
    if (response.status != 200) {
      const std::string code = json.is_object() ? text_of(json, "code") : "";
      if (json.is_object() && (!code.empty() || response.status == 429))
        co_return transfer_outcome(response.status, code);
      co_return response.status == 429
          ? transfer_outcome(429, "")
          : Outcome(Unknown{"status " + std::to_string(response.status)});
    }
    if (!co_await is_of_platform(response.headers, response.body))
      co_return Unknown{"it answered without a signature of the platform's"};
    if (!json.is_object() || text_of(json, "out_bill_no") != to_hex(key))
      co_return Unknown{"it answered what cannot be read"};
    co_return transfer_state(text_of(json, "state"), text_of(json, "fail_reason"),
                             text_of(json, "package_info"));
  }

  // Whether the platform has signed it; for a serial that is not known its certificates are
  // fetched, at most once a minute.
  asio::awaitable<bool> is_of_platform(const net::Headers& headers, const std::string& body) {
    const std::string serial = PlatformKeys::serial_of(headers);
    if (serial.empty()) co_return false;
    if (!platform_.has(serial) && tools_.now() >= fetched_ + minutes(1)) {
      fetched_ = tools_.now();
      net::Request request = signed_request("GET", "/v3/certificates", "");
      const auto response = co_await tools_.http->send(std::move(request));
      // Only who has the APIv3 key could encrypt them so, and only then are they used.
      if (response && response->status == 200)
        platform_.take(response->body, given_.secret("api_v3_key").reveal());
    }
    co_return platform_.verifies(headers, body, tools_.now());
  }

  Tools tools_;
  Settings given_;
  Reach reach_;
  RsaKey own_;
  PlatformKeys platform_;
  Timestamp fetched_{0};
};

// --- Opening ------------------------------------------------------------------------------------

Result<RsaKey> read_key(const Settings& given, std::string_view name) {
  const std::string& path = given.text(name);
  std::ifstream file(path, std::ios::binary);
  std::string pem(std::size_t{64} << 10, '\0');
  file.read(pem.data(), static_cast<std::streamsize>(pem.size()));
  if (!file.is_open() || file.bad())
    return Error{"settings",
                 "`" + std::string(name) + "`: " + path + " cannot be read; does the file exist?"};
  pem.resize(static_cast<std::size_t>(file.gcount()));
  auto key = RsaKey::read(pem);
  if (!key)
    return Error{"settings", "`" + std::string(name) + "`: " + path + ": " + key.error().what};
  return key;
}

std::string missing(const Settings& given, std::initializer_list<std::string_view> names) {
  std::string wrong;
  for (const std::string_view name : names)
    if (!given.has(name))
      wrong += (wrong.empty() ? "" : "\n") +
               ("`" + std::string(name) + "` is missing for `product` " + given.text("product"));
  return wrong;
}

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  if (given.text("product") == "red_packet") {
    std::string wrong = missing(given, {"api_key", "send_name"});
    if (wrong.empty() && given.text("url").starts_with("https://"))
      wrong = missing(given, {"certificate"});
    if (!wrong.empty()) return Error{"settings", wrong};
    if (given.secret("api_key").reveal().size() != 32)
      return Error{"settings", "`api_key` must be the 32 characters of the APIv2 key"};
    return std::unique_ptr<Connector>(std::make_unique<RedPackets>(given, std::move(tools)));
  }
  std::string wrong = missing(given, {"serial_no", "api_v3_key"});
  if (wrong.empty() && given.has("platform_key") != given.has("platform_key_id"))
    wrong = "`platform_key` and `platform_key_id` belong together; give both or none";
  if (!wrong.empty()) return Error{"settings", wrong};
  if (given.secret("api_v3_key").reveal().size() != 32)
    return Error{"settings", "`api_v3_key` must be the 32 bytes of the APIv3 key"};
  KOI_LET(RsaKey own, read_key(given, "certificate_key"));
  PlatformKeys platform;
  if (given.has("platform_key")) {
    KOI_LET(RsaKey key, read_key(given, "platform_key"));
    platform.set(given.text("platform_key_id"), std::move(key));
  }
  return std::unique_ptr<Connector>(
      std::make_unique<Transfers>(given, std::move(own), std::move(platform), std::move(tools)));
}

Result<WayOf> way_of(const Given& given) {
  const bool is_transfer = given_text(given, "product") == "transfer";
  return WayOf([is_transfer](std::string_view, bool) {
    return Way{is_transfer ? "transfer" : "red_packet"};
  });
}

}  // namespace

const ConnectorType& wechat_pay() {
  static const ConnectorType type{
      .name = "wechat_pay",
      .summary = "Pays people by WeChat Pay: cash red packets, or transfers that they confirm.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::CanBeAsked,
                       .at_once = 16,
                       .receives = true,
                       .per_person = per_person,
                       .forms = forms,
                       .zone = "Asia/Shanghai"},
      .open = open,
      .way_of = way_of};
  return type;
}

}  // namespace koi::connectors
