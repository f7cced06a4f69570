// Mutual TLS for connections: each side shows a certificate of the authority that the other trusts.
// TLS 1.3 only. Internal to this folder.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "worker/protocol/connection.h"

namespace emend::worker::protocol {

// The files are read again for each connection, so that renewed certificates count without a
// restart; files that cannot be used then (half written) leave the last good ones in place, and a
// warning. Used on the runtime's executor only.
class TlsIdentity {
 public:
  // kInvalidArgument ("bad_tls_files") names the file and what OpenSSL says of it.
  static Result<TlsIdentity> Load(TlsFiles files);
  std::shared_ptr<boost::asio::ssl::context> Current();

 private:
  TlsIdentity(TlsFiles files, std::shared_ptr<boost::asio::ssl::context> context)
      : files_(std::move(files)), context_(std::move(context)) {}
  TlsFiles files_;
  std::shared_ptr<boost::asio::ssl::context> context_;
};

// Wraps a connected socket; the handshake begins at once. A server asks for a certificate; a client
// expects one that names `host`.
std::shared_ptr<Connection> AcceptTls(Runtime& runtime, TlsIdentity& identity,
                                      boost::asio::ip::tcp::socket socket, std::string peer);
std::shared_ptr<Connection> DialTls(Runtime& runtime, TlsIdentity& identity,
                                    boost::asio::ip::tcp::socket socket, std::string peer,
                                    const std::string& host);

}  // namespace emend::worker::protocol
