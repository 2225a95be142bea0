// What WeCom pushes to the callback address: customers who come and go, as XML.
// https://developer.work.weixin.qq.com/document/path/92130
#pragma once

#include <string>
#include <vector>

#include "channel/connector.h"
#include "channel/xml.h"

namespace koi::connectors {

// `follow_consents`: who adds a member of staff consents.
std::vector<channel::Told> told_by_wecom(const channel::XmlElement& push, bool follow_consents,
                                         Timestamp now);
// The code with which the customer can be welcomed, within twenty seconds; empty where there is
// none.
std::string wecom_welcome_code(const channel::XmlElement& push);

}  // namespace koi::connectors
