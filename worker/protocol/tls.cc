#include "worker/protocol/tls.h"

#include <unistd.h>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cerrno>
#include <cstring>

#include "storage/base/log.h"
#include "worker/protocol/stream_connection.h"

namespace emend::worker::protocol {
namespace {

namespace ssl = asio::ssl;
using asio::ip::tcp;
using TlsStream = ssl::stream<tcp::socket>;

Status BadFile(const std::string& what, const std::string& file, const error_code& error) {
  // OpenSSL's code does not say that a file is missing.
  const bool is_readable = ::access(file.c_str(), R_OK) == 0;
  const std::string found = is_readable ? error.message() : std::strerror(errno);
  return {StatusCode::kInvalidArgument, "bad_tls_files",
          "reading the " + what + " \"" + file + "\": " + found +
              "; expected the PEM files of a certificate, its key and its authority, all three"};
}

Result<std::shared_ptr<ssl::context>> LoadContext(const TlsFiles& files) {
  const auto context = std::make_shared<ssl::context>(ssl::context::tls);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_3_VERSION);
  error_code error;
  context->use_certificate_chain_file(files.certificate, error);
  if (error) return BadFile("TLS certificate", files.certificate, error);
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error) return BadFile("key of " + files.certificate, files.key, error);
  context->load_verify_file(files.authority, error);
  if (error) return BadFile("certificate authority", files.authority, error);
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  return context;
}

std::shared_ptr<Connection> Start(Runtime& runtime, const std::shared_ptr<ssl::context>& context,
                                  TlsStream stream, std::string peer,
                                  ssl::stream_base::handshake_type side) {
  const auto connection =
      std::make_shared<StreamConnection<TlsStream>>(runtime, std::move(stream), std::move(peer));
  connection->Begin([side, context](TlsStream& begun, auto done) {
    begun.async_handshake(
        side, [context, done = std::move(done)](const error_code& error) { done(error); });
  });
  return connection;
}

}  // namespace

Result<TlsIdentity> TlsIdentity::Load(TlsFiles files) {
  EMEND_ASSIGN_OR_RETURN(auto context, LoadContext(files));
  return TlsIdentity(std::move(files), std::move(context));
}

std::shared_ptr<ssl::context> TlsIdentity::Current() {
  Result<std::shared_ptr<ssl::context>> loaded = LoadContext(files_);
  if (loaded.ok()) {
    context_ = std::move(loaded).value();
  } else {
    LogWarning("tls_files_not_renewed", {{"status", loaded.status()}});
  }
  return context_;
}

std::shared_ptr<Connection> AcceptTls(Runtime& runtime, TlsIdentity& identity, tcp::socket socket,
                                      std::string peer) {
  const auto context = identity.Current();
  return Start(runtime, context, TlsStream(std::move(socket), *context), std::move(peer),
               ssl::stream_base::server);
}

std::shared_ptr<Connection> DialTls(Runtime& runtime, TlsIdentity& identity, tcp::socket socket,
                                    std::string peer, const std::string& host) {
  const auto context = identity.Current();
  TlsStream stream(std::move(socket), *context);
  SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
  stream.set_verify_callback(ssl::host_name_verification(host));
  return Start(runtime, context, std::move(stream), std::move(peer), ssl::stream_base::client);
}

}  // namespace emend::worker::protocol
