/* What the library was compiled from, and what it uses. */

#include "rows.h"

/* Return the vector instructions that are used; NULL if numpy is faster on this processor. */
EXPORTED const char *aporia_instructions(void) {
#ifdef HAS_CLONES
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd")) {
        return "AVX-512";
    }
    return __builtin_cpu_supports("avx2") ? "AVX2" : NULL;
#elif defined(__x86_64__)
    return NULL;
#else
    return "the vector instructions of this platform";
#endif
}

/* The digest of the source, by which a library of another version is recognized. */
#ifndef SOURCE_DIGEST
#define SOURCE_DIGEST ""
#endif
EXPORTED const char aporia_source_digest[64] = SOURCE_DIGEST;
