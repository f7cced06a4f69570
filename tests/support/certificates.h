// Certificates for tests: an authority and what it signs, as PEM files in a folder.
//
//   const TestAuthority authority(folder, "a");
//   const worker::protocol::TlsFiles coordinator = authority.Issue("coordinator", "IP:127.0.0.1");
#pragma once

#include <memory>
#include <string>

#include "worker/protocol/connection.h"

namespace emend::test {

class TestAuthority {
 public:
  // Writes <folder>/<name>-ca.pem.
  TestAuthority(std::string folder, std::string name);
  ~TestAuthority();
  // Writes <folder>/<name>.pem and its key, valid for an hour for the hosts of
  // `subject_alternative_name`, as OpenSSL writes it ("DNS:host,IP:127.0.0.1").
  worker::protocol::TlsFiles Issue(const std::string& name,
                                   const std::string& subject_alternative_name) const;

 private:
  struct Parts;
  const std::string folder_;
  const std::string authority_file_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace emend::test
