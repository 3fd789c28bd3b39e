#include "agent/sys/result.h"

#include <cerrno>
#include <system_error>

namespace muster {

std::string_view to_string(Errc code) {
    switch (code) {
    case Errc::transient: return "transient";
    case Errc::refused: return "refused";
    case Errc::unreachable: return "unreachable";
    case Errc::timed_out: return "timed_out";
    case Errc::throttled: return "throttled";
    case Errc::empty: return "empty";
    case Errc::unauthorized: return "unauthorized";
    case Errc::absent: return "absent";
    case Errc::denied: return "denied";
    case Errc::malformed: return "malformed";
    case Errc::too_large: return "too_large";
    case Errc::conflict: return "conflict";
    case Errc::io: return "io";
    case Errc::read_only: return "read_only";
    case Errc::full: return "full";
    case Errc::stuck: return "stuck";
    case Errc::failed: return "failed";
    case Errc::interrupted: return "interrupted";
    case Errc::internal: return "internal";
    }
    return "internal";
}

bool is_retryable(Errc code) {
    switch (code) {
    case Errc::transient:
    case Errc::refused:
    case Errc::unreachable:
    case Errc::timed_out:
    case Errc::throttled:
    case Errc::empty:
    case Errc::unauthorized: return true;
    // A thing that is absent may come (a volume attaches, metadata fills up), but that is for those
    // to know who wait for it: a program or a file that is not there will not be there at once.
    case Errc::absent:
    case Errc::denied:
    case Errc::malformed:
    case Errc::too_large:
    case Errc::conflict:
    case Errc::io:
    case Errc::read_only:
    case Errc::full:
    case Errc::stuck:
    case Errc::failed:
    case Errc::interrupted:
    case Errc::internal: return false;
    }
    return false;
}

Errc errc_of(int error_number) {
    switch (error_number) {
    case EAGAIN:
    case EINTR:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ECONNRESET:
    case EPIPE: return Errc::transient;
    case ECONNREFUSED: return Errc::refused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN: return Errc::unreachable;
    case ETIMEDOUT: return Errc::timed_out;
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO: return Errc::absent;
    case EACCES:
    case EPERM: return Errc::denied;
    case EROFS: return Errc::read_only;
    case ENOSPC:
    case EDQUOT: return Errc::full;
    case EINVAL:
    case ENOEXEC:
    case ENAMETOOLONG:
    case EISDIR:
    case ELOOP:
    case ENOTBLK: return Errc::malformed;
    case E2BIG:
    case EFBIG: return Errc::too_large;
    case EBUSY:
    case EEXIST:
    case ESTALE: return Errc::conflict;
    // What the block layer turns a device's status into (blk_errors[] in block/blk-core.c), and
    // what filesystems say of a damaged disk (EUCLEAN, EBADMSG).
    case EIO:
    case EREMOTEIO:
    case EILSEQ:
    case ENODATA:
    case ENOLINK:
    case EBADE:
    case EUCLEAN:
    case EBADMSG: return Errc::io;
    default: return Errc::internal; // never `io` by default: that would condemn a disk on a guess
    }
}

std::unexpected<Error> fail_errno(int error_number, std::string_view what) {
    // Not strerror(): it is not thread-safe.
    return fail(errc_of(error_number),
                std::string(what) + ": " + std::generic_category().message(error_number));
}

} // namespace muster
