#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/xml.h"
#include "connectors/http_provider.h"
#include "wait_for.h"
#include "wechat_pay/codes.h"
#include "wechat_pay/crypt.h"
#include "wechat_pay/platform_keys.h"
#include "wechat_pay/vectors.h"

namespace koi::connectors {
const channel::ConnectorType& wechat_pay();
namespace {

using namespace channel;
using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::json;

constexpr const char* api_key = "192006250b4c09247ec02edce69f6a2d";
constexpr const char* api_v3_key = "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb";

std::string own_key_pem() {
  return std::string(vectors::key_head) + std::string(vectors::key_body) +
         std::string(vectors::key_foot);
}
// --- Signatures, against what others published --------------------------------------------------

// The platform's documentation (chapter 4_3), WxJava's SignUtilsTest, and wechatpy's test_pay.py.
TEST(PaySign, IsThatOfThePublishedVectors) {
  const std::map<std::string, std::string> fields{{"appid", "wxd930ea5d5a258f4f"},
                                                  {"mch_id", "10000100"},
                                                  {"device_info", "1000"},
                                                  {"body", "test"},
                                                  {"empty", ""},
                                                  {"sign", "not signed itself"},
                                                  {"nonce_str", "ibuaiVcKdpRxkhJA"}};
  EXPECT_EQ(pay_sign(fields, api_key, PaySign::Md5), "9A0A8659F005D6984697E2CA0A9CF3B7");
  EXPECT_EQ(pay_sign(fields, api_key, PaySign::HmacSha256),
            "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6");
  const std::map<std::string, std::string> two{{"test1", "test1"}, {"test2", "test2"}};
  EXPECT_EQ(pay_sign(two, api_key, PaySign::Md5), "1E3A8D73B5A4AEE787C0F68B5DAB8520");
  EXPECT_EQ(pay_sign(two, api_key, PaySign::HmacSha256),
            "EDAC6D70D2FDF5A2382F8204FC96A1918017E46ACC5297F565ED1A7610ACF659");
}

// core/auth/credentials/wechat_pay_credential_test.go
TEST(PayText, IsThatOfThePublishedVectors) {
  EXPECT_EQ(pay_request_text("GET", "/v3/certificates", "1624523846", "A1B2C3D4E5F6G7", ""),
            "GET\n/v3/certificates\n1624523846\nA1B2C3D4E5F6G7\n\n");
  EXPECT_EQ(pay_request_text("POST", "/v3/certificates", "1624523846", "A1B2C3D4E5F6G7",
                             "Hello World!\n"),
            "POST\n/v3/certificates\n1624523846\nA1B2C3D4E5F6G7\nHello World!\n\n");
}

TEST(RsaKey, SignsAndVerifiesAsPublished) {
  const auto key = RsaKey::read(own_key_pem());
  ASSERT_TRUE(key);
  EXPECT_EQ(key->sign("source"), vectors::signature_of_source);
  EXPECT_TRUE(key->verifies("source", vectors::signature_of_source));
  EXPECT_FALSE(key->verifies("sourcf", vectors::signature_of_source));
  EXPECT_FALSE(key->verifies("source", "WECHATPAY/SIGNTEST/abc"));
  EXPECT_FALSE(key->verifies("source", ""));
  for (const char* const none :
       {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"})
    EXPECT_FALSE(RsaKey::read(none));
}

TEST(PayCallback, IsVerifiedAndOpenedAsPublished) {
  PlatformKeys keys;
  keys.set("D7CE59D1F522D701", *RsaKey::read(own_key_pem()));
  const Timestamp then{1'624'523'846'000'000};
  const auto headers = [](std::string serial, std::string signature) -> net::Headers {
    return {{"wechatpay-timestamp", std::string(vectors::callback_second)},
            {"wechatpay-nonce", std::string(vectors::callback_nonce)},
            {"wechatpay-serial", std::move(serial)},
            {"wechatpay-signature", std::move(signature)}};
  };
  const std::string signature(vectors::callback_signature), body(vectors::callback_body);
  EXPECT_TRUE(keys.verifies(headers("D7CE59D1F522D701", signature), body, then));
  EXPECT_FALSE(keys.verifies(headers("D7CE59D1F522D702", signature), body, then));
  EXPECT_FALSE(keys.verifies(headers("D7CE59D1F522D701", signature), body + " ", then));
  EXPECT_FALSE(keys.verifies(headers("D7CE59D1F522D701", signature), body, then + minutes(5)));
  EXPECT_FALSE(keys.verifies({}, body, then));
  const Json resource = Json::parse(body)["resource"];
  const auto plain = pay_decrypt(vectors::callback_key, resource["nonce"].get<std::string>(),
                                 resource["associated_data"].get<std::string>(),
                                 resource["ciphertext"].get<std::string>());
  ASSERT_TRUE(plain);
  EXPECT_EQ(*plain, vectors::callback_text);
}

// AeadAesCipherTest.java of wechatpay-java, aes.test.js of wechatpay-axios-plugin, and
// utils/aes_test.go of wechatpay-go.
TEST(PayDecrypt, OpensThePublishedVectors) {
  EXPECT_EQ(*pay_decrypt(api_v3_key, "uluk4a9R25RW", "associatedData",
                         "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwI="),
            "message");
  EXPECT_EQ(*pay_decrypt("0123456789abcdef0123456789abcdef", "0123456789abcdef", "world",
                         "APoZlYpivU3HjbAiB4CvW1rAFr8J"),
            "hello");
  EXPECT_EQ(*pay_decrypt("testAPIv3Key0000", "wCq51qZv4Yfg", "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8",
                         "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC"),
            "Hello World");
  EXPECT_FALSE(pay_decrypt(api_v3_key, "uluk4a9R25RW", "associatedDatb",
                           "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwI="));
  EXPECT_FALSE(pay_decrypt("short", "uluk4a9R25RW", "", "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwI="));
  EXPECT_FALSE(pay_decrypt(api_v3_key, "", "", ""));
}

// --- Red packets --------------------------------------------------------------------------------

std::string xml_of(std::initializer_list<std::pair<const char*, std::string>> fields) {
  std::string out = "<xml>";
  for (const auto& [name, value] : fields) append_xml(out, name, value);
  return out + "</xml>";
}

// The platform for red packets: it checks each field, its limits and the signature, which it makes
// in its own way; a number that it has seen is the same packet, or FATAL_ERROR with other fields.
class PacketPlatform final : public HttpProvider {
 public:
  struct Books {
    std::map<std::string, std::string> packets;  // by number: what must be the same again
    std::string state = "RECEIVED", says;        // says: an err_code for each later packet
  };
  explicit PacketPlatform(std::shared_ptr<Books> kept = std::make_shared<Books>())
      : HttpProvider(script(kept)), books(std::move(kept)) {
    setenv("KOI_TEST_PAY_KEY", api_key, 1);
  }
  Given settings() const override {
    return {{"product", "red_packet"},
            {"url", address()},
            {"mch_id", "10000100"},
            {"app_id", "wxd930ea5d5a258f4f"},
            {"api_key", "env:KOI_TEST_PAY_KEY"},
            {"certificate_key", "/nowhere/apiclient_key.pem"},
            {"send_name", "小店"},
            {"answer_within", within()}};
  }
  std::vector<std::string> secrets() const override { return {api_key}; }
  Address person() const override { return {"openid", "onqOjjmM1tad-3ROpncN"}; }

  std::shared_ptr<Books> books;

 private:
  static bool is_signed(const XmlElement& xml) {
    std::map<std::string, std::string> sorted;
    for (const XmlElement& each : xml.children) sorted[each.name] = each.text;
    std::string text;
    for (const auto& [name, value] : sorted)
      if (name != "sign" && !value.empty()) text += name + "=" + value + "&";
    text += std::string("key=") + api_key;
    unsigned char digest[16];
    unsigned int size = 0;
    EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
    std::string hex;
    char two[3];
    for (const unsigned char byte : digest) std::snprintf(two, 3, "%02X", byte), hex += two;
    return xml.text_of("sign") == hex && xml.text_of("nonce_str").size() <= 32;
  }
  static net::Answer answer(std::initializer_list<std::pair<const char*, std::string>> fields) {
    return {.body = xml_of(fields)};
  }
  static net::Answer failed(const std::string& code) {
    return answer({{"return_code", "SUCCESS"},
                   {"result_code", "FAIL"},
                   {"err_code", code},
                   {"err_code_des", "told"}});
  }
  static Script script(const std::shared_ptr<Books>& books) {
    Script script;
    script.aside = [books](const net::Asked& asked) -> std::optional<net::Answer> {
      const auto xml = parse_xml(asked.body);
      if (!xml || !is_signed(*xml)) return std::nullopt;
      const std::string& number = xml->text_of("mch_billno");
      if (asked.path == "/mmpaymkttransfers/gethbinfo") {
        if (xml->text_of("appid") != "wxd930ea5d5a258f4f" || xml->text_of("bill_type") != "MCHT")
          return failed("PARAM_ERROR");
        if (!books->packets.contains(number)) return failed("NOT_FOUND");
        return answer({{"return_code", "SUCCESS"},
                       {"result_code", "SUCCESS"},
                       {"err_code", "SUCCESS"},
                       {"mch_billno", number},
                       {"status", books->state}});
      }
      if (!books->says.empty()) return failed(books->says);
      if (const auto seen = books->packets.find(number);
          seen != books->packets.end() && seen->second != same_again(*xml))
        return failed("FATAL_ERROR");
      return std::nullopt;
    };
    script.key_of = [books](const net::Asked& asked) -> std::optional<std::string> {
      const auto xml = parse_xml(asked.body);
      if (!xml || !is_signed(*xml) || asked.path != "/mmpaymkttransfers/sendredpack" ||
          asked.method != "POST")
        return std::nullopt;
      const struct {
        const char* name;
        std::size_t most;
      } limits[] = {{"mch_billno", 28}, {"mch_id", 32},       {"wxappid", 32},  {"send_name", 32},
                    {"re_openid", 32},  {"total_amount", 10}, {"wishing", 128}, {"client_ip", 15},
                    {"act_name", 32},   {"remark", 256}};
      for (const auto& [name, most] : limits)
        if (xml->text_of(name).empty() || xml->text_of(name).size() > most) return std::nullopt;
      if (xml->text_of("total_num") != "1") return std::nullopt;
      books->packets.emplace(xml->text_of("mch_billno"), same_again(*xml));
      // What it accepts is told by what it answers.
      return xml->text_of("mch_billno");
    };
    script.refused = failed("OPENID_ERROR");
    script.refusals = {{Failure::Unreachable, failed("OPENID_ERROR")},
                       {Failure::WindowClosed, failed("SENDNUM_LIMIT")},
                       {Failure::BadContent, failed("MONEY_LIMIT")},
                       {Failure::Quota, failed("NOTENOUGH")},
                       {Failure::Credentials, failed("CA_ERROR")},
                       {Failure::Failed, failed("SEND_FAILED")}};
    script.busy = failed("FREQ_LIMIT");
    script.nonsense = {.body = "<xml><return_code>SUCC"};
    script.denied = answer({{"return_code", "FAIL"}, {"return_msg", "签名失败"}});
    script.answer = [](const net::Asked& asked) {
      const auto xml = parse_xml(asked.body);
      return answer({{"return_code", "SUCCESS"},
                     {"result_code", "SUCCESS"},
                     {"mch_billno", xml->text_of("mch_billno")},
                     {"total_amount", xml->text_of("total_amount")},
                     {"send_listid", "100000000020150520314766074200"}});
    };
    return script;
  }
  static std::string same_again(const XmlElement& xml) {
    return xml.text_of("re_openid") + " " + xml.text_of("total_amount");
  }
};

Delivery payment(std::int64_t amount = 520) {
  Delivery delivery;
  delivery.key = {0xab, 0xcd};
  delivery.addresses = {{"openid", "oABC"}};
  delivery.campaign = "新年红包";
  delivery.content = "packet";
  delivery.body = "恭喜发财";
  delivery.payout = Payout{amount, "CNY", "谢谢"};
  return delivery;
}

class WechatPayTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> open(const Given& given) {
    auto settings = Settings::read(wechat_pay().settings, given);
    if (!settings) return std::move(settings).error();
    Tools tools{context.get_executor(), &http, [this] { return now; },
                [](Level, std::string_view) {}};
    return wechat_pay().open(*settings, std::move(tools));
  }
  std::string pay(const Given& given, Delivery delivery = payment()) {
    auto connector = open(given);
    EXPECT_TRUE(connector) << connector.error().what;
    return connector ? to_string(wait_for(context, (*connector)->deliver(std::move(delivery))))
                     : "";
  }
  std::string ask(const Given& given, Hash128 key = {0xab, 0xcd}) {
    auto connector = open(given);
    EXPECT_TRUE(connector) << connector.error().what;
    return connector ? to_string(wait_for(context, (*connector)->ask(key))) : "";
  }
  asio::io_context context;
  net::Client http{context.get_executor()};
  Timestamp now{1'772'447'400'000'000};
};

class RedPacketTest : public WechatPayTest {
 protected:
  PacketPlatform platform;
};

TEST_F(RedPacketTest, AnOpenPacketIsPendingUntilItIsReceivedOrGoesBack) {
  EXPECT_EQ(pay(platform.settings()), "pending for 25 hours: the packet is SENT");
  const auto xml = parse_xml(platform.last().body);
  ASSERT_TRUE(xml);
  EXPECT_EQ(xml->text_of("mch_billno"), "00000000000000ab000000000000");
  EXPECT_EQ(xml->text_of("total_amount"), "520");
  EXPECT_EQ(xml->text_of("wishing"), "恭喜发财");
  EXPECT_EQ(xml->text_of("remark"), "谢谢");
  for (const auto& [state, came] :
       {std::pair("SENDING", "pending for 25 hours: the packet is SENDING"),
        std::pair("SENT", "pending for 25 hours: the packet is SENT"),
        std::pair("RECEIVED", "done"),
        std::pair("RFUND_ING", "pending for 25 hours: the packet is RFUND_ING"),
        std::pair("REFUND", "refused (lapsed): the packet is REFUND"),
        std::pair("FAILED", "refused (failed): the packet is FAILED"),
        std::pair("NEW <x>", "unknown: the packet is NEW??X?")}) {
    platform.books->state = state;
    EXPECT_THAT(ask(platform.settings()), StartsWith(std::string(came).substr(0, 20))) << state;
  }
  EXPECT_THAT(ask(platform.settings(), {1, 2}), StartsWith("deferred"));
}

TEST_F(RedPacketTest, TheSameNumberIsTheSamePacketAndNeverAnother) {
  EXPECT_THAT(pay(platform.settings()), StartsWith("pending"));
  EXPECT_THAT(pay(platform.settings()), StartsWith("pending"));
  EXPECT_EQ(platform.books->packets.size(), 1u);
  EXPECT_EQ(pay(platform.settings(), payment(521)),
            "refused (bad_content): it answered FATAL_ERROR");
}

TEST_F(RedPacketTest, WhatCannotBePaidIsNotTried) {
  const auto why = [&](Delivery delivery) { return pay(platform.settings(), std::move(delivery)); };
  EXPECT_THAT(why(payment(99)), HasSubstr("between 100 and 20000 fen"));
  EXPECT_THAT(why(payment(20'001)), HasSubstr("between 100 and 20000 fen"));
  Delivery foreign = payment();
  foreign.payout->currency = "USD";
  EXPECT_THAT(why(foreign), HasSubstr("only CNY"));
  Delivery nothing = payment();
  nothing.payout.reset();
  EXPECT_THAT(why(nothing), HasSubstr("it pays nothing"));
  EXPECT_TRUE(platform.books->packets.empty());
  Given scene = platform.settings();
  scene["scene_id"] = "PRODUCT_2";
  EXPECT_THAT(pay(scene, payment(30)), StartsWith("pending"));
}

TEST_F(RedPacketTest, HmacIsToldFromMd5) {
  Given given = platform.settings();
  given["sign_by"] = "hmac_sha256";
  EXPECT_EQ(pay(given),
            "refused (credentials): it does not take our signature, certificate or fields");
}

TEST(RedPacketCodes, HaveTheirClasses) {
  for (const auto& [code, came] :
       {std::pair("SYSTEMERROR", "unknown"), std::pair("PROCESSING", "unknown"),
        std::pair("SOMETHING_NEW", "unknown"), std::pair("", "unknown"),
        std::pair("FREQ_LIMIT", "deferred"), std::pair("NOTENOUGH", "refused (quota)"),
        std::pair("SENDAMOUNT_LIMIT", "refused (quota)"),
        std::pair("SENDNUM_LIMIT", "refused (window_closed)"),
        std::pair("RCVDAMOUNT_LIMIT", "refused (window_closed)"),
        std::pair("NO_AUTH", "refused (unreachable)"),
        std::pair("OPENID_ERROR", "refused (unreachable)"),
        std::pair("SEND_FAILED", "refused (failed)"),
        std::pair("FATAL_ERROR", "refused (bad_content)"),
        std::pair("MONEY_LIMIT", "refused (bad_content)"),
        std::pair("CA_ERROR", "refused (credentials)"),
        std::pair("PAYER_ACCOUNT_ABNORMAL", "refused (credentials)")})
    EXPECT_THAT(to_string(red_packet_outcome(code)), StartsWith(came)) << code;
}

// --- Transfers ----------------------------------------------------------------------------------

template <class T>
std::string pem_of(int (*write)(BIO*, T*), T* what) {
  BIO* const memory = BIO_new(BIO_s_mem());
  write(memory, what);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  std::string text(bytes, static_cast<std::size_t>(size));
  BIO_free(memory);
  return text;
}

// The platform's key, as a public key and inside a certificate.
struct PlatformPair {
  std::string private_pem, public_pem, certificate_pem;
  PlatformPair() {
    EVP_PKEY* const key = EVP_RSA_gen(2048);
    private_pem = pem_of<EVP_PKEY>(
        [](BIO* to, EVP_PKEY* of) {
          return PEM_write_bio_PrivateKey(to, of, nullptr, nullptr, 0, nullptr, nullptr);
        },
        key);
    public_pem =
        pem_of<EVP_PKEY>([](BIO* to, EVP_PKEY* of) { return PEM_write_bio_PUBKEY(to, of); }, key);
    X509* const certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    certificate_pem =
        pem_of<X509>([](BIO* to, X509* of) { return PEM_write_bio_X509(to, of); }, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};
const PlatformPair& platform_pair() {
  static const PlatformPair pair;
  return pair;
}

std::string sealed(const std::string& text, const std::string& nonce, const std::string& about) {
  EVP_CIPHER_CTX* const cipher = EVP_CIPHER_CTX_new();
  std::string out(text.size(), '\0'), tag(16, '\0');
  int size = 0;
  const auto* const key = reinterpret_cast<const unsigned char*>(api_v3_key);
  EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nullptr, key,
                     reinterpret_cast<const unsigned char*>(nonce.data()));
  EVP_EncryptUpdate(cipher, nullptr, &size, reinterpret_cast<const unsigned char*>(about.data()),
                    static_cast<int>(about.size()));
  EVP_EncryptUpdate(cipher, reinterpret_cast<unsigned char*>(out.data()), &size,
                    reinterpret_cast<const unsigned char*>(text.data()),
                    static_cast<int>(text.size()));
  EVP_EncryptFinal_ex(cipher, reinterpret_cast<unsigned char*>(out.data()) + size, &size);
  EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, 16, tag.data());
  EVP_CIPHER_CTX_free(cipher);
  return base64(out + tag);
}

// The platform for transfers: it verifies each request by the merchant's key, keeps bills by their
// number, signs what it answers and encrypts what it gives away.
class TransferPlatform final : public HttpProvider {
 public:
  struct Books {
    std::map<std::string, Json> bills;
    std::string state = "WAIT_USER_CONFIRM", reason, serial = "PUB_KEY_ID_01167", code;
    int status = 200, certificates = 0;
    bool signs = true;
  };
  explicit TransferPlatform(std::shared_ptr<Books> kept = std::make_shared<Books>())
      : HttpProvider(script(kept)), books(std::move(kept)) {
    setenv("KOI_TEST_PAY_V3", api_v3_key, 1);
  }
  Given settings() const override {
    return {{"product", "transfer"},
            {"url", address()},
            {"mch_id", "1900000001"},
            {"app_id", "wxd930ea5d5a258f4f"},
            {"certificate_key", file_with("pay_key.pem", own_key_pem())},
            {"serial_no", "D7CE59D1F522D701"},
            {"api_v3_key", "env:KOI_TEST_PAY_V3"},
            {"platform_key", file_with("pay_public.pem", platform_pair().public_pem)},
            {"platform_key_id", "PUB_KEY_ID_01167"},
            {"answer_within", within()}};
  }
  static net::Headers signature(const std::string& body, const std::string& serial) {
    const std::string second = "1772447400", nonce = "n0nce";
    return {
        {"Wechatpay-Timestamp", second},
        {"Wechatpay-Nonce", nonce},
        {"Wechatpay-Serial", serial},
        {"Wechatpay-Signature",
         RsaKey::read(platform_pair().private_pem)->sign(pay_answer_text(second, nonce, body))}};
  }
  std::shared_ptr<Books> books;

 private:
  static bool is_signed(const net::Asked& asked) {
    const std::string* const given = net::find(asked.headers, "authorization");
    if (!given || !given->starts_with("WECHATPAY2-SHA256-RSA2048 ")) return false;
    const auto part = [&](const std::string& name) {
      const std::size_t at = given->find(name + "=\"") + name.size() + 2;
      return given->substr(at, given->find('"', at) - at);
    };
    const std::string address = asked.path + (asked.query.empty() ? "" : "?" + asked.query);
    return part("mchid") == "1900000001" && part("serial_no") == "D7CE59D1F522D701" &&
           RsaKey::read(own_key_pem())
               ->verifies(asked.method + "\n" + address + "\n" + part("timestamp") + "\n" +
                              part("nonce_str") + "\n" + asked.body + "\n",
                          part("signature"));
  }
  static net::Answer signed_answer(const Books& books, const Json& json) {
    net::Answer answer{.body = json.dump()};
    if (books.signs) answer.headers = signature(answer.body, books.serial);
    return answer;
  }
  static net::Answer failed(int status, const std::string& code) {
    return {.status = status, .body = Json{{"code", code}, {"message", "told"}}.dump()};
  }
  static Script script(const std::shared_ptr<Books>& books) {
    Script script;
    script.aside = [books](const net::Asked& asked) -> std::optional<net::Answer> {
      if (!is_signed(asked)) return failed(401, "SIGN_ERROR");
      if (asked.path == "/v3/certificates") {
        ++books->certificates;
        const std::string nonce = "123456789012";
        return signed_answer(*books, {{"data",
                                       {{{"serial_no", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"},
                                         {"encrypt_certificate",
                                          {{"algorithm", "AEAD_AES_256_GCM"},
                                           {"nonce", nonce},
                                           {"associated_data", "certificate"},
                                           {"ciphertext", sealed(platform_pair().certificate_pem,
                                                                 nonce, "certificate")}}}}}}});
      }
      if (books->status != 200) return failed(books->status, books->code);
      const std::string by_number = "/v3/fund-app/mch-transfer/transfer-bills/out-bill-no/";
      std::string number;
      if (asked.method == "GET" && asked.path.starts_with(by_number)) {
        number = asked.path.substr(by_number.size());
        if (!books->bills.contains(number)) return failed(404, "NOT_FOUND");
      } else {
        const Json body = Json::parse(asked.body, nullptr, false);
        number = body.value("out_bill_no", "");
        const Json told = body.value("transfer_scene_report_infos", Json());
        if (number.empty() || body.value("openid", "").empty() || !told.is_array() ||
            told.size() != 2 || body.value("transfer_amount", 0) < 30 ||
            body.value("transfer_remark", "").size() > 96)
          return failed(400, "PARAM_ERROR");
        const auto [bill, is_new] = books->bills.emplace(number, body);
        if (!is_new && bill->second != body) return failed(400, "INVALID_REQUEST");
      }
      Json answer{{"out_bill_no", number},
                  {"transfer_bill_no", "1330000071100999991182020050700019480001"},
                  {"create_time", "2026-03-02T18:30:00+08:00"},
                  {"state", books->state}};
      if (books->state == "WAIT_USER_CONFIRM") answer["package_info"] = "affffddafdfafddffda==";
      if (!books->reason.empty()) answer["fail_reason"] = books->reason;
      return signed_answer(*books, answer);
    };
    script.key_of = [](const net::Asked&) { return std::nullopt; };
    return script;
  }
};

class TransferTest : public WechatPayTest {
 protected:
  TransferPlatform platform;
};

TEST_F(TransferTest, WaitsForThePersonAndTellsWhatHeConfirmsWith) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector) << connector.error().what;
  const Outcome outcome = wait_for(context, (*connector)->deliver(payment()));
  const auto* const pending = std::get_if<Pending>(&outcome);
  ASSERT_TRUE(pending) << to_string(outcome);
  EXPECT_EQ(pending->confirm_with, "affffddafdfafddffda==");
  EXPECT_EQ(pending->within, hours(25));
  EXPECT_THAT(to_string(outcome), testing::Not(HasSubstr("affff")));
  const Json& bill = platform.books->bills.at("00000000000000ab00000000000000cd");
  EXPECT_EQ(bill["transfer_amount"], 520);
  EXPECT_EQ(bill["transfer_remark"], "谢谢");
  EXPECT_EQ(bill["transfer_scene_report_infos"][0]["info_content"], "新年红包");
  for (const auto& [state, reason, came] :
       {std::tuple("SUCCESS", "", "done"), std::tuple("CANCELLED", "", "refused (lapsed)"),
        std::tuple("FAIL", "ACCOUNT_FROZEN", "refused (unreachable)"),
        std::tuple("FAIL", "DAY_RECEIVED_QUOTA_EXCEED", "refused (window_closed)"),
        std::tuple("FAIL", "OVERDUE_CLOSE", "refused (lapsed)"),
        std::tuple("FAIL", "MERCHANT_REJECT", "refused (failed)"),
        std::tuple("TRANSFERING", "", "pending"), std::tuple("PROCESSING", "", "pending"),
        std::tuple("SOMETHING_NEW", "", "unknown")}) {
    platform.books->state = state;
    platform.books->reason = reason;
    EXPECT_THAT(ask(platform.settings()), StartsWith(came)) << state << " " << reason;
  }
  EXPECT_THAT(ask(platform.settings(), {1, 2}), StartsWith("deferred"));
}

TEST_F(TransferTest, TheSameBillIsOneAndAnotherUnderItsNumberIsRefused) {
  EXPECT_THAT(pay(platform.settings()), StartsWith("pending"));
  EXPECT_THAT(pay(platform.settings()), StartsWith("pending"));
  EXPECT_EQ(platform.books->bills.size(), 1u);
  EXPECT_THAT(pay(platform.settings(), payment(521)), StartsWith("refused (bad_content)"));
  EXPECT_THAT(pay(platform.settings(), payment(200'000)), HasSubstr("between 30 and 199999 fen"));
}

TEST_F(TransferTest, WhatThePlatformHasNotSignedIsNotBelieved) {
  platform.books->signs = false;
  EXPECT_THAT(pay(platform.settings()), StartsWith("unknown"));
  platform.books->signs = true;
  now = now + minutes(6);
  EXPECT_THAT(pay(platform.settings()), StartsWith("unknown")) << "an answer of old";
}

TEST_F(TransferTest, CertificatesAreFetchedForASerialThatIsNotKnownAndNotAgainAndAgain) {
  Given given = platform.settings();
  given.erase("platform_key");
  given.erase("platform_key_id");
  platform.books->serial = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";
  auto connector = open(given);
  ASSERT_TRUE(connector);
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(to_string(wait_for(context, (*connector)->deliver(payment()))),
                StartsWith("pending"));
  EXPECT_EQ(platform.books->certificates, 1);
  platform.books->serial = "another";
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(to_string(wait_for(context, (*connector)->deliver(payment()))),
                StartsWith("unknown"));
  EXPECT_EQ(platform.books->certificates, 1) << "at most once a minute";
}

TEST_F(TransferTest, WhatTheAnswersMean) {
  for (const auto& [status, code, came] :
       {std::tuple(401, "SIGN_ERROR", "refused (credentials)"),
        std::tuple(400, "PARAM_ERROR", "refused (bad_content)"),
        std::tuple(400, "SOMETHING_NEW", "unknown"),
        std::tuple(403, "NO_AUTH", "refused (credentials)"),
        std::tuple(403, "NOT_ENOUGH", "refused (quota)"),
        std::tuple(403, "RULE_LIMIT", "refused (window_closed)"),
        std::tuple(403, "USER_ACCOUNT_ABNORMAL", "refused (unreachable)"),
        std::tuple(429, "RATELIMIT_EXCEEDED", "deferred"),
        std::tuple(500, "SYSTEM_ERROR", "unknown"),
        std::tuple(502, "SERVICE_UNAVAILABLE", "unknown"), std::tuple(202, "X", "unknown")}) {
    platform.books->status = status;
    platform.books->code = code;
    EXPECT_THAT(pay(platform.settings()), StartsWith(came)) << status << " " << code;
    // What refuses a question says nothing of the money.
    EXPECT_THAT(ask(platform.settings()), StartsWith("unknown")) << status << " " << code;
  }
}

TEST_F(TransferTest, ACallbackIsVerifiedAndOpenedAndSaysWhatBecameOfTheBill) {
  const auto callback = [](const std::string& state, const std::string& type) {
    const Json bill{{"out_bill_no", "00000000000000ab00000000000000cd"},
                    {"state", state},
                    {"mch_id", "1900000001"}};
    const std::string nonce = "123456789012";
    return Json{{"id", "3119dfba"},
                {"resource_type", "encrypt-resource"},
                {"event_type", type},
                {"resource",
                 {{"algorithm", "AEAD_AES_256_GCM"},
                  {"original_type", "mch_payment"},
                  {"associated_data", "mch_payment"},
                  {"nonce", nonce},
                  {"ciphertext", sealed(bill.dump(), nonce, "mch_payment")}}}}
        .dump();
  };
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  const auto receive = [&](const std::string& body, const std::string& of, const char* serial) {
    net::Asked asked{.method = "POST", .path = "/", .headers = {}, .body = body};
    asked.headers = TransferPlatform::signature(of, serial);
    return wait_for(context, (*connector)->receive(std::move(asked)));
  };
  const std::string finished = "MCHTRANSFER.BILL.FINISHED";
  for (const auto& [state, failure] :
       {std::pair("SUCCESS", Failure::None), std::pair("CANCELLED", Failure::Lapsed)}) {
    const std::string body = callback(state, finished);
    const Received received = receive(body, body, "PUB_KEY_ID_01167");
    EXPECT_EQ(received.answer.status, 204);
    ASSERT_EQ(received.reports.size(), 1u);
    EXPECT_EQ(received.reports[0].key, (Hash128{0xab, 0xcd}));
    EXPECT_EQ(received.reports[0].failure, failure);
  }
  const std::string other = callback("SUCCESS", "TRANSACTION.SUCCESS");
  EXPECT_TRUE(receive(other, other, "PUB_KEY_ID_01167").reports.empty());
  const std::string body = callback("SUCCESS", finished);
  for (const Received& wrong :
       {receive(body, body + " ", "PUB_KEY_ID_01167"), receive(body, body, "PUB_KEY_ID_2")}) {
    EXPECT_EQ(wrong.answer.status, 401);
    EXPECT_TRUE(wrong.reports.empty());
  }
  Json spoilt = Json::parse(body);
  spoilt["resource"]["associated_data"] = "x";
  EXPECT_EQ(receive(spoilt.dump(), spoilt.dump(), "PUB_KEY_ID_01167").answer.status, 400);
}

TEST_F(WechatPayTest, WrongSettingsAreNamed) {
  PacketPlatform packets;
  TransferPlatform transfers;
  const auto wrong = [&](Given given, const char* name, std::optional<std::string> value) {
    if (value)
      given[name] = *value;
    else
      given.erase(name);
    const auto opened = open(given);
    return opened ? "fine" : opened.error().what;
  };
  EXPECT_THAT(wrong(packets.settings(), "api_key", std::nullopt),
              HasSubstr("`api_key` is missing"));
  EXPECT_THAT(wrong(packets.settings(), "url", "https://127.0.0.1:1"),
              HasSubstr("`certificate` is missing"));
  EXPECT_THAT(wrong(transfers.settings(), "serial_no", std::nullopt),
              HasSubstr("`serial_no` is missing"));
  EXPECT_THAT(wrong(transfers.settings(), "platform_key_id", std::nullopt),
              HasSubstr("belong together"));
  EXPECT_THAT(wrong(transfers.settings(), "certificate_key", "/nowhere"),
              HasSubstr("cannot be read"));
  EXPECT_THAT(wrong(transfers.settings(), "platform_key", file_with("pay_none.pem", "x")),
              HasSubstr("no RSA key"));
}

}  // namespace

std::unique_ptr<channel::Provider> wechat_pay_provider() {
  return std::make_unique<PacketPlatform>();
}

}  // namespace koi::connectors
