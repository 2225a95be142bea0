#include "wechat_pay/codes.h"

#include <algorithm>
#include <array>
#include <optional>

namespace koi::connectors {

using namespace channel;

namespace {

// A person has a day to confirm a transfer; asking goes on a little longer.
constexpr Duration to_confirm = hours(24), slack = hours(1);
constexpr Duration between_asking = minutes(20);

template <std::size_t n>
bool is_one_of(std::string_view code, const std::array<std::string_view, n>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// What is shown of a text that a provider wrote: codes are letters and underlines.
std::string shown(std::string_view code) {
  std::string out;
  for (const char c : code.substr(0, 40))
    out += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ? c : '?';
  return out;
}

constexpr std::array<std::string_view, 11> of_account{"SIGN_ERROR",
                                                      "CA_ERROR",
                                                      "ILLEGAL_APPID",
                                                      "MSGAPPID_ERROR",
                                                      "ACCEPTMODE_ERROR",
                                                      "API_METHOD_CLOSED",
                                                      "PAYER_ACCOUNT_ABNORMAL",
                                                      "NO_AUTH_API",
                                                      "MCH_NOT_EXISTS",
                                                      "APPID_MCHID_NOT_MATCH",
                                                      "ACCOUNT_ERROR"};

// The same reasons stand in transfers of both generations.
Failure failure_of_transfer(std::string_view reason) {
  static constexpr std::array<std::string_view, 9> of_person{
      "ACCOUNT_FROZEN",         "REAL_NAME_CHECK_FAIL",        "NAME_NOT_CORRECT",
      "OPENID_INVALID",         "ID_CARD_NOT_CORRECT",         "ACCOUNT_NOT_EXIST",
      "PAYEE_ACCOUNT_ABNORMAL", "RECEIVE_ACCOUNT_NOT_PERMMIT", "TRANSFER_RISK"};
  static constexpr std::array<std::string_view, 4> of_his_limits{
      "DAY_RECEIVED_QUOTA_EXCEED", "MONTH_RECEIVED_QUOTA_EXCEED", "DAY_RECEIVED_COUNT_EXCEED",
      "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED"};
  if (is_one_of(reason, of_person)) return Failure::Unreachable;
  if (is_one_of(reason, of_his_limits) || reason.starts_with("BLOCK_B2C_USERLIMITAMOUNT_"))
    return Failure::WindowClosed;
  if (reason == "OVERDUE_CLOSE") return Failure::Lapsed;
  if (reason == "TRANSFER_REMARK_SET_FAIL") return Failure::BadContent;
  return Failure::Failed;  // this bill is over; others may do better
}

}  // namespace

Outcome red_packet_outcome(std::string_view code) {
  const std::string why = "it answered " + shown(code);
  static constexpr std::array<std::string_view, 2> of_person{"NO_AUTH", "OPENID_ERROR"};
  static constexpr std::array<std::string_view, 2> of_his_limits{"SENDNUM_LIMIT",
                                                                 "RCVDAMOUNT_LIMIT"};
  static constexpr std::array<std::string_view, 4> of_request{"FATAL_ERROR", "MONEY_LIMIT",
                                                              "PARAM_ERROR", "XML_ERROR"};
  static constexpr std::array<std::string_view, 4> of_quota{
      "NOTENOUGH", "SENDAMOUNT_LIMIT", "DAY_OVER_LIMITED", "DAY_ OVER_LIMITED"};
  if (is_one_of(code, of_person)) return Refused{Failure::Unreachable, why};
  if (is_one_of(code, of_his_limits)) return Refused{Failure::WindowClosed, why};
  if (is_one_of(code, of_request)) return Refused{Failure::BadContent, why};
  if (is_one_of(code, of_quota)) return Refused{Failure::Quota, why};
  if (is_one_of(code, of_account)) return Refused{Failure::Credentials, why};
  if (code == "SEND_FAILED") return Refused{Failure::Failed, why};
  if (code == "FREQ_LIMIT" || code == "SECOND_OVER_LIMITED")
    return Deferred{.throttled = true, .why = why};
  return Unknown{why};  // SYSTEMERROR, PROCESSING, and whatever is new
}

Outcome red_packet_state(std::string_view status, Duration lapses_after) {
  const std::string why = "the packet is " + shown(status);
  if (status == "RECEIVED") return Done{};
  if (status == "REFUND") return Refused{Failure::Lapsed, why};
  if (status == "FAILED") return Refused{Failure::Failed, why};
  if (status == "SENDING" || status == "SENT" || status == "RFUND_ING")
    return Pending{.within = lapses_after + slack, .ask_again = between_asking, .why = why};
  return Unknown{why};
}

Outcome transfer_outcome(int status, std::string_view code) {
  const std::string why = "status " + std::to_string(status) + ", " + shown(code);
  if (status == 401) return Refused{Failure::Credentials, why};
  if (status == 429) return Deferred{.throttled = true, .why = why};
  if (status == 400 && (code == "PARAM_ERROR" || code == "INVALID_REQUEST"))
    return Refused{Failure::BadContent, why};
  if (status == 400 && code == "APPID_MCHID_NOT_MATCH") return Refused{Failure::Credentials, why};
  if (status == 403) {
    if (code == "NO_AUTH" || is_one_of(code, of_account)) return Refused{Failure::Credentials, why};
    if (code == "NOT_ENOUGH") return Refused{Failure::Quota, why};
    if (code == "RULE_LIMIT") return Refused{Failure::WindowClosed, why};
    if (code == "USER_ACCOUNT_ABNORMAL") return Refused{Failure::Unreachable, why};
  }
  return Unknown{why};
}

Outcome transfer_state(std::string_view state, std::string_view reason, std::string_view package) {
  const std::string why = "the transfer is " + shown(state);
  if (state == "SUCCESS") return Done{};
  if (state == "CANCELLED") return Refused{Failure::Lapsed, why};
  if (state == "FAIL") return Refused{failure_of_transfer(reason), why + ", " + shown(reason)};
  if (state == "WAIT_USER_CONFIRM")
    return Pending{.within = to_confirm + slack,
                   .ask_again = between_asking,
                   .confirm_with = std::string(package),
                   .why = why};
  if (state == "ACCEPTED" || state == "PROCESSING" || state == "TRANSFERING" ||
      state == "CANCELING")
    return Pending{.within = to_confirm + slack, .ask_again = between_asking, .why = why};
  return Unknown{why};
}

}  // namespace koi::connectors
