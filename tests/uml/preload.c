/* Preloaded into linux.uml (Debian 12's User-Mode Linux, 6.1). Three things it does not do itself:
 *
 * It cannot run on processors with AMX. It keeps its processes' floating-point state in a buffer whose
 * size was fixed when it was built (up to AVX-512). The host kernel takes a PTRACE_SETREGSET of
 * NT_X86_XSTATE only at the full size of the processor's state (arch/x86/kernel/fpu/regset.c: -EFAULT
 * otherwise), which AMX raised to 11 KiB: UML then dies at its first process with "ptrace set fp regs
 * failed, errno = 14". Here UML's part is put over the whole state as it is just then. Where the sizes
 * agree that changes nothing.
 *
 * When it is killed, the host processes in which the guest's programs run would go on, no longer
 * traced: their system calls would reach the host. PTRACE_O_EXITKILL takes them along.
 *
 * It ends when whoever started it ends.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define OLD_SETOPTIONS 21 /* PTRACE_OLDSETOPTIONS of asm/ptrace-abi.h */

static char whole[64 << 10];

__attribute__((constructor)) static void end_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

long ptrace(enum __ptrace_request request, ...)
{
    static long (*next)(int, pid_t, void *, void *);
    va_list arguments;
    pid_t pid;
    void *address, *data;

    va_start(arguments, request);
    pid = va_arg(arguments, pid_t);
    address = va_arg(arguments, void *);
    data = va_arg(arguments, void *);
    va_end(arguments);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "ptrace");

    if ((int)request == PTRACE_SETOPTIONS || (int)request == OLD_SETOPTIONS)
        data = (void *)((long)data | PTRACE_O_EXITKILL);
    if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
        const struct iovec *part = data;
        struct iovec full = {whole, sizeof whole};
        if (next(PTRACE_GETREGSET, pid, address, &full) == 0 && full.iov_len > part->iov_len) {
            memcpy(whole, part->iov_base, part->iov_len);
            return next(PTRACE_SETREGSET, pid, address, &full);
        }
    }
    return next((int)request, pid, address, data);
}
