// The authorities whose certificates are believed. Private to sys.
#pragma once

#include <memory>
#include <openssl/types.h>
#include <string>

namespace muster {

/// All certificates of a PEM bundle. libcurl reads a bundle anew for every connection, which for a
/// system's is half of the processor time of a boot (21 to 40 ms each); so each bundle is read once
/// here, whoever asks for it and how often. None where it is empty or a certificate is broken:
/// libcurl then says what is the matter with it. May be called from any thread.
[[nodiscard]] std::shared_ptr<X509_STORE> trust_store(const std::string& pem);

/// A connection's SSL_CTX, as libcurl gives it, believes these and no others. It keeps a reference.
void trust_in(void* tls_context, X509_STORE* authorities);

} // namespace muster
