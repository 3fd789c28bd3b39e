// In the static program alone: nobody looks for the names of ports.
//
// c-ares can, and glibc's own functions for it load NSS modules at run time, from a root volume
// that may hang, of whatever version it has. We only have numbers; and without these functions none
// of NSS, nor what loads libraries, is in the program.
#include <cerrno>
#include <netdb.h>

extern "C" {

servent* getservbyname(const char*, const char*) {
    return nullptr;
}

int getservbyport_r(int, const char*, servent*, char*, std::size_t, servent** found) {
    *found = nullptr;
    return ENOENT;
}
}
