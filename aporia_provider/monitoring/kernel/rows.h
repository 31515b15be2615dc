/* Columns, and the order of their rows by bucket. */

#ifndef APORIA_ROWS_H
#define APORIA_ROWS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(APORIA_PLAIN)
#define HAS_CLONES
#define VECTORIZED __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define VECTORIZED
#endif
#define EXPORTED __attribute__((visibility("default")))

/* A column: its values, and the bitmap of those that are not null (least significant bit first), or NULL. */
typedef struct {
    const void *values;
    const uint8_t *valid;
    int64_t valid_offset;
} Column;

/* Runs of rows of one bucket: the rows in the order of their buckets (NULL: as they are), the end of each run, and
 * the slot of its state. */
typedef struct {
    const int32_t *order;
    const int64_t *ends;
    const int32_t *slots;
    int64_t first;
    int64_t count;
} Runs;

static inline int is_valid(const Column *column, int64_t row) {
    int64_t place = row + column->valid_offset;
    return !column->valid || (column->valid[place >> 3] >> (place & 7) & 1);
}

#endif
