/* Exact sums of doubles, and the order of doubles as integers. */

#ifndef APORIA_EXACT_SUMS_H
#define APORIA_EXACT_SUMS_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "Doubles must be computed with the precision of doubles"
#endif

#define INLINE static inline __attribute__((always_inline))

/* Number of values that are processed together: they fit into the first-level cache, and sums of as many 53-bit
 * integers fit into 64 bits. */
enum { BLOCK = 1024 };

/* Every double is a multiple of 2**-1074 and less than 2**1024, so the sum of 2**63 of them has 2161 bits. */
enum { LIMBS = 34 };

enum { FRACTION_BITS = 52, EXPONENT_MASK = 0x7ff, EXPONENT_BIAS = 1023 };

INLINE uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE int exponent_of(double value) {
    return (int)(bits_of(value) >> FRACTION_BITS) & EXPONENT_MASK;
}

/* Return an integer that is ordered as the double is; negative zero is before zero. */
INLINE int64_t order_of(double value) {
    int64_t bits = (int64_t)bits_of(value);
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

INLINE double value_at(int64_t order) {
    return double_of((uint64_t)(order ^ (int64_t)((uint64_t)(order >> 63) >> 1)));
}

/* Add value * 2**position to an unsigned integer of LIMBS words, the least significant first. */
static inline void add_integer(uint64_t *limbs, unsigned __int128 value, int position) {
    int place = position / 64, shift = position % 64;
    uint64_t parts[3] = {(uint64_t)(value << shift), (uint64_t)((value << shift) >> 64), 0};
    if (shift) {
        parts[2] = (uint64_t)(value >> 64) >> (64 - shift);
    }
    unsigned carry = 0;
    for (int i = 0; place + i < LIMBS && (i < 3 || carry); i++) {
        uint64_t part = i < 3 ? parts[i] : 0, sum = limbs[place + i] + part, total = sum + carry;
        carry = (sum < part) | (total < sum);
        limbs[place + i] = total;
    }
}

/* Add one finite value that is not negative, in units of 2**-1074. */
static inline void add_double(uint64_t *limbs, double value) {
    uint64_t bits = bits_of(value), fraction = bits & ((UINT64_C(1) << FRACTION_BITS) - 1);
    int exponent = exponent_of(value);
    if (exponent) {
        add_integer(limbs, fraction | UINT64_C(1) << FRACTION_BITS, exponent - 1);
    } else {
        add_integer(limbs, fraction, 0);
    }
}

static __attribute__((noinline)) void add_doubles(uint64_t *limbs, const double *values, int count) {
    for (int i = 0; i < count; i++) {
        add_double(limbs, values[i]);
    }
}

/*
 * Add at most BLOCK finite values that are not negative.
 *
 * Let 2**e be the smallest power of two above all values v. Then v + 2**e is rounded to a multiple of 2**(e-52) by
 * less than one bit pattern of its binade, so that the difference of its bits and those of 2**e, an integer, is the
 * multiple of 2**(e-52) nearest to v; subtraction of 2**e is exact, and so is the rest v - ((v + 2**e) - 2**e)
 * (Rump, Ogita and Oishi, "Accurate floating-point summation, part I", SIAM J. Sci. Comput. 31, 2008, lemma 3.2). The rest
 * has either sign and is at most 2**(e-53), so that a second extraction, with 1.5 * 2**(e-52), gives a multiple of
 * 2**(e-104). The sums of the two integers, of which the first is at most 2**52 and the second at most 2**51, over
 * 2**10 values fit into 64 bits; integers, unlike doubles, may be added in any order.
 *
 * If something of a value remains, or if the exponents of this computation do not exist, each value is added to the
 * integer that contains all possible sums (as in Neal, "Fast exact summation using small and large superaccumulators",
 * arXiv:1505.05571, 2015).
 *
 * greatest: the greatest of the values.
 */
INLINE void add_block(uint64_t *limbs, const double *values, int count, double greatest) {
    int exponent = exponent_of(greatest);
    if (greatest == 0) {
        return;
    }
    if (exponent < FRACTION_BITS || exponent >= EXPONENT_MASK - 1) {
        add_doubles(limbs, values, count);
        return;
    }
    uint64_t first_bits = (uint64_t)(exponent + 1) << FRACTION_BITS;
    uint64_t second_bits =
        (uint64_t)(exponent + 1 - FRACTION_BITS) << FRACTION_BITS | UINT64_C(1) << (FRACTION_BITS - 1);
    double first = double_of(first_bits), second = double_of(second_bits);
    uint64_t high = 0, low = 0, remaining = 0;
    for (int i = 0; i < count; i++) {
        double moved = values[i] + first;
        double rest = values[i] - (moved - first);
        double moved_rest = rest + second;
        high += bits_of(moved) - first_bits;
        low += bits_of(moved_rest) - second_bits;
        remaining |= bits_of(rest - (moved_rest - second));
    }
    if (remaining << 1) {
        add_doubles(limbs, values, count);
        return;
    }
    /* The total is not negative, although the sum of the rests may be. */
    __int128 total = ((__int128)high << FRACTION_BITS) + (int64_t)low;
    add_integer(limbs, (unsigned __int128)total, exponent - FRACTION_BITS);
}

#endif
