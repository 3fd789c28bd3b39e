// Results and errors: every function that can fail returns one of these; no exception crosses our
// functions.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

/// What went wrong, in the field's words. Whether trying again can help follows from the code alone
/// (`is_retryable`), so no caller keeps a list of its own.
enum class Errc {
    transient,    ///< a fault that is expected to pass: 5xx, connection reset, EAGAIN
    refused,      ///< nobody listens there (ECONNREFUSED)
    unreachable,  ///< no route, or the name does not resolve (yet)
    timed_out,    ///< no answer within the limit of this one try
    throttled,    ///< asked to slow down: 429, 503
    empty,        ///< an answer without content: never an answer (why.md section 1)
    unauthorized, ///< 401: the token or credential is not accepted (yet)
    absent,       ///< it says that there is no such thing: 404, ENOENT
    denied,       ///< forbidden for good: 403, EACCES, EPERM
    malformed,    ///< an answer that can't be understood, or a request that the other side can't
    too_large,    ///< more than the bound that was set for it
    conflict,     ///< the world is not as it was a moment ago, or two sources contradict each other
    io,           ///< the device answered with an I/O error
    read_only,    ///< the filesystem takes no writes (EROFS)
    full,         ///< no room, or no inode, is left (ENOSPC, EDQUOT)
    stuck,        ///< the device or program neither succeeded nor failed within the deadline
    failed,       ///< a program ran and said no (exit status other than 0)
    interrupted,  ///< we were told to stop
    internal,     ///< a mistake of ours
};

/// The code's name as it stands in reports and logs, for example "timed_out".
[[nodiscard]] std::string_view to_string(Errc code);

/// True where the same request, made again, may succeed.
[[nodiscard]] bool is_retryable(Errc code);

/// The code that fits a system call's errno.
[[nodiscard]] Errc errc_of(int error_number);

/// An error with its whole story in `message`: what was tried on what, what was found.
struct [[nodiscard]] Error {
    Errc code = Errc::internal;
    std::string message;

    /// The same error, told from one level further out: "CONTEXT: message".
    [[nodiscard]] Error with(std::string_view context) const {
        return {code, std::string(context) + ": " + message};
    }
    friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// Shorthand for `return fail(Errc::absent, "...")`.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message) {
    return std::unexpected(Error{code, std::move(message)});
}

/// Passes an error on, told from one level further out.
[[nodiscard]] inline std::unexpected<Error> fail(const Error& error, std::string_view context) {
    return std::unexpected(error.with(context));
}

/// Passes an error on as it is.
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
    return std::unexpected(std::move(error));
}

/// Says that a system call failed on something: "WHAT: No such file or directory".
[[nodiscard]] std::unexpected<Error> fail_errno(int error_number, std::string_view what);

} // namespace muster
