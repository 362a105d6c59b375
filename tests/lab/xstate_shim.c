/* Preloaded into user-mode Linux, so that it runs on CPUs with more register state than it knows (AMX).
 *
 * UML saves and restores 2696 bytes of extended state: everything up to AVX-512 and PKRU. Newer kernels refuse to set
 * a state that is not as long as the CPU's whole state. So lengthen what UML restores, and say that the components
 * behind its end are in their initial state. Where UML's length suffices nothing is changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

enum { LARGEST = 1 << 16, XSTATE_BV = 512 };
static const uint64_t KNOWN_TO_UML = 0x2ff; /* x87, SSE, AVX, MPX, AVX-512, PKRU */

static long (*real)(enum __ptrace_request, ...);
static size_t whole; /* bytes of the CPU's whole state; 0: not yet known */

static long set_state(pid_t pid, struct iovec *given)
{
    static uint8_t state[LARGEST];
    struct iovec full = {state, sizeof state};
    uint64_t present;

    if (!whole && real(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &full) == 0)
        whole = full.iov_len;
    if (given->iov_len >= whole || given->iov_len < XSTATE_BV + sizeof present)
        return real(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, given);
    memset(state, 0, whole);
    memcpy(state, given->iov_base, given->iov_len);
    memcpy(&present, state + XSTATE_BV, sizeof present);
    present &= KNOWN_TO_UML;
    memcpy(state + XSTATE_BV, &present, sizeof present);
    full.iov_len = whole;
    return real(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &full);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list rest;
    va_start(rest, request);
    pid_t pid = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *);
    void *data = va_arg(rest, void *);
    va_end(rest);

    if (!real)
        real = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
        return set_state(pid, data);
    return real(request, pid, address, data);
}
