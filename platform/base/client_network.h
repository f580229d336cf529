#pragma once

#include <string>

namespace platform {

// A network that may belong to a single client; see http::ClientNetworks().
struct ClientNetwork {
  std::string name;
  int share = 1;  // How many times the limit of one client the network may use.
};

}  // namespace platform
