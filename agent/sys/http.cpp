#include "agent/sys/http.h"

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <fmt/format.h>
#include <map>
#include <unistd.h>

#include "agent/sys/digest.h"
#include "agent/sys/files.h"
#include "agent/sys/http_header.h"
#include "agent/sys/trust.h"

namespace muster {
namespace {

constexpr std::size_t max_headers = 64 << 10;

/// What libcurl fills while one attempt is under way.
struct Receiver {
    HttpResponse response;
    std::size_t header_bytes = 0;
    std::size_t max_body = 0;
    bool too_large = false;

    static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
        auto& receiver = *static_cast<Receiver*>(self);
        receiver.header_bytes += size;
        if (receiver.header_bytes > max_headers) {
            receiver.too_large = true;
            return 0;
        }
        const std::string_view line(data, size);
        // A "100 Continue" comes with headers of its own: only those of the last answer count.
        if (line.starts_with("HTTP/")) receiver.response.headers.clear();
        if (auto header = parse_header_line(line))
            receiver.response.headers.push_back(std::move(*header));
        return size;
    }

    static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
        auto& receiver = *static_cast<Receiver*>(self);
        if (receiver.response.body.size() + size > receiver.max_body) {
            receiver.too_large = true;
            return 0;
        }
        receiver.response.body.append(data, size);
        return size;
    }
};

/// "https://user:secret@hooks.example/T0/SECRET?key=..." as "https://hooks.example/...": all but
/// the host may be somebody's secret.
std::string shown(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == url.npos) return "(not an address)";
    const auto start = scheme + 3;
    const auto end = std::min(url.find_first_of("/?#", start), url.size());
    auto host = url.substr(start, end - start);
    if (const auto sign = host.rfind('@'); sign != host.npos) host.remove_prefix(sign + 1);
    return fmt::format("{}{}{}", url.substr(0, start), host, end < url.size() ? "/..." : "");
}

