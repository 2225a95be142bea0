#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace koi::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view program_in_english = R"(# A small Koi program. In this folder:
#   koi check .                            says what is wrong with it
#   koi test .                             runs its tests
#   koi run . --events events.ndjson --messages 3   feeds events through it

event register    { name: text?  email: email? }
event add_to_cart { sku: text  price: money }
event purchase    { order: text  amount: money }

customer {
  name: text?
  email: email? private
  identify by email
  on register set name = register.name, email = register.email
}

metric orders = count purchase

channel email { class direct  cost £0.002  reach by email }

policy {
  time zone "Europe/London"
  currency GBP
  quiet hours 22:00 to 08:00 delay
  cap marketing 1 per day
  consent required for marketing
}

content cart_reminder {
  title "Still thinking it over?"
  body  "Hello {customer.name or "there"}, your {cart.sku} for {cart.price} is waiting."
}

campaign cart_rescue {
  class marketing
  enter once every 3 days
  goal purchase within 3 days

  when add_to_cart as cart and no purchase within 30 minutes
    send cart_reminder via email
}

test "a cart that is left standing is remembered" {
  given customer ann { email: "ann@example.com"  consent: marketing }
  at 2026-03-02 10:00  ann add_to_cart { sku: "teapot"  price: £24.00 }
  at 2026-03-02 10:30  expect send cart_reminder to ann via email
}

test "who buys within the half hour hears nothing" {
  given customer ann { email: "ann@example.com"  consent: marketing }
  at 2026-03-02 10:00  ann add_to_cart { sku: "teapot"  price: £24.00 }
  at 2026-03-02 10:29  ann purchase { order: "o1"  amount: £24.00 }
  until 2026-03-05 00:00
  expect nothing
}
)";

constexpr std::string_view events_in_english =
    R"({"id":"e1","type":"register","time":"2026-03-02T09:58:00+00:00","subject":"ann","data":{"name":"Ann","email":"ann@example.com"}}
{"id":"e2","type":"consented","time":"2026-03-02T09:58:00+00:00","subject":"ann","data":{"purpose":"marketing"}}
{"id":"e3","type":"add_to_cart","time":"2026-03-02T10:00:00+00:00","subject":"ann","data":{"sku":"teapot","price":"24.00"}}
{"id":"e4","type":"register","time":"2026-03-02T10:05:00+00:00","subject":"bob","data":{"name":"Bob"}}
{"id":"e5","type":"add_to_cart","time":"2026-03-02T10:06:00+00:00","subject":"bob","data":{"sku":"kettle","price":"38.50"}}
{"id":"e6","type":"purchase","time":"2026-03-02T12:00:00+00:00","subject":"ann","data":{"order":"o1","amount":"24.00"}}
)";

constexpr std::string_view program_in_chinese = R"(# 一个小小的 Koi 程序。在此文件夹中：
#   koi check .                                     检查程序
#   koi test .                                      运行其中的测试
#   koi run . --events events.ndjson --messages 3   让事件流过程序

事件 register    “注册” ｛ name “姓名”：文本？  email “邮箱”：电子邮件？ ｝
事件 add_to_cart “加购” ｛ sku “商品”：文本  price “价格”：金额 ｝
事件 purchase    “购买” ｛ order “订单”：文本  amount “金额”：金额 ｝

顾客 ｛
  name  “姓名”：文本？
  email “邮箱”：电子邮件？ 私密
  识别 邮箱
  逢 注册 设置 姓名 = 注册.姓名，邮箱 = 注册.邮箱
｝

指标 订单数 = 计数 购买

渠道 mail “邮件” ｛ 类别 直达  费用 0.002元  寻址 邮箱 ｝

总则 ｛
  时区 “Asia/Shanghai”
  货币 CNY
  免打扰 22:00 至 08:00 推迟
  频次 营销 1 每天
  同意 必需 面向 营销
｝

内容 购物车提醒 ｛ 标题 “还在考虑吗？”  正文 “{顾客.姓名 或 “朋友”}，你看中的 {车.商品}（{车.价格}）还在购物车里。” ｝

活动 购物车召回 ｛
  类别 营销
  进入 一次 每隔 3天
  目标 购买 于 3天内

  当 加购 记作 车 且没有 购买 于 30分钟内
    发送 购物车提醒 通过 邮件
｝

测试 “购物车放了半小时，收到提醒” ｛
  假如 顾客 小安 ｛ 邮箱：“an@example.com”  同意：营销 ｝
  在 2026-03-02 10:00  小安 加购 ｛ 商品：“茶壶”  价格：168元 ｝
  在 2026-03-02 10:30  应当 发送 购物车提醒 给 小安 通过 邮件
｝

测试 “半小时内买了就不打扰” ｛
  假如 顾客 小安 ｛ 邮箱：“an@example.com”  同意：营销 ｝
  在 2026-03-02 10:00  小安 加购 ｛ 商品：“茶壶”  价格：168元 ｝
  在 2026-03-02 10:29  小安 购买 ｛ 订单：“o1”  金额：168元 ｝
  直到 2026-03-05 00:00
  应当 无动作
｝
)";

constexpr std::string_view events_in_chinese =
    R"({"id":"e1","type":"register","time":"2026-03-02T09:58:00+08:00","subject":"an","data":{"name":"小安","email":"an@example.com"}}
{"id":"e2","type":"consented","time":"2026-03-02T09:58:00+08:00","subject":"an","data":{"purpose":"marketing"}}
{"id":"e3","type":"加购","time":"2026-03-02T10:00:00+08:00","subject":"an","data":{"商品":"茶壶","价格":"168.00"}}
{"id":"e4","type":"register","time":"2026-03-02T10:05:00+08:00","subject":"bao","data":{"name":"小宝"}}
{"id":"e5","type":"add_to_cart","time":"2026-03-02T10:06:00+08:00","subject":"bao","data":{"sku":"香炉","price":"98.50"}}
{"id":"e6","type":"purchase","time":"2026-03-02T12:00:00+08:00","subject":"an","data":{"order":"o1","amount":"168.00"}}
)";

int init(const std::string& folder, Language language) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    return trouble("`" + folder + "` is a file; name a folder");
  if (fs::is_directory(folder, error) && !fs::is_empty(folder, error))
    return trouble("`" + folder + "` has something in it already; name a new folder");
  fs::create_directories(folder, error);
  if (error) return trouble("`" + folder + "` cannot be made: " + error.message());
  const bool chinese = language == Language::Chinese;
  auto written =
      write_file(fs::path(folder) / "shop.koi", chinese ? program_in_chinese : program_in_english);
  if (written)
    written = write_file(fs::path(folder) / "events.ndjson",
                         chinese ? events_in_chinese : events_in_english);
  if (!written) return trouble(written.error().what);
  return print(
      chinese ? "已生成 " + folder + "/shop.koi 与 events.ndjson。接下来：koi test " + folder + "\n"
              : "made " + folder + "/shop.koi and events.ndjson; next: koi test " + folder + "\n");
}

}  // namespace

std::function<int()> add_init(CLI::App& app) {
  struct Options {
    std::string folder, language;
  };
  auto options = std::make_shared<Options>();
  app.add_option("folder", options->folder, "The folder to make")->required();
  add_language(app, options->language);
  return [options] { return init(options->folder, language_of(options->language)); };
}

}  // namespace koi::cli
