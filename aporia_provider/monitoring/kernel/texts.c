/* Codes of texts, and their counts by time bucket. */

#include <string.h>

#include "rows.h"

/* Longest search in the table: more texts of equal hash than this are treated as too many texts. */
enum { PROBES = 64 };

/* Texts of Arrow: offsets of 32 or 64 bits (is_large), and bytes. */
typedef struct {
    Column offsets;
    const uint8_t *bytes;
    int64_t is_large;
    int64_t rows;
} Texts;

/*
 * Known texts, by code in the order of their first occurrence.
 *
 * places: a table with open addressing: in the low 16 bits a code plus one, in the others bits of its hash; or 0. Its
 * size is mask + 1, a power of two.
 * ends: the end of each text in bytes, after that of no text.
 * capacity: at most 65535.
 */
typedef struct {
    uint32_t *places;
    int64_t *ends;
    uint8_t *bytes;
    int64_t mask;
    int64_t count, capacity;
    int64_t byte_capacity;
} Table;

enum { CODE_BITS = 16 };

static inline uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Multiply to 128 bits, of which each depends on many bits of the factor, and fold them to 64. */
static inline uint64_t mixed(uint64_t hash, uint64_t word) {
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_of(const uint8_t *bytes, int64_t length) {
    uint64_t hash = (uint64_t)length;
    if (length >= 8) {
        for (int64_t place = 0; place + 8 < length; place += 8) {
            hash = mixed(hash, word_at(bytes + place));
        }
        /* The last word may contain bytes of the one before. */
        return mixed(hash, word_at(bytes + length - 8));
    }
    uint64_t word = 0;
    for (int64_t place = 0; place < length; place++) {
        word = word << 8 | bytes[place];
    }
    return mixed(hash, word);
}

static inline int are_equal(const uint8_t *one, const uint8_t *other, int64_t length) {
    if (length < 8) {
        for (int64_t place = 0; place < length; place++) {
            if (one[place] != other[place]) {
                return 0;
            }
        }
        return 1;
    }
    for (int64_t place = 0; place + 8 < length; place += 8) {
        if (word_at(one + place) != word_at(other + place)) {
            return 0;
        }
    }
    return word_at(one + length - 8) == word_at(other + length - 8);
}

/* Add a text to the table at a place, and return its code; -1 if the table is full. */
static __attribute__((noinline)) int32_t added(
    Table *table, int64_t place, uint32_t tag, const uint8_t *bytes, int64_t length
) {
    int64_t code = table->count, start = table->ends[code];
    if (code == table->capacity || length > table->byte_capacity - start) {
        return -1;
    }
    if (length) {
        memcpy(table->bytes + start, bytes, (size_t)length);
    }
    table->ends[code + 1] = start + length;
    table->places[place] = tag | (uint32_t)(code + 1);
    table->count++;
    return (int32_t)code;
}

/* Return the code of a text, which is added if it is new; -1 if the table is full. */
static inline int32_t code_of(Table *table, const uint8_t *bytes, int64_t length) {
    const uint32_t *places = table->places;
    const int64_t *ends = table->ends;
    uint64_t hash = hash_of(bytes, length), mask = (uint64_t)table->mask, place = hash & mask;
    uint32_t tag = (uint32_t)(hash >> 32) >> CODE_BITS << CODE_BITS;
    for (int probe = 0; probe < PROBES; probe++) {
        uint32_t found = places[place];
        if (!found) {
            return added(table, (int64_t)place, tag, bytes, length);
        }
        uint32_t code = (found & ((1u << CODE_BITS) - 1)) - 1;
        if ((found ^ tag) >> CODE_BITS == 0 && ends[code + 1] - ends[code] == length &&
            are_equal(table->bytes + ends[code], bytes, length)) {
            return (int32_t)code;
        }
        place = (place + 1) & mask;
    }
    return -1;
}

/*
 * Write the code of the text of each row; -1 for null.
 *
 * Return whether the table had enough space for all texts. Otherwise some of them have no code.
 */
EXPORTED int64_t aporia_encode_texts(const Texts *texts, Table *table, int32_t *codes) {
    const int32_t *small = texts->offsets.values;
    const int64_t *large = texts->offsets.values;
    for (int64_t row = 0; row < texts->rows; row++) {
        int32_t code = -1;
        if (is_valid(&texts->offsets, row)) {
            int64_t start = texts->is_large ? large[row] : small[row];
            int64_t end = texts->is_large ? large[row + 1] : small[row + 1];
            code = code_of(table, texts->bytes + start, end - start);
            if (code < 0) {
                return 0;
            }
        }
        codes[row] = code;
    }
    return 1;
}

/*
 * Count codes by slot.
 *
 * counts: for each slot, as many counts as width: of nulls, then of the codes.
 */
EXPORTED void aporia_count_codes(const int32_t *codes, const Runs *runs, int64_t *counts, int64_t width) {
    int64_t place = runs->first;
    for (int64_t run = 0; run < runs->count; run++) {
        int64_t *of_slot = counts + runs->slots[run] * width;
        for (; place < runs->ends[run]; place++) {
            of_slot[codes[runs->order ? runs->order[place] : place] + 1]++;
        }
    }
}