/// "http://host/path" -> "host:80"
std::string host_and_port(const std::string& url) {
    CURLU* parts = curl_url();
    char* host = nullptr;
    char* port = nullptr;
    std::string text;
    if (curl_url_set(parts, CURLUPART_URL, url.c_str(), 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        text = fmt::format("{}:{}", host, port);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return text;
}

/// "host:80" -> "host"
std::string host_of(const std::string& name) {
    return name.substr(0, name.rfind(':'));
}

/// What OpenSSL says (of an alert, by RFC 8446, 6.2), and what it means to the owner: each of these
/// needs somebody to change something, on one side or the other.
std::string_view tls_refusal(std::string_view why) {
    constexpr std::array meanings = {
        std::pair{"certificate required", "it demands a client certificate, and got none"},
        std::pair{"alert unknown ca", "it does not know the authority of our client certificate"},
        std::pair{"alert bad certificate", "it does not accept our client certificate"},
        std::pair{"alert certificate expired", "our client certificate has expired"},
        std::pair{"alert protocol version", "it speaks no TLS 1.2 or later"},
        std::pair{"unsupported protocol", "it speaks no TLS 1.2 or later"},
        std::pair{"wrong version number", "it does not speak TLS"},
    };
    for (const auto& [words, meaning] : meanings) {
        if (why.find(words) != why.npos) return meaning;
    }
    return "";
}

/// What libcurl's own words leave out. Of authorities that it was given from memory it does not
/// know the file. With TLS 1.3 a server looks at our certificate, or the lack of it, when we are
/// sending already; its alert may then come too late to be read, and all that is seen is that it
/// hung up.
std::string tls_hint(CURLcode code, std::string_view why, std::string_view url,
                     const std::string& ca_file) {
    if (code == CURLE_SSL_CACERT_BADFILE) return fmt::format(" ({})", ca_file);
    if (why.find("alert handshake failure") != why.npos)
        return " (it takes none of our ciphers, among which are none of DHE, or demands a client "
               "certificate)";
    const bool hung_up = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR;
    if (!hung_up || !url.starts_with("https:")) return "";
    return " (a server that demands a client certificate, or does not accept ours, may do so)";
}

Errc to_errc(CURLcode code, bool cancelled) {
    switch (code) {
    case CURLE_COULDNT_CONNECT: return Errc::refused;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_INTERFACE_FAILED: return Errc::unreachable;
    case CURLE_OPERATION_TIMEDOUT: return Errc::timed_out;
    case CURLE_ABORTED_BY_CALLBACK: return cancelled ? Errc::interrupted : Errc::internal;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR: return Errc::transient;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return Errc::denied;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2: return Errc::malformed;
    default: return Errc::transient;
    }
}

/// The system's certificate store where each family of distributions has it. A static OpenSSL knows
/// only the folder of the machine that it was built on.
std::string system_ca_file() {
    constexpr std::array places = {
        "/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL, Amazon Linux, Fedora
        "/etc/pki/tls/certs/ca-bundle.crt",                  // their older place
        "/etc/ssl/ca-bundle.pem",                            // SUSE
    };
    for (const char* place : places) {
        if (access(place, R_OK) == 0) return place;
    }
    return "";
}

class CurlClient : public HttpClient {
  public:
    explicit CurlClient(HttpOptions options) : options_(std::move(options)) {
        if (options_.tls) read_certificates();
        start_openssl();
        static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
        if (ready == CURLE_OK) handle_ = curl_easy_init();
    }
    CurlClient(const CurlClient&) = delete;
    CurlClient& operator=(const CurlClient&) = delete;
    ~CurlClient() override {
        if (handle_ != nullptr) curl_easy_cleanup(handle_);
        curl_slist_free_all(resolve_);
    }

    [[nodiscard]] Result<HttpResponse> attempt(const HttpRequest& request) override {
        const std::string name = host_and_port(request.url);
        drop_other_connections(name, request);
        if (handle_ == nullptr) return fail(Errc::internal, "libcurl could not be started");
        curl_easy_reset(handle_); // options only; connections, DNS and TLS sessions stay
        receiver_ = {};
        receiver_.max_body = request.max_body;

        set_connection(request);
        set_addresses(name, request);
        curl_slist* headers = set_request(request);
        const CURLcode code = curl_easy_perform(handle_);
        curl_slist_free_all(headers);
        auto answer = result(code, request);
        was_well_ = answer.has_value();
        if (answer) leads_to_[name] = request.addresses.empty() ? host_of(name) : answer->address;
        return answer;
    }

  private:
    template <class T>
    void set(CURLoption option, T value) {
        curl_easy_setopt(handle_, option, value);
    }

    void read_certificates() {
        if (options_.ca_file.empty()) options_.ca_file = system_ca_file();
        const auto read = [](const std::string& path) {
            return path.empty() ? "" : Files().read(path, 4 << 20).value_or("");
        };
        ca_ = read(options_.ca_file);
        certificate_ = read(options_.client_certificate);
        key_ = read(options_.client_key);
    }

    /// What could not be read is left to libcurl, which then says so.
    void set_pem(CURLoption content_option, std::string& content, CURLoption path_option,
                 const std::string& path) {
        if (!content.empty()) {
            curl_blob blob{content.data(), content.size(), CURL_BLOB_NOCOPY};
            set(content_option, &blob);
        } else if (!path.empty()) {
            set(path_option, path.c_str());
        }
    }

    /// A bundle that is broken, libcurl reads too, to say so; and that of a proxy of https in front
    /// of plain http, which is rare.
    void set_authorities(const std::string& url) {
        if (url.starts_with("https:") && !authorities_) authorities_ = trust_store(ca_);
        if (authorities_) {
            set(CURLOPT_CAINFO, nullptr);
            set(CURLOPT_SSL_CTX_FUNCTION, &CurlClient::on_tls);
            set(CURLOPT_SSL_CTX_DATA, authorities_.get());
        } else {
            set_pem(CURLOPT_CAINFO_BLOB, ca_, CURLOPT_CAINFO, options_.ca_file);
        }
    }

    void set_connection(const HttpRequest& request) {
        const auto milliseconds = [](Duration d) {
            // 0 would mean "no limit" to libcurl.
            return std::max<long>(1,
                                  std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
        };
        set(CURLOPT_NOSIGNAL, 1L);
        // An address that worked stays: to look it up again, files on the root volume are opened,
        // and that may hang by now. One that did not work is looked up anew.
        set(CURLOPT_DNS_CACHE_TIMEOUT, was_well_ ? -1L : 0L);
        set(CURLOPT_PROTOCOLS_STR, options_.tls ? "http,https" : "http");
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_limit));
        set(CURLOPT_TIMEOUT_MS, milliseconds(request.total_limit));
        if (options_.proxy) {
            set(CURLOPT_PROXY, options_.proxy->c_str());
            if (options_.proxy->empty()) set(CURLOPT_NOPROXY, "*");
        }
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        set(CURLOPT_SSL_VERIFYPEER, 1L);
        set(CURLOPT_SSL_VERIFYHOST, 2L);
        set(CURLOPT_CAPATH, nullptr);
        set_authorities(request.url);
        set_pem(CURLOPT_SSLCERT_BLOB, certificate_, CURLOPT_SSLCERT, options_.client_certificate);
        set_pem(CURLOPT_SSLKEY_BLOB, key_, CURLOPT_SSLKEY, options_.client_key);
        set(CURLOPT_ERRORBUFFER, error_.data());
        error_[0] = '\0';
        if (options_.cancelled) {
            set(CURLOPT_NOPROGRESS, 0L);
            set(CURLOPT_XFERINFODATA, &options_);
            set(CURLOPT_XFERINFOFUNCTION, &CurlClient::on_progress);
        }
    }

    /// libcurl finds a kept connection by the url's host, wherever it leads. One that does not lead
    /// to the first choice would hide it for as long as the other side keeps it open.
    void drop_other_connections(const std::string& name, const HttpRequest& request) {
        const auto kept = leads_to_.find(name);
        const auto first = request.addresses.empty() ? host_of(name) : request.addresses.front();
        if (kept == leads_to_.end() || kept->second == first) return;
        leads_to_.clear();
        if (handle_ != nullptr) curl_easy_cleanup(handle_);
        handle_ = curl_easy_init();
    }

    /// Puts the addresses into libcurl's cache of names, or takes out those of the request before.
    void set_addresses(const std::string& name, const HttpRequest& request) {
        if (request.addresses.empty() && named_.empty()) return;
        curl_slist_free_all(resolve_);
        resolve_ = nullptr;
        if (!named_.empty()) resolve_ = curl_slist_append(resolve_, ("-" + named_).c_str());
        named_.clear();
        if (!request.addresses.empty()) {
            named_ = name;
            const auto entry = named_ + ":" + fmt::format("{}", fmt::join(request.addresses, ","));
            resolve_ = curl_slist_append(resolve_, entry.c_str());
        }
        set(CURLOPT_RESOLVE, resolve_);
        set(CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS,
            static_cast<long>(
                std::chrono::duration_cast<std::chrono::milliseconds>(options_.family_delay)
                    .count()));
    }

    curl_slist* set_request(const HttpRequest& request) {
        curl_slist* headers = nullptr;
        for (const auto& [name, value] : request.headers) {
            headers = curl_slist_append(headers, (name + ": " + value).c_str());
        }
        // No "Expect: 100-continue": it would cost a second at a server that ignores it.
        headers = curl_slist_append(headers, "Expect:");
        set(CURLOPT_HTTPHEADER, headers);
        set(CURLOPT_URL, request.url.c_str());
        set(CURLOPT_USERAGENT, "muster/" MUSTER_VERSION);
        if (request.method == "GET") {
            set(CURLOPT_HTTPGET, 1L);
        } else {
            set(CURLOPT_POST, 1L);
            set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            set(CURLOPT_POSTFIELDS, request.body.c_str());
        }
        set(CURLOPT_HEADERFUNCTION, &Receiver::on_header);
        set(CURLOPT_HEADERDATA, &receiver_);
        set(CURLOPT_WRITEFUNCTION, &Receiver::on_body);
        set(CURLOPT_WRITEDATA, &receiver_);
        return headers;
    }

    Result<HttpResponse> result(CURLcode code, const HttpRequest& request) {
        if (code == CURLE_OK) {
            long status = 0;
            curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
            receiver_.response.status = static_cast<int>(status);
            const char* address = nullptr;
            curl_easy_getinfo(handle_, CURLINFO_PRIMARY_IP, &address);
            if (address != nullptr) receiver_.response.address = address;
            return std::move(receiver_.response);
        }
        if (receiver_.too_large) {
            return fail(Errc::too_large,
                        fmt::format("{} {}: the answer is longer than {} bytes", request.method,
                                    shown(request.url), request.max_body));
        }
        const bool cancelled = options_.cancelled && options_.cancelled();
        const char* why = error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
        if (const auto meaning = tls_refusal(why); !meaning.empty()) {
            return fail(Errc::denied, fmt::format("{} {}: {} ({})", request.method,
                                                  shown(request.url), meaning, why));
        }
        return fail(has_no_route(code) ? Errc::unreachable : to_errc(code, cancelled),
                    fmt::format("{} {}: {}{}", request.method, shown(request.url), why,
                                tls_hint(code, why, request.url, options_.ca_file)));
    }

    [[nodiscard]] bool has_no_route(CURLcode code) const {
        long os_error = 0;
        curl_easy_getinfo(handle_, CURLINFO_OS_ERRNO, &os_error);
        return code == CURLE_COULDNT_CONNECT &&
               errc_of(static_cast<int>(os_error)) == Errc::unreachable;
    }

    static CURLcode on_tls(CURL*, void* context, void* authorities) {
        trust_in(context, static_cast<X509_STORE*>(authorities));
        return CURLE_OK;
    }

    static int on_progress(void* options, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<HttpOptions*>(options)->cancelled() ? 1 : 0;
    }

    HttpOptions options_;
    std::shared_ptr<X509_STORE> authorities_;
    std::string ca_, certificate_, key_; ///< PEM
    CURL* handle_ = nullptr;
    curl_slist* resolve_ = nullptr; ///< lives as long as the transfer that uses it
    std::string named_;             ///< "host:port" whose addresses we gave
    bool was_well_ = false;         ///< the last attempt got an answer
    /// "host:port" -> the host or address that answered for it last
    std::map<std::string, std::string> leads_to_;
    Receiver receiver_;
    std::array<char, CURL_ERROR_SIZE> error_{};
};

} // namespace

std::optional<std::string> HttpResponse::header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, &HttpHeader::first);
    if (found == headers.end()) return std::nullopt;
    return found->second;
}

std::unique_ptr<HttpClient> make_http_client(HttpOptions options) {
    return std::make_unique<CurlClient>(std::move(options));
}

} // namespace muster
