#include "model/delivery.h"

namespace koi {

std::string to_string(const Delivery& delivery) {
  std::string text = "delivery " + to_hex(delivery.key);
  text.append(" (").append(delivery.content).append(" of ").append(delivery.campaign);
  text.append(" via ").append(delivery.channel).append(", attempt ");
  return text.append(std::to_string(delivery.attempt)).append(")");
}

}  // namespace koi
