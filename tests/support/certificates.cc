#include "tests/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <functional>

#include "storage/base/check.h"

namespace emend::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Key NewKey() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  EMEND_CHECK(extension != nullptr,
              "a test's certificate has an extension that OpenSSL does not know: " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by nobody yet.
Certificate NewCertificate(const std::string& name, EVP_PKEY* key) {
  constexpr long kHour = 3600;
  static long serial = 0;
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kHour);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kHour);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

void Write(const std::string& path, const std::function<int(std::FILE*)>& write) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  EMEND_CHECK(file != nullptr && write(file) == 1,
              "a test's certificate cannot be written to " + path);
  std::fclose(file);
}

}  // namespace

struct TestAuthority::Parts {
  Key key = NewKey();
  Certificate certificate{nullptr, X509_free};
};

TestAuthority::TestAuthority(std::string folder, std::string name)
    : folder_(std::move(folder)),
      authority_file_(folder_ + "/" + name + "-ca.pem"),
      parts_(std::make_unique<Parts>()) {
  parts_->certificate = NewCertificate(name, parts_->key.get());
  X509* own = parts_->certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  AddExtension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(own, parts_->key.get(), EVP_sha256());
  Write(authority_file_, [&](std::FILE* file) { return PEM_write_X509(file, own); });
}

TestAuthority::~TestAuthority() = default;

worker::protocol::TlsFiles TestAuthority::Issue(const std::string& name,
                                                const std::string& subject_alternative_name) const {
  const Key key = NewKey();
  const Certificate certificate = NewCertificate(name, key.get());
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(parts_->certificate.get()));
  AddExtension(certificate.get(), parts_->certificate.get(), NID_subject_alt_name,
               subject_alternative_name);
  X509_sign(certificate.get(), parts_->key.get(), EVP_sha256());
  const worker::protocol::TlsFiles files{.certificate = folder_ + "/" + name + ".pem",
                                         .key = folder_ + "/" + name + "-key.pem",
                                         .authority = authority_file_};
  Write(files.certificate,
        [&](std::FILE* file) { return PEM_write_X509(file, certificate.get()); });
  Write(files.key, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

}  // namespace emend::test
