#include "agent/sys/trust.h"

#include <limits>
#include <map>
#include <mutex>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "agent/sys/digest.h"

namespace muster {

namespace {

using Bio = std::unique_ptr<BIO, decltype([](BIO* bio) { BIO_free(bio); })>;
using Certificate = std::unique_ptr<X509, decltype([](X509* one) { X509_free(one); })>;

/// How the reading of a bundle ends where all is well: there is no further "-----BEGIN".
bool is_at_its_end() {
    const auto error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

std::shared_ptr<X509_STORE> read_store(const std::string& pem) {
    if (pem.size() > std::numeric_limits<int>::max()) {
        return nullptr;
    }
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::shared_ptr<X509_STORE> store(X509_STORE_new(), &X509_STORE_free);
    if (!bio || !store) {
        return nullptr;
    }
    int count = 0;
    ERR_clear_error();
    while (const Certificate one{PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)}) {
        if (X509_STORE_add_cert(store.get(), one.get()) != 1) {
            return nullptr;
        }
        ++count;
    }
    const bool whole = is_at_its_end();
    ERR_clear_error();
    if (count == 0 || !whole) {
        return nullptr;
    }
    // As libcurl does: an intermediate authority that is in the bundle is enough.
    X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

} // namespace

std::shared_ptr<X509_STORE> trust_store(const std::string& pem) {
    static std::mutex mutex;
    // Never destroyed: a delivery may be under way in another thread when the program ends.
    static auto& stores = *new std::map<std::string, std::shared_ptr<X509_STORE>>();
    const std::lock_guard guard(mutex);
    auto& store = stores[sha256(pem)];
    if (!store) {
        store = read_store(pem);
    }
    return store;
}

void trust_in(void* tls_context, X509_STORE* authorities) {
    // Not as its cert_store, though that serves for both: libcurl sets flags of that one in the
    // middle of a handshake, while another thread may be verifying by ours.
    auto* context = static_cast<SSL_CTX*>(tls_context);
    SSL_CTX_set1_verify_cert_store(context, authorities); // the server's certificate
    SSL_CTX_set1_chain_cert_store(context, authorities);  // completes our own
}

} // namespace muster
