#include "aliyun_sms/reply.h"

#include <array>
#include <optional>

namespace koi::connectors {

using namespace channel;

namespace {

enum class Class : std::uint8_t { Person, Window, Bad, Account, Quota, Slower, Unsure };

struct Row {
  std::string_view code;
  Class what;
};
constexpr std::array rows{
    Row{"isv.MOBILE_NUMBER_ILLEGAL", Class::Person},
    Row{"isv.BUSINESS_LIMIT_CONTROL", Class::Window},  // so many for one number
    Row{"isv.DAY_LIMIT_CONTROL", Class::Quota},
    Row{"isv.MONTH_LIMIT_CONTROL", Class::Quota},
    Row{"isv.AMOUNT_NOT_ENOUGH", Class::Quota},
    Row{"isv.OUT_OF_SERVICE", Class::Quota},
    Row{"isv.BLACK_KEY_CONTROL_LIMIT", Class::Bad},
    Row{"isv.SMS_CONTENT_ILLEGAL", Class::Bad},
    Row{"isv.TEMPLATE_MISSING_PARAMETERS", Class::Bad},
    Row{"isv.TEMPLATE_PARAMS_ILLEGAL", Class::Bad},
    Row{"isv.SMS_TEMPLATE_ILLEGAL", Class::Bad},
    Row{"isv.SMS_SIGNATURE_ILLEGAL", Class::Bad},
    Row{"isv.SIGN_STATE_ILLEGAL", Class::Bad},
    Row{"isv.SMS_SIGNATURE_SCENE_ILLEGAL", Class::Bad},
    Row{"isv.INVALID_PARAMETERS", Class::Bad},
    Row{"isv.MOBILE_COUNT_OVER_LIMIT", Class::Bad},
    Row{"isv.DOMESTIC_NUMBER_NOT_SUPPORTED", Class::Bad},
    Row{"isp.RAM_PERMISSION_DENY", Class::Account},
    Row{"isv.PRODUCT_UN_SUBSCRIPT", Class::Account},
    Row{"isv.ACCOUNT_NOT_EXISTS", Class::Account},
    Row{"isv.ACCOUNT_ABNORMAL", Class::Account},
    Row{"isv.DENY_IP_RANGE", Class::Account},
    Row{"InvalidAccessKeyId.NotFound", Class::Account},
    Row{"InvalidAccessKeyId.Inactive", Class::Account},
    Row{"SignatureDoesNotMatch", Class::Account},
    Row{"IncompleteSignature", Class::Account},
    Row{"InvalidTimeStamp.Expired", Class::Account},
    Row{"IllegalTimestamp", Class::Account},
    Row{"Forbidden.RAM", Class::Account},
    Row{"SignatureNonceUsed", Class::Unsure},  // somebody had this very request before
    Row{"isp.SYSTEM_ERROR", Class::Unsure},
    Row{"ServiceUnavailable", Class::Unsure},
    Row{"InternalError", Class::Unsure},
};

std::optional<Class> class_of(std::string_view code) {
  for (const Row& row : rows)
    if (row.code == code) return row.what;
  if (code == "Throttling" || code.starts_with("Throttling.")) return Class::Slower;
  if (code.starts_with("isv.")) return Class::Bad;
  return std::nullopt;
}

// A code is a word; what is none may hold anything.
bool is_word(std::string_view code) {
  return !code.empty() && code.size() <= 64 &&
         code.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             std::string_view::npos;
}

}  // namespace

Outcome sms_outcome(int status, std::string_view code) {
  if (code == "OK" && status == 200) return Done{};
  const std::string why = is_word(code) ? "it answered " + std::string(code)
                                        : "it answered with status " + std::to_string(status);
  if (const auto what = class_of(code)) {
    switch (*what) {
      case Class::Person: return Refused{Failure::Unreachable, why};
      case Class::Window: return Refused{Failure::WindowClosed, why};
      case Class::Bad: return Refused{Failure::BadContent, why};
      case Class::Account: return Refused{Failure::Credentials, why};
      case Class::Quota: return Refused{Failure::Quota, why};
      case Class::Slower: return Deferred{.throttled = true, .why = why};
      case Class::Unsure: return Unknown{why};
    }
  }
  if (status == 429) return Deferred{.throttled = true, .why = why};
  if (status == 401 || status == 403) return Refused{Failure::Credentials, why};
  if (status >= 400 && status < 500 && !code.empty()) return Refused{Failure::BadContent, why};
  return Unknown{why};
}

}  // namespace koi::connectors
