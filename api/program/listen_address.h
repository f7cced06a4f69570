// Whether a program may listen on an address: without TLS only where nobody else can hear it.
//
//   EMEND_RETURN_IF_ERROR(CheckListenAddress({.name = "--listen"}, "127.0.0.1:8321"));
//
// Pure functions.
#pragma once

#include <string>

#include "storage/base/status.h"

namespace emend::api::program {

// An option that names an address to listen on.
enum class Transit { kPlain, kTls };
struct ListenOption {
  std::string name = "--listen";
  Transit transit = Transit::kPlain;
  // for who wants another address
  std::string advice = "listen on 127.0.0.1 and let a proxy on this machine add TLS";
};
// kInvalidArgument unless `listen` is IP:PORT; kUnsupported ("needs_tls") unless that is a loopback
// address or the transit is encrypted.
Status CheckListenAddress(const ListenOption& option, const std::string& listen);

}  // namespace emend::api::program
