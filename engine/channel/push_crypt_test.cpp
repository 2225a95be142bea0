#include "channel/push_crypt.h"

#include <gtest/gtest.h>

#include <random>

#include "channel/crypto.h"

namespace koi::channel {
namespace {

constexpr std::string_view wechatpy_key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

PushCrypt of_wechatpy() { return *PushCrypt::open("123456", wechatpy_key, "wx49f0ab532d5d035a"); }

// Vectors of wechatpy (tests/test_utils.py, tests/test_crypto.py), silenceper/wechat
// (util/signature_test.go) and w7corp/easywechat (tests/Kernel/EncryptorTest.php).
TEST(PushCrypt, SignsAsPublished) {
  EXPECT_EQ(push_signature({"test", "1410685589", "test"}),
            "f21891de399b4e33a1a93c9a7b8a8fffb5a443ff");
  EXPECT_EQ(push_signature({"c", "a", "b"}), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(PushCrypt, DecryptsAsPublished) {
  const std::string_view echo =
      "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q==";
  const PushCrypt crypt = of_wechatpy();
  EXPECT_TRUE(
      crypt.is_signed("dd6b9c95b495b3f7e2901bfbc76c664930ffdb96", "1411443780", "437374425", echo));
  EXPECT_EQ(*crypt.decrypt(echo), "5927782489442352469");

  const std::string_view sealed =
      "rTNFcsut4LfGuAFKEUVVpwcaCOTJzOd9twZdIW910jb3k+iicx2uvhttIZ3Qg9Qgty3BEF2xbOrz6boT"
      "fb30dMomcgrkTqdFPwnhqbk+kIQ7rZiwny9D7NUrTgA5kpX3KsZvrXzUZyP2x9YOlxbgm572lmxKvM7H"
      "AQQhIQ/p6HBmoY30bGXFK0BtIu1pW9TjhOYrLQoU18nWYjWqDA1ynkmOytpv7QRI1P1+0NoxL0q2zO1D"
      "geSvnE8CZGo/o5Ap/WHK5W2RAsinpzN4/LjPnmB6U01I5XCoJoC0GK/yMZycd2Oh8Nq6+wBkC1U85oy0"
      "ktOY4nLvsQMLrourmMGdZHuTbqpeJ8Ao/5PRYJ+WBvRUwPfGKBL2+2IKZF49vAJqkcGWSHGE76ZN2erX"
      "euNazf/o9o3lIE3q739o4c8t9QGPe31GT2Go/rOz1BsrASwvauNulCh+++yz+CQzBIuikA==";
  const auto other = PushCrypt::open("pamtest", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
                                     "wxb11529c136998cb6");
  ASSERT_TRUE(other);
  EXPECT_TRUE(other->is_signed("4f3ad57b6989f09f4eb392acce4f9e93942ed890", "1458300676",
                               "260774613", sealed));
  EXPECT_EQ(*other->decrypt(sealed),
            "<xml><URL><![CDATA[http://wechat.laravel.so/server]]></URL><ToUserName>"
            "<![CDATA[asdasdasd]]></ToUserName><FromUserName><![CDATA[asdasdasdsadasd]]>"
            "</FromUserName><CreateTime>1234567898</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            "<Content><![CDATA[hello]]></Content><MsgId>12345</MsgId></xml>");
}

TEST(PushCrypt, EncryptsAsPublished) {
  const std::string_view message =
      "<xml>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[test]]></Content>\n"
      "<FromUserName><![CDATA[wx49f0ab532d5d035a]]></FromUserName>\n"
      "<ToUserName><![CDATA[messense]]></ToUserName>\n<AgentID>1</AgentID>\n"
      "<CreateTime>1411525903</CreateTime>\n</xml>";
  const std::string_view sealed =
      "9s4gMv99m88kKTh/H8IdkOiMg6bisoy3ypwy9H4hvSPe9nsGaqyw5hhSjdYbcrKk+j3nba4HMOTzHrlu"
      "LBYqxgNcBqGsL8GqxlhZgURnAtObvesEl5nZ+uBE8bviY0LWke8Zy9V/QYKxNV2FqllNXcfmstttyIkM"
      "KCCmVbCFM2JTF5wY0nFhHZSjPUL2Q1qvSUCUld+/WIXrx0oyKQmpB6o8NRrrNrsDf03oxI1p9FxUgMnw"
      "KKZeOA/uu+2IEvEBtb7muXsVbwbgX05UPPJvFurDXafG0RQyPR+mf1nDnAtQmmNOuiR5MIkdQ39xn1vW"
      "wi1O5oazPoQJz0nTYjxxEE8kv3kFxtAGVRe3ypD3WeK2XeFYFMNMpatF9XiKzHo3";
  const PushCrypt crypt = of_wechatpy();
  EXPECT_EQ(crypt.encrypt(message, "1234567890123456"), sealed);
  EXPECT_EQ(crypt.signature("1411525903", "461056294", sealed),
            "407518b7649e86ef23978113f92d27afa9296533");
}

TEST(PushCrypt, EveryLengthOfPaddingIsReadBack) {
  const PushCrypt crypt = of_wechatpy();
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string message(size, 'x');
    EXPECT_EQ(*crypt.decrypt(crypt.encrypt(message, "0123456789abcdef")), message);
  }
}

TEST(PushCrypt, WhatIsNotOursIsRefused) {
  const PushCrypt crypt = of_wechatpy();
  const auto stranger = PushCrypt::open("123456", wechatpy_key, "wx0000000000000000");
  const std::string sealed = crypt.encrypt("hello", "0123456789abcdef");
  EXPECT_FALSE(stranger->decrypt(sealed));
  const std::string right = crypt.signature("1", "2", sealed);
  EXPECT_FALSE(crypt.is_signed(right, "1", "3", sealed));
  EXPECT_FALSE(crypt.is_signed("", "1", "2", sealed));
  for (const char* const bytes : {"", "====", "AAAA", "not base64", "AAAAAAAAAAAAAAAAAAAAAA=="})
    EXPECT_FALSE(crypt.decrypt(bytes)) << bytes;
  std::mt19937_64 chance(3);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes(16 * (1 + chance() % 6), ' ');
    for (char& c : bytes) c = static_cast<char>(chance());
    EXPECT_FALSE(crypt.decrypt(base64(bytes)));
  }
  EXPECT_FALSE(PushCrypt::open("t", "short", "r"));
  EXPECT_FALSE(PushCrypt::open("t", std::string(43, '!'), "r"));
}

}  // namespace
}  // namespace koi::channel
